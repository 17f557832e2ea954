//! Tables, in Markdown.

use std::fmt::Write;

use crate::measure::{Samples, Workload};
use crate::targets::Target;

/// Beside whom everybody is set, wherever it takes part.
const BEST_KNOWN: &str = "lockable";

/// The table of a workload. How far apart the rounds are is told of its first measure.
#[must_use]
pub fn table<Given>(workload: &Workload<Given>, samples: &Samples) -> String {
    let takes_part = |peer: &&str| workload.contenders.iter().any(|other| other.peer == *peer);
    let mut beside: Vec<&'static str> = workload.references.to_vec();
    beside.push(BEST_KNOWN);
    beside.retain(takes_part);

    let mut head = String::from("| peer |");
    for (index, measure) in workload.measures.iter().enumerate() {
        _ = write!(head, " {measure} |{}", if index == 0 { " spread |" } else { "" });
        for reference in &beside {
            _ = write!(head, " ÷ {reference} |");
        }
    }
    let columns = head.matches('|').count() - 1;
    let others = samples.others(workload.id).unwrap_or_default() * 100.0;
    let mut table = format!(
        "### {}\n\n{}. Others used {others:.0}% of the machine.\n\n{head}\n|---|{}\n",
        workload.id,
        capitalised(workload.what),
        "---:|".repeat(columns - 1),
    );
    for contender in &workload.contenders {
        table += &row(workload, contender.peer, &beside, samples);
    }
    table
}

fn row<Given>(
    workload: &Workload<Given>,
    peer: &'static str,
    beside: &[&'static str],
    samples: &Samples,
) -> String {
    let mut row = format!("| {peer} |");
    for measure in 0..workload.measures.len() {
        let this = (workload.id, measure, peer);
        let number = samples.median(this.0, measure, peer).unwrap_or(f64::NAN);
        _ = write!(row, " {} |", short(number));
        if measure == 0 {
            let spread = samples.spread(this.0, measure, peer).unwrap_or(f64::NAN);
            _ = write!(row, " {:.0}% |", spread * 100.0);
        }
        for reference in beside {
            let ratio = samples.ratio(this, (workload.id, measure, reference));
            _ = write!(row, " {} |", short(ratio.unwrap_or(f64::NAN)));
        }
    }
    row + "\n"
}

/// What was aimed at, as far as it was measured.
#[must_use]
pub fn targets_table(targets: &[Target], samples: &Samples) -> String {
    let mut table =
        String::from("| target | measured | at most | aim | |\n|---|---:|---:|---:|---|\n");
    for target in targets {
        let Some(measured) = (target.measured)(samples) else {
            continue;
        };
        let verdict = match measured {
            measured if target.aim.is_some_and(|aim| measured <= aim) => "better than the aim",
            measured if measured <= target.at_most => "holds",
            _ => "**missed**",
        };
        let aim = target.aim.map(short).unwrap_or_default();
        let (what, at_most) = (target.what, short(target.at_most));
        _ = writeln!(table, "| {what} | {} | {at_most} | {aim} | {verdict} |", short(measured));
    }
    table
}

/// A number with three digits that count.
fn short(number: f64) -> String {
    match number.abs() {
        size if size.is_nan() => "–".into(),
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn three_digits_are_shown() {
        assert_eq!(short(1234.5), "1234");
        assert_eq!(short(12.345), "12.3");
        assert_eq!(short(1.2345), "1.23");
        assert_eq!(short(f64::NAN), "–");
    }
}
