//! A history's events in words.

use lockspace_history::{Call, CallId, Done, Event, NotDone, Return, What};
use lockspace_spec::{Grace, Lease, Loss, Refusal, Wait};

use super::lives::{Ending, Scene, request};

/// The most characters of a name that are shown.
const NAME_MAX: usize = 24;

/// A name, in quotes and not too long. What is not seen in it is shown by its number.
pub(super) fn short(name: &str) -> String {
    let mut cut: String = name.chars().take(NAME_MAX).collect();
    if cut.len() < name.len() {
        cut.pop();
        cut.push('…');
    }
    format!("{cut:?}")
}

/// Nanoseconds as people read them.
pub(super) fn since(nanoseconds: u64) -> String {
    let number = nanoseconds as f64;
    match nanoseconds {
        0..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => format!("{:.1} µs", number / 1e3),
        1_000_000..1_000_000_000 => format!("{:.3} ms", number / 1e6),
        _ => format!("{:.3} s", number / 1e9),
    }
}

/// What an event says.
pub(super) fn event(scene: &Scene<'_>, event: &Event) -> String {
    match &event.what {
        What::Invoke(CallId(call), what) => format!("call {call} {}", asks(scene, what)),
        What::Queued(CallId(call), ticket) => format!("call {call} queues, ticket {}", ticket.0),
        What::Return(call, answer) => format!("call {} {}", call.0, answered(*answer)),
        What::Lost(CallId(call), why) => format!("call {call} is told: {}", loss(*why)),
        What::Closed => "closed".to_owned(),
        What::Rest => "at rest: nothing moves any more".to_owned(),
    }
}

fn asks(scene: &Scene<'_>, call: &Call) -> String {
    let about = request(call).map(|id| id.0).unwrap_or_default();
    let name = |id: Option<CallId>| {
        let life = id.and_then(|id| scene.of_call.get(&id));
        life.map_or(String::new(), |life| {
            format!(" of {}", short(&scene.names[scene.lives[*life].name]))
        })
    };
    let of = name(request(call));
    match call {
        Call::Acquire { name, wait, lease } => {
            let wait = match wait {
                Wait::No => ", would not wait",
                Wait::Bounded => ", with a wait timeout",
                Wait::Unbounded => "",
            };
            let lease = if *lease == Lease::Bounded { ", leased" } else { "" };
            format!("acquires {}{wait}{lease}", short(name))
        }
        Call::Cancel { .. } => format!("cancels call {about}{of}"),
        Call::Release { .. } => format!("releases call {about}{of}"),
        Call::Renew { .. } => format!("renews call {about}{of}"),
        Call::ForceRelease { name } => format!("forces the release of {}", short(name)),
        Call::Shutdown { grace: Grace::No } => "shuts down, without grace".to_owned(),
        Call::Shutdown { grace: Grace::Bounded } => "shuts down, with a grace".to_owned(),
    }
}

fn answered(answer: Return) -> String {
    let words = match answer {
        Return::Unknown => "has no answer: it may have happened",
        Return::Done(Done::Granted(Some(token))) => return format!("is granted, token {token}"),
        Return::Done(Done::Granted(None)) => "is granted",
        Return::Done(Done::Cancelled) => "is cancelled",
        Return::Done(Done::Released(_)) => "has released",
        Return::Done(Done::Renewed) => "has renewed",
        Return::Done(Done::Began) => "has begun the shutdown",
        Return::NotDone(NotDone::Refused(why)) => return format!("is refused: {}", refusal(why)),
        Return::NotDone(NotDone::RuledOut) => "is ruled out",
        Return::NotDone(NotDone::NotHeld) => "is told: not held",
        Return::NotDone(NotDone::Lost(why)) => return format!("is told: {}", loss(why)),
    };
    words.to_owned()
}

/// How a life ended.
pub(super) fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Released => "released",
        Ending::Refused(why) => refusal(why),
        Ending::RuledOut => "ruled out",
        Ending::Cancelled => "cancelled",
        Ending::Lost(why) => loss(why),
        Ending::NotHeld => "not held",
        Ending::Unknown => "nobody knows",
    }
}

fn refusal(why: Refusal) -> &'static str {
    match why {
        Refusal::Busy => "busy",
        Refusal::TimedOut => "timed out",
        Refusal::ShuttingDown => "shutting down",
        Refusal::AtCapacity => "at capacity",
    }
}

fn loss(why: Loss) -> &'static str {
    match why {
        Loss::LeaseElapsed => "lost, its lease ended",
        Loss::Forced => "lost, it was forced",
        Loss::Shutdown => "lost, a shutdown revoked it",
    }
}
