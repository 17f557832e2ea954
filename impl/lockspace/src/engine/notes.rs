//! What is noted of a wait or a hold where a user asked for it: its label, when it began, whose it is.
//!
//! Notes are kept beside waiters and entries, in maps that are empty unless somebody asked, so that nobody
//! else pays. A note goes with its wait to the hold that ends it, and is gone with the hold. Where
//! deadlocks are looked for, whoever is noted stands in the [wait-for graph](super::wait_for) as well.
//!
//! What this file must not do: decide anything.

use super::HoldKey;
use super::common::Common;
use super::table::Table;
use super::wait_for::Held;
use crate::clock::Tick;
use crate::runtime::Owner;

/// What is noted.
#[derive(Debug, Default, Clone)]
pub(super) struct Detail {
    pub(super) label: Option<Box<str>>,
    pub(super) since: Option<Tick>,
    pub(super) owner: Option<Owner>,
}

impl Table {
    /// A wait has ended with an answer: it is measured, if it was timed, and what was noted of it is noted
    /// of the hold from now on, if there is one.
    #[inline]
    pub(super) fn end_wait(&mut self, common: &Common, slot: u32) -> Option<Detail> {
        if self.wait_details.is_empty() { None } else { self.end_noted_wait(common, slot) }
    }

    #[cold]
    fn end_noted_wait(&mut self, common: &Common, slot: u32) -> Option<Detail> {
        let mut detail = self.forget_wait(common, slot)?;
        if let Some(since) = &mut detail.since {
            let now = common.clock.now();
            self.counters.wait.get_or_insert_default().record(now.since(*since));
            *since = now;
        }
        Some(detail)
    }

    /// Nothing is noted of a wait any more, and its owner waits for nobody on its account.
    pub(super) fn forget_wait(&mut self, common: &Common, slot: u32) -> Option<Detail> {
        let detail = self.wait_details.remove(&slot)?;
        if let (Some(wait_for), Some(owner)) = (&common.wait_for, detail.owner) {
            let spot = self.spot(common, self.waiters[slot].entry);
            wait_for.lock().end_wait(owner, spot);
        }
        Some(detail)
    }

    #[cold]
    pub(super) fn note_hold(&mut self, common: &Common, hold: HoldKey, detail: Detail) {
        if let (Some(wait_for), Some(owner)) = (&common.wait_for, detail.owner) {
            let (name, label) = (self.entries[hold.entry].name.clone(), detail.label.clone());
            let spot = self.spot(common, hold.entry);
            wait_for.lock().hold(spot, Held { owner, name, label });
        }
        self.hold_details.insert(hold.token.0, detail);
    }

    #[cold]
    pub(super) fn end_noted_hold(&mut self, common: &Common, token: u64, entry: u32) {
        let Some(detail) = self.hold_details.remove(&token) else { return };
        if let (Some(wait_for), Some(_)) = (&common.wait_for, detail.owner) {
            wait_for.lock().end_hold(self.spot(common, entry));
        }
        if let Some(since) = detail.since {
            self.counters.hold.get_or_insert_default().record(common.clock.now().since(since));
        }
    }

    /// A guard that changes hands is no task's or thread's any more: nobody waits for itself on its
    /// account. An owner that was named stays its owner, wherever it goes.
    pub(super) fn disown(&mut self, common: &Common, hold: HoldKey) {
        let Some(detail) = self.hold_details.get_mut(&hold.token.0) else { return };
        if detail.owner.is_some_and(|owner| owner.id().is_none()) {
            detail.owner = None;
            if let Some(wait_for) = &common.wait_for {
                wait_for.lock().end_hold(self.spot(common, hold.entry));
            }
        }
    }

    /// Whose a hold is, as far as anybody has said.
    pub(super) fn owner(&self, token: u64) -> Option<Owner> {
        self.hold_details.get(&token).and_then(|detail| detail.owner)
    }
}
