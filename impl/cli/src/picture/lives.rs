//! The life of each acquire, from its beginning to the end of its hold, out of a history's events.
//!
//! What this file must not do: find anything wrong. A faulty lock's lives are drawn as they were told.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use lockspace_history::{Call, CallId, Done, Event, NotDone, Return, What};
use lockspace_spec::{FencingToken, Loss, Refusal};

/// The events that are drawn, and the lives that they belong to.
pub(super) struct Scene<'h> {
    /// The drawn events, with their places in the history.
    pub(super) shown: Vec<(usize, &'h Event)>,
    pub(super) lives: Vec<Life>,
    pub(super) names: Vec<Arc<str>>,
    /// The acquire behind each call, by its place in `lives`.
    pub(super) of_call: HashMap<CallId, usize>,
}

/// A moment: the row of an event, or `None` before the first row.
pub(super) type When = Option<usize>;

/// An acquire and what became of it.
pub(super) struct Life {
    pub(super) call: CallId,
    pub(super) process: u64,
    /// Which of the scene's names.
    pub(super) name: usize,
    pub(super) begun: When,
    pub(super) queued: Option<When>,
    pub(super) granted: Option<(When, Option<FencingToken>)>,
    /// When its holder began to release it.
    pub(super) leaving: Option<When>,
    pub(super) end: Option<(When, Ending)>,
}

/// How a life ended, as far as its caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Released,
    Refused(Refusal),
    RuledOut,
    Cancelled,
    Lost(Loss),
    NotHeld,
    Unknown,
}

impl Life {
    /// Whether it was over before the first row.
    fn is_past(&self) -> bool {
        matches!(self.end, Some((None, _)))
    }
}

impl<'h> Scene<'h> {
    /// The lives of `events` that belong to `names`, of which those from `first` on are drawn.
    pub(super) fn of(
        events: impl Iterator<Item = (usize, &'h Event)>,
        names: &[Arc<str>],
        first: usize,
    ) -> Self {
        let wanted: HashMap<&str, usize> =
            names.iter().enumerate().map(|(index, name)| (&**name, index)).collect();
        let mut scene = Self {
            shown: Vec::new(),
            lives: Vec::new(),
            names: names.into(),
            of_call: HashMap::new(),
        };
        let mut elsewhere = HashSet::new();
        for (place, event) in events {
            let drawn = place >= first;
            let row = drawn.then_some(scene.shown.len());
            if scene.take(event, row, &wanted, &mut elsewhere) && drawn {
                scene.shown.push((place, event));
            }
        }
        scene
    }

    /// Takes an event; answers whether it belongs here.
    fn take(
        &mut self,
        event: &Event,
        row: When,
        wanted: &HashMap<&str, usize>,
        elsewhere: &mut HashSet<CallId>,
    ) -> bool {
        match &event.what {
            What::Invoke(call, Call::Acquire { name, .. }) => match wanted.get(&**name) {
                Some(name) => self.begin(*call, event.process, *name, row),
                None => !elsewhere.insert(*call),
            },
            What::Invoke(call, Call::ForceRelease { name }) => {
                wanted.contains_key(&**name) || !elsewhere.insert(*call)
            }
            What::Invoke(call, about) => match request(about) {
                Some(request) if elsewhere.contains(&request) => !elsewhere.insert(*call),
                Some(request) => self.asked(*call, about, request, row),
                None => true,
            },
            What::Queued(call, _) if !elsewhere.contains(call) => {
                self.change(*call, |life| life.queued = Some(row))
            }
            What::Return(call, answer) if !elsewhere.contains(call) => {
                self.change(*call, |life| answered(life, *call, *answer, row));
                true
            }
            What::Lost(call, why) if !elsewhere.contains(call) => {
                self.change(*call, |life| end(life, row, Ending::Lost(*why)))
            }
            What::Queued(..) | What::Return(..) | What::Lost(..) => false,
            What::Closed | What::Rest => true,
        }
    }

    fn begin(&mut self, call: CallId, process: u64, name: usize, begun: When) -> bool {
        self.of_call.insert(call, self.lives.len());
        let (queued, granted, leaving, end) = (None, None, None, None);
        self.lives.push(Life { call, process, name, begun, queued, granted, leaving, end });
        true
    }

    fn asked(&mut self, call: CallId, about: &Call, request: CallId, row: When) -> bool {
        let Some(life) = self.of_call.get(&request).copied() else { return false };
        self.of_call.insert(call, life);
        self.change(request, |life| match about {
            Call::Cancel { .. } => end(life, row, Ending::Cancelled),
            Call::Release { .. } => life.leaving = life.leaving.or(Some(row)),
            _ => {}
        })
    }

    fn change(&mut self, call: CallId, how: impl FnOnce(&mut Life)) -> bool {
        if let Some(life) = self.of_call.get(&call) {
            how(&mut self.lives[*life]);
        }
        true
    }

    /// The lives that reach into the drawn rows.
    pub(super) fn drawn(&self) -> impl Iterator<Item = &Life> {
        self.lives.iter().filter(|life| !life.is_past())
    }
}

/// The acquire that a call is about.
pub(super) fn request(call: &Call) -> Option<CallId> {
    match call {
        Call::Cancel { request } | Call::Release { request } | Call::Renew { request } => {
            Some(*request)
        }
        Call::Acquire { .. } | Call::ForceRelease { .. } | Call::Shutdown { .. } => None,
    }
}

/// `call`, which is the acquire itself or is about it, was answered.
fn answered(life: &mut Life, call: CallId, answer: Return, row: When) {
    let own = call == life.call;
    match answer {
        Return::Done(Done::Granted(token)) => life.granted = life.granted.or(Some((row, token))),
        Return::Done(Done::Released(_)) => end(life, row, Ending::Released),
        Return::NotDone(NotDone::Refused(why)) => end(life, row, Ending::Refused(why)),
        Return::NotDone(NotDone::RuledOut) => end(life, row, Ending::RuledOut),
        Return::NotDone(NotDone::Lost(why)) => end(life, row, Ending::Lost(why)),
        Return::NotDone(NotDone::NotHeld) => end(life, row, Ending::NotHeld),
        Return::Unknown if own || life.leaving.is_some() => end(life, row, Ending::Unknown),
        Return::Unknown | Return::Done(Done::Cancelled | Done::Renewed | Done::Began) => {}
    }
}

/// The first end that is told is the one that is drawn.
fn end(life: &mut Life, row: When, ending: Ending) {
    life.end = life.end.or(Some((row, ending)));
}
