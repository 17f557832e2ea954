//! What a transition breaks. What it does to the row of a name is judged by [`refine`](super::refine); here
//! is what the specification does not know: what sessions believe, and that they die.
//!
//! What the properties mean over a store, as far as they are judged here:
//!
//! - **S1**: no two sessions believe to hold a name at the same time. A holder from whom an operator took
//!   the name does not count until it has heard of it: that is what forcing means.
//! - **S2**: the tokens of a name grow over the life of the store, and the resource behind the lock never
//!   refuses the holder that stands in the store.
//! - **S5**: a session that lives has no claim in a row that it has forgotten, unless a call that it
//!   waits for no more was done late.
//! - **S8**: a session that was removed stays dead.
//! - **S9**: a session that closes is granted nothing.
//! - **L2**: a holder that died is out of the way of everyone who waits after a stated number of ticks since
//!   that one began to wait, or since the last death, if everybody does at each of them what it should.

use lockspace::store::member::{Member, News};
use lockspace::store::record::Claim;
use lockspace::store::session::Life;

use super::world::{Action, Name, Slot, Swapped, Told, What, World, name, slot_of};
use super::{Cluster, Network, refine};
use crate::breakable::breaking;
use crate::machine::Ids;

impl Cluster {
    /// What the transition from `before` to `after` breaks; and `after` remembers what the next ones are
    /// judged by.
    pub(super) fn judge(
        &self,
        before: &World,
        action: Action,
        told: &Told,
        after: &mut World,
    ) -> Ids {
        let mut broken = Ids::NONE;
        let mut demand = |id: &str, holds: bool| {
            if !holds {
                broken = broken.union(breaking(id));
            }
        };
        for of in 0..self.names {
            let believers = (0..self.sessions).filter(|slot| after.believes(*slot, of).is_some());
            demand("S1", !self.design.excludes || believers.count() <= 1);
            demand("S2", remember_token(after, of));
            demand("L2", self.remember_the_dead(after, of, action));
        }
        if let Action::Write(slot, of) = action {
            demand("S2", told.taken != Some(false) || !holds_in_store(after, slot, of));
        }
        for (slot, news) in &told.news {
            let closing = before.member(*slot).is_some_and(|member| member.closing);
            let grants = matches!(news, News::Granted(..));
            demand("S9", !grants || !(closing || action == Action::Close(*slot)));
        }
        demand("S5", self.may_be_late() || no_claim_is_forgotten(after));
        if !told.swaps.is_empty() {
            broken = broken.union(judge_swaps(before.clone(), &told.swaps));
        }
        broken
    }

    /// Whether a call may be done of which nobody knows any more.
    fn may_be_late(&self) -> bool {
        matches!(self.network, Network::Late { given_up: 1.., .. })
    }

    /// L2: counts for how long each live session has waited for a dead holder, and nobody died.
    fn remember_the_dead(&self, world: &mut World, of: Name, action: Action) -> bool {
        let Some(most) = self.takeover else { return true };
        let mut in_time = true;
        for slot in 0..self.sessions {
            let waits = waits_for_the_dead(world, slot, of);
            let ticks = &mut world.slots[slot].users[of].behind_the_dead;
            *ticks = match action {
                _ if !waits => 0,
                // What dies now is out of the way later.
                Action::Crash(_) => 0,
                Action::Tick(_) => *ticks + 1,
                _ => *ticks,
            };
            in_time &= *ticks < most;
        }
        in_time
    }
}

/// Judges the swaps of one action, one after the other.
fn judge_swaps(mut at: World, swaps: &[Swapped]) -> Ids {
    let mut broken = Ids::NONE;
    for swapped in swaps {
        broken = broken.union(refine::judge(&at, swapped));
        at.store.last.0 += 1;
        match &swapped.what {
            What::Name(of, _, row) => at.store.names[*of] = row.clone(),
            What::Session(slot, was_there, is_there) => {
                if !was_there && *is_there && at.store.removed[*slot] {
                    broken = broken.union(breaking("S8"));
                }
                at.store.removed[*slot] |= !is_there;
                // Which version it has makes no difference to the judgement of a name.
                let row = at.slots.iter().find_map(|seat| seat.member.as_ref());
                let row = row.map(|member| (at.store.last, member.session.record.clone()));
                at.store.sessions[*slot] = row.filter(|_| *is_there);
            }
        }
    }
    broken
}

/// S2: the token in the row of a name is the greatest that it ever had.
fn remember_token(world: &mut World, of: Name) -> bool {
    let Some((version, record)) = &world.store.names[of] else { return true };
    let (token, greatest) = (record.token_at(*version), &mut world.names[of].greatest);
    let grows = greatest.is_none_or(|greatest| token >= greatest);
    *greatest = Some(token);
    grows
}

/// Whether the hold whose token a slot's users have is the one that stands in the store.
fn holds_in_store(world: &World, slot: Slot, of: Name) -> bool {
    let row = world.store.names[of].as_ref();
    let token = row.map(|(version, record)| record.token_at(*version));
    token.is_some() && token == world.slots[slot].users[of].guard
}

/// S5: every claim of a session that lives is one that it has to do with.
fn no_claim_is_forgotten(world: &World) -> bool {
    let rows = world.store.names.iter().enumerate();
    let claims = rows.filter_map(|(of, row)| row.as_ref().map(|row| (of, row)));
    let forgotten = |of: Name, claim: Claim| {
        let seat = &world.slots[slot_of(claim.session)];
        let lives = |member: &&Member| member.session.life == Life::Alive;
        let member = seat.member.as_ref().filter(lives);
        member.is_some_and(|member| !member.names.contains_key(&name(of)))
    };
    let mut claims =
        claims.flat_map(|(of, (_, record))| record.line().map(move |claim| (of, claim)));
    !claims.any(|(of, claim)| forgotten(of, claim))
}

/// Whether a session lives and waits for the name, whose holder is dead.
fn waits_for_the_dead(world: &World, slot: Slot, of: Name) -> bool {
    let Some((_, record)) = &world.store.names[of] else { return false };
    let lives = world.member(slot).is_some_and(|member| member.session.life == Life::Alive);
    let waits = record.queue.iter().any(|claim| slot_of(claim.session) == slot);
    lives && waits && world.member(slot_of(record.holder.session)).is_none()
}
