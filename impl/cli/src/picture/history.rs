//! A history as a score: a column for each name, a lane for each acquire under way, a row for each event.
//!
//! A long history is cut: to the name that the verdict is about, and to the events around its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockspace_history::{Call, Event, History, Verdict, What};

use super::lives::{Ending, Life, Scene, When};
use super::score::{Arrow, Bar, Column, Kind, Link, Mark, Place, Rail, Row, Score, Sign, Tone};
use super::words;

/// The most events on a picture: what a browser shows at once, and somebody can look through.
const EVENTS_MAX: usize = 500;

/// How many of them come after the event that is rejected.
const AFTER: usize = 40;

/// The most names, and the most acquires under way of one name.
const NAMES_MAX: usize = 12;
const LANES_MAX: usize = 24;

/// The score of a history, and what was left out of it.
pub(super) fn score(history: &History, verdict: &Verdict) -> (Score, Vec<String>) {
    let events = history.events();
    let rejected = match verdict {
        Verdict::Rejected(why) => Some(why.legal_prefix),
        Verdict::Accepted(_) | Verdict::Undecided(_) => None,
    };
    let (names, mut left_out) = names(events, verdict);
    let (first, end) = window(events, &names, rejected);
    let scene = Scene::of(events.iter().enumerate().take(end), &names, first);
    if scene.shown.len() < events.len() {
        let (shown, all) = (scene.shown.len(), events.len());
        left_out.insert(0, format!("{shown} of {all} events are drawn"));
    }
    let mut score = Score { timed: true, ..Score::default() };
    let wrong = scene.shown.iter().position(|(place, _)| Some(*place) == rejected);
    score.rail = match verdict {
        Verdict::Accepted(_) => Rail::Legal,
        Verdict::Rejected(_) => Rail::Until(wrong.unwrap_or(scene.shown.len())),
        Verdict::Undecided(_) => Rail::Undecided,
    };
    rows(&mut score, &scene, wrong);
    left_out.extend(columns(&mut score, &scene));
    if let Some(row) = wrong {
        let at = score.bars.iter().find(|bar| bar.from == Some(row) || bar.to == Some(row));
        let place = at.map(|bar| Place { lane: bar.lane, row });
        let title = "the event that is rejected".to_owned();
        score.marks.extend(place.map(|at| Mark { at, sign: Sign::Wrong, title }));
    }
    (score, left_out)
}

/// The names that are drawn, and what is said of the others.
fn names(events: &[Event], verdict: &Verdict) -> (Vec<Arc<str>>, Vec<String>) {
    let mut first: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
    for (index, event) in events.iter().enumerate() {
        if let What::Invoke(_, Call::Acquire { name, .. } | Call::ForceRelease { name }) =
            &event.what
        {
            first.entry(name).or_insert(index);
        }
    }
    let about: Vec<&Arc<str>> = match verdict {
        Verdict::Rejected(why) => why.name.iter().collect(),
        Verdict::Undecided(undecided) => undecided.names.iter().collect(),
        Verdict::Accepted(_) => Vec::new(),
    };
    let mut order: Vec<&Arc<str>> = first.keys().copied().collect();
    order.sort_by_key(|name| (!about.contains(name), first[name]));
    let all = order.len();
    let alone = events.len() > EVENTS_MAX && !about.is_empty();
    order.truncate(if alone { about.len().min(NAMES_MAX) } else { NAMES_MAX });
    let left_out = (order.len() < all).then(|| format!("{} of {all} names", order.len()));
    (order.into_iter().cloned().collect(), left_out.into_iter().collect())
}

/// The places in the history from which on and before which events are drawn.
fn window(events: &[Event], names: &[Arc<str>], rejected: Option<usize>) -> (usize, usize) {
    let all = Scene::of(events.iter().enumerate(), names, 0).shown;
    let about = rejected.and_then(|place| all.iter().position(|(at, _)| *at >= place));
    let end = about.map_or(EVENTS_MAX, |at| at + 1 + AFTER).max(EVENTS_MAX).min(all.len());
    let begin = end.saturating_sub(EVENTS_MAX);
    let place = |index: usize| all.get(index).map_or(events.len(), |(place, _)| *place);
    (place(begin), place(end))
}

fn rows(score: &mut Score, scene: &Scene<'_>, wrong: Option<usize>) {
    let zero = scene.shown.first().map_or(0, |(_, event)| event.at);
    for (index, (_, event)) in scene.shown.iter().enumerate() {
        let tone = match &event.what {
            _ if wrong == Some(index) => Tone::Wrong,
            What::Invoke(_, Call::Shutdown { .. }) | What::Closed | What::Rest => Tone::All,
            What::Invoke(..) => Tone::Does,
            What::Queued(..) | What::Return(..) | What::Lost(..) => Tone::Told,
        };
        let stamp = words::since(event.at - zero);
        score.rows.push(Row { stamp, words: words::event(scene, event), tone });
    }
}

