//! What a swap of a name's row is in the specification: a few of its actions, one after the other, or
//! nothing.
//!
//! A row says what the specification's state says of the name: its holder, who waits, and the token. Each
//! hold has a lease, the life of its session. A swap takes claims out and may put one in; so it is
//! the cancels of those that waited, then the end of the hold (a release, an operator's order, or the end
//! of the lease), then an acquire. The result must be what stands in the row, and each of the actions is
//! judged by every safety property of the specification.
//!
//! The specification's tokens are consecutive; versions are not, since other rows draw from the same
//! numbers. Before each swap its next token is therefore raised to the version of the swap. That only skips
//! tokens, which S2 allows.

use std::collections::VecDeque;

use lockspace::store::Version;
use lockspace::store::record::{Claim, Record};
use lockspace_spec::{
    Action, Env, FencingToken, Hold, Lease, Limits, Name as SpecName, Op, RequestId, SAFETY,
    State as Spec, Timer, Transition, Wait, Waiter, step,
};

use super::world::{Name, Slot, Swapped, What, World, slot_of};
use crate::breakable::breaking;
use crate::machine::Ids;

/// The properties that a swap breaks. `before` is the world before it.
pub(super) fn judge(before: &World, swapped: &Swapped) -> Ids {
    let What::Name(of, row, new) = &swapped.what else {
        return Ids::NONE;
    };
    let version = new.as_ref().map_or(Version(before.store.last.0 + 1), |(version, _)| *version);
    let mut broken = Ids::NONE;
    let mut spec = Spec::new(Limits::UNLIMITED);
    enter(&mut spec, *of, row.as_ref(), before);
    spec.next_token = version.into();
    let mut take = |action: Action, broken: &mut Ids| {
        let (after, outcomes) = step(&spec, &action);
        let transition =
            Transition { before: &spec, action: &action, outcomes: &outcomes, after: &after };
        for (index, property) in SAFETY.iter().enumerate() {
            if !(property.holds)(&transition) {
                broken.insert(index);
            }
        }
        spec = after;
    };
    let line = |row: &Option<(Version, Record)>| -> Vec<Claim> {
        row.as_ref().map(|(_, record)| record.line().collect()).unwrap_or_default()
    };
    let (claims, new_claims) = (line(row), line(new));
    let request = |claim: &Claim| request(before, slot_of(claim.session), *of);
    for claim in claims.iter().skip(1) {
        if !new_claims.contains(claim) {
            if !may_end(before, swapped.by, claim) {
                broken = broken.union(breaking("S8"));
            }
            take(Op::Cancel { request: request(claim) }.into(), &mut broken);
        }
    }
    if let Some((version, record)) = row
        && !new_claims.contains(&record.holder)
    {
        let (claim, token) = (record.holder, record.token_at(*version));
        if !may_end(before, swapped.by, &claim) {
            broken = broken.union(breaking("S8"));
        }
        let request = request(&claim);
        let action: Action = match swapped.by {
            None => Op::ForceRelease { name: SpecName(*of as u16) }.into(),
            Some(by) if by == slot_of(claim.session) => Op::Release { request, token }.into(),
            Some(_) => Env::LeaseElapsed { token }.into(),
        };
        take(action, &mut broken);
    }
    for claim in new_claims.iter().filter(|claim| !claims.contains(claim)) {
        let (request, name) = (request(claim), SpecName(*of as u16));
        let (wait, lease) = (Wait::Unbounded, Lease::Bounded);
        take(Op::Acquire { request, name, wait, lease }.into(), &mut broken);
    }
    let mut expected = Spec::new(Limits::UNLIMITED);
    enter(&mut expected, *of, new.as_ref(), before);
    spec.next_token = expected.next_token;
    if spec != expected {
        broken = broken.union(breaking("S3")).union(breaking("S4"));
    }
    broken
}

/// Whether whoever swaps may end this claim: its own session, an operator, or anybody if the claim's
/// session has no row any more.
fn may_end(before: &World, by: Option<Slot>, claim: &Claim) -> bool {
    let of = slot_of(claim.session);
    by.is_none_or(|by| by == of) || before.store.sessions[of].is_none()
}

fn request(world: &World, slot: Slot, of: Name) -> RequestId {
    RequestId((slot * world.store.names.len() + of) as u16)
}

/// Writes what a row says into a state of the specification.
fn enter(spec: &mut Spec, of: Name, row: Option<&(Version, Record)>, world: &World) {
    let Some((version, record)) = row else { return };
    let name = SpecName(of as u16);
    let request = |claim: &Claim| request(world, slot_of(claim.session), of);
    let token: FencingToken = record.token_at(*version);
    let lease = Lease::Bounded;
    spec.holds.insert(token, Hold { request: request(&record.holder), name, lease });
    spec.timers.insert(Timer::Lease(token));
    let waiter = |claim: &Claim| Waiter { request: request(claim), timed: false, lease };
    spec.entries.insert(name, record.queue.iter().map(waiter).collect::<VecDeque<_>>());
}
