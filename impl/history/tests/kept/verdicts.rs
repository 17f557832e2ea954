//! What the judges say of every kept history, word for word, and of every small change to one: kept in
//! `fixtures/verdicts.txt`. A judge that begins to see less, more, or something else shows here.

use std::fmt::Write as _;

use lockspace_history::{
    Budget, Done, Event, History, NotDone, Return, Verdict, What, judge, judge_by_witness,
};
use lockspace_spec::{FencingToken, Loss, Refusal};

use crate::fixtures::histories;
use crate::folder;

/// Answers that are given instead of the true one.
const ANSWERS: [(&str, Return); 12] = [
    ("granted", Return::Done(Done::Granted(None))),
    ("granted 99", Return::Done(Done::Granted(Some(FencingToken(99))))),
    ("released", Return::Done(Done::Released(None))),
    ("renewed", Return::Done(Done::Renewed)),
    ("busy", Return::NotDone(NotDone::Refused(Refusal::Busy))),
    ("timed out", Return::NotDone(NotDone::Refused(Refusal::TimedOut))),
    ("at capacity", Return::NotDone(NotDone::Refused(Refusal::AtCapacity))),
    ("shutting down", Return::NotDone(NotDone::Refused(Refusal::ShuttingDown))),
    ("ruled out", Return::NotDone(NotDone::RuledOut)),
    ("not held", Return::NotDone(NotDone::NotHeld)),
    ("forced", Return::NotDone(NotDone::Lost(Loss::Forced))),
    ("unknown", Return::Unknown),
];

/// The verdict on a changed history, as one letter: `.` accepted, `-` not a history, else the number of
/// the property that is broken (`X` for S10, `?` for none).
fn letter(verdict: &Verdict) -> char {
    match verdict {
        Verdict::Accepted(_) => '.',
        Verdict::Undecided(_) => '!',
        Verdict::Rejected(rejection) => match rejection.property {
            None => '?',
            Some("S10") => 'X',
            Some(property) => property.chars().last().unwrap_or('?'),
        },
    }
}

/// The verdicts of both judges on a history, with the change made at each of its events in turn.
fn at_each_event(history: &History, change: impl Fn(&mut Vec<Event>, usize) -> bool) -> String {
    let (mut by_all, mut by_witness) = (String::new(), String::new());
    for at in 0..history.events().len() {
        let mut events = history.events().to_vec();
        if !change(&mut events, at) {
            continue;
        }
        match History::new(history.header(), events) {
            Ok(changed) => {
                by_all.push(letter(&judge(&changed, Budget::default())));
                by_witness.push(letter(&judge_by_witness(&changed)));
            }
            Err(_) => {
                by_all.push('-');
                by_witness.push('-');
            }
        }
    }
    format!("{by_all}  {by_witness}")
}

/// One history: what is said of it, and then a row for each way to change it.
fn describe(name: &str, history: &History) -> String {
    let mut text = format!("{name}\n");
    let verdicts =
        [("all", judge(history, Budget::default())), ("witness", judge_by_witness(history))];
    for (who, verdict) in verdicts {
        let said = match verdict {
            Verdict::Accepted(summary) => format!("{summary:?}"),
            Verdict::Rejected(rejection) => {
                format!(
                    "after {} events, {rejection}\n    {}",
                    rejection.legal_prefix, rejection.event
                )
            }
            Verdict::Undecided(undecided) => format!("{undecided:?}"),
        };
        writeln!(text, "  {who}: {said}").expect("a text takes everything");
    }
    let mut row = |what: &str, letters: String| {
        if letters.contains(|letter| letter != ' ' && letter != '-') {
            writeln!(text, "  {what:<14} {letters}").expect("a text takes everything");
        }
    };
    row(
        "left out",
        at_each_event(history, |events, at| {
            events.remove(at);
            true
        }),
    );
    row(
        "said twice",
        at_each_event(history, |events, at| {
            events.insert(at, events[at].clone());
            true
        }),
    );
    row(
        "one later",
        at_each_event(history, |events, at| {
            let last = at + 1 == events.len();
            if !last {
                (events[at].at, events[at + 1].at) = (events[at + 1].at, events[at].at);
                events.swap(at, at + 1);
            }
            !last
        }),
    );
    for (what, answer) in ANSWERS {
        row(
            what,
            at_each_event(history, |events, at| match &mut events[at].what {
                What::Return(_, its) => {
                    *its = answer;
                    true
                }
                _ => false,
            }),
        );
    }
    text
}

#[test]
fn what_is_said_of_kept_histories_and_of_every_small_change_to_them_is_what_is_kept() {
    let kept = std::fs::read_to_string(folder().join("verdicts.txt"))
        .unwrap_or_default()
        .replace("\r\n", "\n");
    let all = ["accepted", "rejected"].map(histories).into_iter().flatten();
    let found: Vec<String> = all.map(|(name, history)| describe(&name, &history)).collect();
    let found = found.join("\n");
    if found != kept {
        let place = std::env::temp_dir().join("lockspace-verdicts.txt");
        std::fs::write(&place, &found).expect("the temporary directory can be written");
        let first = found.lines().zip(kept.lines()).find(|(found, kept)| found != kept);
        panic!("not as kept, first: {first:#?}; all of it is in {}", place.display());
    }
}