/// Lays the lives out in lanes; answers what found no place.
fn columns(score: &mut Score, scene: &Scene<'_>) -> Vec<String> {
    let mut left_out = Vec::new();
    let processes: BTreeMap<u64, usize> = scene.drawn().map(|life| (life.process, 0)).collect();
    let processes: Vec<u64> = processes.into_keys().collect();
    for (index, name) in scene.names.iter().enumerate() {
        let first_lane = score.lanes_before(score.columns.len());
        let mut lives: Vec<&Life> = scene.drawn().filter(|life| life.name == index).collect();
        lives.sort_by_key(|life| life.begun);
        let (lanes, without) = lanes(&lives);
        let used = lanes.iter().flatten().max().map_or(1, |lane| lane + 1);
        score.columns.push(Column { title: words::short(name), lanes: used });
        let placed: Vec<(usize, &Life)> = lanes
            .iter()
            .zip(&lives)
            .filter_map(|(lane, life)| lane.map(|lane| (first_lane + lane, *life)))
            .collect();
        for (lane, life) in &placed {
            let hue = match processes.len() {
                0 | 1 => index,
                _ => processes.iter().position(|process| *process == life.process).unwrap_or(0),
            };
            draw(score, *lane, life, overtaken(life, &lives), hue);
        }
        hand_overs(score, &placed);
        if without > 0 {
            left_out.push(format!("{without} acquires of {} found no room", words::short(name)));
        }
    }
    left_out
}

/// A lane for each life, the first that is free; and how many found none.
fn lanes(lives: &[&Life]) -> (Vec<Option<usize>>, usize) {
    let mut ends: Vec<When> = Vec::new();
    let mut lanes = Vec::new();
    for life in lives {
        // A lane is free from the row after its last life's end.
        let free = ends.iter().position(|end| *end < life.begun);
        let end = life.end.map_or(Some(usize::MAX), |(end, _)| end);
        let lane = match free {
            Some(lane) => Some(lane),
            None if ends.len() < LANES_MAX => {
                ends.push(None);
                Some(ends.len() - 1)
            }
            None => None,
        };
        if let Some(lane) = lane {
            ends[lane] = end;
        }
        lanes.push(lane);
    }
    let without = lanes.iter().filter(|lane| lane.is_none()).count();
    (lanes, without)
}

/// The row in which somebody else was granted the name although this holder had not been told anything: if
/// it was told of a loss later, its hold had ended by then.
fn overtaken(life: &Life, others: &[&Life]) -> Option<usize> {
    let (granted, _) = life.granted?;
    let (told, _) = life.end.filter(|(_, end)| matches!(end, Ending::Lost(_) | Ending::NotHeld))?;
    let grants = others.iter().filter_map(|other| other.granted?.0);
    grants.filter(|row| Some(*row) > granted && Some(*row) < told).min()
}

fn draw(score: &mut Score, lane: usize, life: &Life, overtaken: Option<usize>, hue: usize) {
    let end = life.end.map(|(end, _)| end);
    // Whoever releases what it was told it had lost is not leaving any more.
    let leaving = life.leaving.filter(|leaving| end.is_none_or(|end| *leaving < end));
    let call = life.call.0;
    let mut bar = |kind, from: When, to: Option<When>, label: &str, title: String| {
        // Whole rows before the first one are not drawn.
        if to != Some(None) {
            let (to, label) = (to.flatten(), label.to_owned());
            score.bars.push(Bar { lane, from, to, kind, hue, label, title });
        }
    };
    let granted = life.granted.map(|(row, _)| row);
    let asked_until = life.queued.or(granted).or(end);
    bar(Kind::Asking, life.begun, asked_until, "", format!("call {call} asks"));
    if let Some(queued) = life.queued {
        bar(Kind::Waiting, queued, granted.or(end), "", format!("call {call} waits"));
    }
    if let Some((row, token)) = life.granted {
        let token = token.map(|token| token.to_string()).unwrap_or_default();
        let title = match &*token {
            "" => format!("call {call} holds"),
            token => format!("call {call} holds, with token {token}"),
        };
        let over = overtaken.map(Some);
        bar(Kind::Holding, row, over.or(leaving).or(end), &token, title);
        if let Some(over) = over {
            bar(Kind::Stale, over, end, "", format!("call {call} has lost it, and does not know"));
        } else if let Some(leaving) = leaving {
            bar(Kind::Leaving, leaving, end, "", format!("call {call} is releasing"));
        }
    }
    if let Some((Some(row), ending)) = life.end {
        let sign = match ending {
            Ending::Released => return,
            Ending::Refused(_) | Ending::RuledOut => Sign::Refused,
            Ending::Cancelled => Sign::Cancelled,
            Ending::Lost(_) | Ending::NotHeld => Sign::Lost,
            Ending::Unknown => Sign::Unknown,
        };
        let title = format!("call {call}: {}", words::ending(ending));
        score.marks.push(Mark { at: Place { lane, row }, sign, title });
    }
}

/// An arrow from each hold's end to the hold that follows, if that one had been asked for by then. Who holds
/// on and was told of no loss has handed nothing over.
fn hand_overs(score: &mut Score, placed: &[(usize, &Life)]) {
    let mut holds: Vec<(usize, usize, &Life)> =
        placed.iter().filter_map(|(lane, life)| Some((life.granted?.0?, *lane, *life))).collect();
    holds.sort_by_key(|(row, ..)| *row);
    for pair in holds.windows(2) {
        let ((_, lane, before), (row, next_lane, next)) = (pair[0], pair[1]);
        let Some((end, ending)) = before.end else { continue };
        let given = before.leaving.or(Some(end)).flatten().unwrap_or(row);
        let lost = matches!(ending, Ending::Lost(_) | Ending::NotHeld);
        if given > row && !lost {
            continue;
        }
        let given = given.min(row);
        if next.begun < Some(given) && lane != next_lane {
            let (from, to) = (Place { lane, row: given }, Place { lane: next_lane, row });
            score.links.push(Link { from, to, kind: Arrow::HandOver });
        }
    }
}
