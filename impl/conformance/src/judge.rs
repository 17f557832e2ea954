//! Whether what clients have seen could have happened, as the contract of a store has it.
//!
//! Versions say in which order the swaps of a row took effect, so no order needs to be searched for: the
//! history of a row is the list of its swaps by version, and each state of it surely stood from the moment
//! when its swap had returned to the one when the next was sent.
//!
//! Swaps with an unknown outcome may be anywhere in that history. Where a row has one, what would need
//! their place to be known is not judged; what they can in no case explain is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use lockspace::store::Version;

use crate::client::{Outcome, Seen, What};

/// A swap that was done.
struct Done<'a> {
    begin: Instant,
    end: Instant,
    version: Version,
    expected: Option<Version>,
    new: Option<&'a [u8]>,
}

impl Done<'_> {
    /// The version that the row had afterwards.
    fn leaves(&self) -> Option<Version> {
        self.new.map(|_| self.version)
    }
}

/// The history of one row.
struct Row<'a> {
    done: Vec<Done<'a>>,
    /// Bytes of swaps that say that they were not done.
    refused: BTreeSet<&'a [u8]>,
    /// Whether there are swaps of which nobody knows, and what they would have written.
    unknown: bool,
    perhaps: BTreeSet<&'a [u8]>,
    /// The versions that swaps have replaced or removed, or perhaps.
    replaced: BTreeSet<Version>,
}

/// What is wrong with it, if anything is.
pub(crate) fn swaps(seen: &[Seen]) -> Result<(), String> {
    for (key, calls) in by_key(seen) {
        let row = history(&calls);
        let faults =
            [chain(&row), visible(&row, &calls), accounted(&row, &calls), latest(&row, &calls)];
        faults.into_iter().collect::<Result<(), _>>().map_err(|fault| format!("{key}: {fault}"))?;
    }
    Ok(())
}

/// Whether versions grow as swaps take effect, over all keys.
pub(crate) fn versions(seen: &[Seen]) -> Result<(), String> {
    let mut shown: Vec<(Instant, Version)> = Vec::new();
    let mut drawn = BTreeSet::new();
    for call in seen {
        match &call.what {
            What::Loaded(Some((version, _))) => shown.push((call.end, *version)),
            What::Swap { outcome: Outcome::Swapped(version), .. } => {
                if !drawn.insert(*version) {
                    return Err(format!("two swaps have version {version}"));
                }
                shown.push((call.end, *version));
            }
            _ => {}
        }
    }
    if let Some((_, version)) = shown.iter().find(|(_, version)| *version > Version::MAX) {
        return Err(format!("{version} is greater than any may be"));
    }
    shown.sort_unstable();
    let mut greatest = Version(0);
    for (_, version) in &mut shown {
        greatest = greatest.max(*version);
        *version = greatest;
    }
    // The greatest version that anybody had seen at a moment.
    let before = |moment| match shown.partition_point(|(end, _)| *end < moment) {
        0 => Version(0),
        count => shown[count - 1].1,
    };
    for (key, calls) in by_key(seen) {
        let row = history(&calls);
        for done in &row.done {
            let (version, before) = (done.version, before(done.begin));
            if version <= before {
                return Err(format!("{key}: version {version} was drawn after {before} was seen"));
            }
        }
        // A row that was seen as it was before a swap: so the swap took effect later than that.
        for call in &calls {
            let What::Loaded(Some((version, _))) = &call.what else { continue };
            let at = row.done.iter().position(|done| done.version == *version);
            let next = at.and_then(|at| row.done.get(at + 1)).map(|next| next.version);
            let before = before(call.begin);
            if let Some(next) = next.filter(|next| *next <= before) {
                return Err(format!("{key}: {next} took effect after {before} was seen"));
            }
        }
    }
    Ok(())
}

fn by_key(seen: &[Seen]) -> BTreeMap<&str, Vec<&Seen>> {
    let mut keys: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
    for call in seen {
        keys.entry(&call.key).or_default().push(call);
    }
    keys
}

fn history<'a>(calls: &[&'a Seen]) -> Row<'a> {
    let mut row = Row {
        done: Vec::new(),
        refused: BTreeSet::new(),
        unknown: false,
        perhaps: BTreeSet::new(),
        replaced: BTreeSet::new(),
    };
    for call in calls {
        let What::Swap { expected, new, outcome } = &call.what else { continue };
        let (expected, new) = (*expected, new.as_deref());
        if !matches!(outcome, Outcome::Conflict | Outcome::NotDone) {
            row.replaced.extend(expected);
        }
        match *outcome {
            Outcome::Swapped(version) => {
                row.done.push(Done { begin: call.begin, end: call.end, version, expected, new });
            }
            Outcome::Conflict | Outcome::NotDone => row.refused.extend(new),
            Outcome::Unknown => {
                row.unknown = true;
                row.perhaps.extend(new);
            }
        }
    }
    row.done.sort_by_key(|done| done.version);
    row
}

