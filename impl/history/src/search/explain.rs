//! Why there is no order, in words: what was seen, and where the specification was by then.
//!
//! What this file must not do: decide anything. If it knows no better it says what it sees.

use std::collections::BTreeSet;

use lockspace_spec::history::{Done, NotDone, Return};
use lockspace_spec::{Loss, Phase, Refusal};

use super::config::{Config, Place};
use super::plan::{Act, Fate, Moment};
use crate::calls::Finding;

/// Says why none of these configurations comes to allow this moment.
pub(super) fn finding(
    place: &Place<'_>,
    before: &BTreeSet<Config>,
    event: usize,
    moment: Moment,
) -> Finding {
    let config = before.first().expect("a legal beginning leaves a configuration");
    let (property, what) = Scene { place, config }.explain(moment);
    let scene = Scene { place, config }.describe();
    let reason = format!("{what}; {scene}");
    Finding { event, property, name: None, reason }
}

type Reason = (Option<&'static str>, String);

/// One configuration, to be looked at.
struct Scene<'p> {
    place: &'p Place<'p>,
    config: &'p Config,
}

impl Scene<'_> {
    fn call(&self, op: u32) -> u64 {
        self.place.plan.ops[op as usize].call
    }

    fn holder(&self) -> Option<u32> {
        let hold = self.config.state.holds.values().next()?;
        Some(self.place.owners[hold.request.0 as usize])
    }

    fn waiters(&self) -> impl Iterator<Item = u32> {
        let waiters = self.config.state.waiters();
        waiters.map(|waiter| self.place.owners[waiter.request.0 as usize])
    }

    /// Where the specification was.
    fn describe(&self) -> String {
        let holder = match self.holder() {
            Some(holder) => format!("call {} holds the name", self.call(holder)),
            None => "the name is free".to_owned(),
        };
        let waiting: Vec<String> = self.waiters().map(|op| self.call(op).to_string()).collect();
        let waiting = match waiting.len() {
            0 => String::new(),
            1..=10 => format!(", waiting: {}", waiting.join(", ")),
            more => format!(", {more} wait, {} first", waiting[0]),
        };
        let phase = match self.config.state.phase {
            Phase::Open => "",
            Phase::Draining => ", it shuts down",
            Phase::Closed => ", it is closed",
        };
        format!("before it, {holder}{waiting}{phase}")
    }

    fn explain(&self, moment: Moment) -> Reason {
        match moment {
            Moment::Invoke(op) => (None, format!("call {} cannot begin", self.call(op))),
            Moment::Queued(op) if self.holder().is_none() => {
                (Some("S7"), format!("call {} queued although the name was free", self.call(op)))
            }
            Moment::Queued(op) => (Some("S3"), format!("call {} cannot queue here", self.call(op))),
            Moment::Return(op) => self.explain_return(op),
            Moment::Lost(op, why) => self.explain_loss(op, why),
            Moment::Begun => (Some("S9"), "it is shutting down although nobody asked".to_owned()),
            Moment::Closed => (Some("S9"), "it is closed although it cannot be".to_owned()),
            Moment::Rest => self.explain_rest(),
        }
    }

    fn explain_return(&self, op: u32) -> Reason {
        let row = &self.place.plan.ops[op as usize];
        let call = row.call;
        match (row.act, row.answer) {
            (_, Some(Return::Done(Done::Granted(_)))) => self.explain_grant(op),
            (_, Some(Return::NotDone(NotDone::Refused(refusal)))) => {
                let property = match refusal {
                    Refusal::ShuttingDown => Some("S9"),
                    Refusal::AtCapacity => Some("S10"),
                    Refusal::Busy | Refusal::TimedOut => None,
                };
                (property, format!("call {call} was refused as {refusal:?} without cause"))
            }
            (Act::Release, Some(Return::Done(_))) => {
                let what = format!(
                    "call {call} released what call {} did not hold any more",
                    self.call(row.request)
                );
                (Some("S8"), what)
            }
            (Act::Renew, Some(Return::Done(_))) => {
                let what = format!(
                    "call {call} renewed what call {} did not hold any more",
                    self.call(row.request)
                );
                (Some("S8"), what)
            }
            (Act::Release | Act::Renew, Some(Return::NotDone(NotDone::Lost(why)))) => {
                self.explain_loss(row.request, why)
            }
            (Act::Release | Act::Renew, _) => {
                (Some("S4"), format!("call {call} was told that it holds nothing, although it did"))
            }
            (Act::ForceRelease, Some(Return::Done(_))) => {
                (Some("S8"), format!("call {call} took the name from one who did not hold it"))
            }
            (Act::ForceRelease, _) => {
                (None, format!("call {call} was told that nobody held the name"))
            }
            _ => (None, format!("call {call} was answered, and cannot have happened")),
        }
    }

    fn explain_grant(&self, op: u32) -> Reason {
        let call = self.call(op);
        if self.config.state.phase != Phase::Open {
            return (Some("S9"), format!("call {call} was granted after shutdown began"));
        }
        let ahead = self.waiters().next().filter(|first| *first != op);
        let unseen = self
            .holder()
            .filter(|holder| self.place.plan.ops[*holder as usize].acquire.fate != Fate::Granted);
        match (unseen, ahead, self.holder()) {
            (Some(next), ..) => {
                let what = format!(
                    "call {call} was granted, and it was the turn of call {}",
                    self.call(next)
                );
                (Some("S3"), what)
            }
            (None, Some(first), _) => {
                (Some("S3"), format!("call {call} overtook call {}", self.call(first)))
            }
            (None, None, Some(holder)) => {
                let what = format!(
                    "call {call} was granted while call {} held the name",
                    self.call(holder)
                );
                (Some("S1"), what)
            }
            (None, None, None) => (None, format!("call {call} cannot have been granted")),
        }
    }

    fn explain_loss(&self, request: u32, why: Loss) -> Reason {
        let why = match why {
            Loss::LeaseElapsed => "its lease ended",
            Loss::Forced => "it was forced",
            Loss::Shutdown => "a shutdown revoked it",
        };
        let what = format!(
            "call {} was told that it had lost the name because {why}, which cannot be",
            self.call(request)
        );
        (Some("S4"), what)
    }

    fn explain_rest(&self) -> Reason {
        match self.place.forgotten(self.config) {
            Some(op) => {
                let what = format!(
                    "call {} was never answered, and has nobody to wait for",
                    self.call(op)
                );
                (Some("S7"), what)
            }
            None => (Some("S4"), "something was never answered".to_owned()),
        }
    }
}