/// Each swap found what the one before it had left.
fn chain(row: &Row<'_>) -> Result<(), String> {
    let mut replaced = BTreeSet::new();
    for done in &row.done {
        if done.expected.is_some_and(|expected| !replaced.insert(expected)) {
            return Err(format!(
                "two swaps have replaced the same row, one of them {}",
                done.version
            ));
        }
    }
    let mut left = None;
    for done in &row.done {
        if done.expected != left && !row.unknown {
            let (version, expected) = (done.version, done.expected);
            return Err(format!(
                "swap {version} expected {expected:?} and must have found {left:?}"
            ));
        }
        left = done.leaves();
    }
    Ok(())
}

/// Whatever was loaded has been written, by a swap that says so or by one of which nobody knows.
fn visible(row: &Row<'_>, calls: &[&Seen]) -> Result<(), String> {
    for call in calls {
        let What::Loaded(Some((version, bytes))) = &call.what else { continue };
        let bytes = bytes.as_slice();
        let written = row.done.iter().find(|done| done.version == *version);
        let fits = match written {
            Some(done) => done.new == Some(bytes),
            None => row.perhaps.contains(bytes),
        };
        if row.refused.contains(bytes) {
            return Err(format!("version {version}: a swap was done and said that it was not"));
        }
        if !fits {
            return Err(format!("version {version} was loaded, and nobody has written it so"));
        }
    }
    Ok(())
}

/// Whatever has gone was replaced or removed, by a swap that says so or by one of which nobody knows: a
/// removal leaves no bytes by which it could be told.
fn accounted(row: &Row<'_>, calls: &[&Seen]) -> Result<(), String> {
    // When each version had first been seen by somebody.
    let mut shown: BTreeMap<Version, Instant> = BTreeMap::new();
    for call in calls {
        let version = match &call.what {
            What::Loaded(Some((version, _))) => *version,
            What::Swap { new: Some(_), outcome: Outcome::Swapped(version), .. } => *version,
            _ => continue,
        };
        let first = shown.entry(version).or_insert(call.end);
        *first = call.end.min(*first);
    }
    let last = shown.keys().chain(row.done.iter().map(|done| &done.version)).max().copied();
    let empty = calls.iter().filter(|call| matches!(call.what, What::Loaded(None)));
    let empty = empty.map(|call| call.begin).max();
    for (version, end) in shown {
        let gone = last > Some(version) || empty.is_some_and(|empty| end < empty);
        if gone && !row.replaced.contains(&version) {
            return Err(format!(
                "version {version} has gone, and whoever swapped it was told that it was not done"
            ));
        }
    }
    Ok(())
}

/// While a row surely stood as it was, nobody saw anything else.
fn latest(row: &Row<'_>, calls: &[&Seen]) -> Result<(), String> {
    if row.unknown {
        return Ok(());
    }
    for call in calls {
        // The last swap that had returned before the call, and whether another may have come by.
        let begun = row.done.iter().rposition(|done| done.end < call.begin);
        let next = begun.map_or(0, |at| at + 1);
        let disturbed = row.done[next..].iter().any(|done| done.begin <= call.end);
        let stood = begun.and_then(|at| row.done[at].leaves());
        match &call.what {
            What::Loaded(loaded) => {
                let found = loaded.as_ref().map(|(version, _)| *version);
                if found != stood && !disturbed {
                    return Err(format!("{found:?} was loaded while {stood:?} stood there"));
                }
                // Not a state that had been replaced before the call, nor one from after it.
                let at = row.done.iter().position(|done| Some(done.version) == found);
                let gone = at.and_then(|at| row.done.get(at + 1));
                if gone.is_some_and(|gone| gone.end < call.begin) {
                    return Err(format!("{found:?} was loaded after it had been replaced"));
                }
            }
            What::Swap { expected, outcome: Outcome::Conflict, .. } => {
                if *expected == stood && !disturbed {
                    return Err(format!("a conflict with {expected:?}, which stood there"));
                }
            }
            What::Swap { .. } => {}
        }
    }
    Ok(())
}
