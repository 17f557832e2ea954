//! A lock whose operations take several steps: look, then act, then tidy up. Between two steps of one
//! client everybody else may do anything.
//!
//! What fails in the field is often written like this: a table of entries (or a row in a store),
//! found by one step and changed by the next. The algorithm here is a plain one of that kind, for one
//! name. An acquire finds the name's entry, or makes one, and notes what it saw; its next step takes
//! the entry or joins its queue. A release hands over; whoever leaves an entry then tidies up, and the
//! last one out removes it. A renewal looks whether it still holds, and writes. Holders write to a
//! resource behind the lock.
//!
//! Each second step has two things to go by: what was true *then*, when the operation looked, and what
//! is true *now*. The correct [`Algorithm`] goes by now (a compare-and-swap, a second look under the
//! lock, a fencing token). A faulty one differs in one such decision.
//!
//! **Judgement.** Every state has an abstraction, a state of the specification; every step is an action
//! of it or is to change nothing there. The transition is then judged by S1 to S10, on the lockspace's
//! side and the clients' ([`World`](crate::world::World)). Four judgements are added, since more can be
//! seen here:
//!
//! - S2 by the *resource*: the tokens of the writes that it takes never go back. That is what tokens
//!   are for. (A late write before the successor's first one is taken: nobody can tell it from one in
//!   time.)
//! - S4 by the *callers*: nobody is answered who has dropped the acquire.
//! - L1 and L2: a client that asked for a limit, on its wait or on its hold, has a timer that sees to
//!   it. Where it has none, nothing that L1 or L2 counts on is possible, and so the lockspace may rest
//!   there for ever. That refutes progress. To *show* progress it would be too little; see
//!   [`progress`](crate::progress).
//!
//! Left out: forced releases and shutdowns, which the model of the [engine](crate::engine) has, and
//! limits.

mod judge;
mod state;
mod steps;
mod tell;

use lockspace_spec::{FencingToken, Lease, Wait};

use crate::machine::{Ids, Machine, Next};
use state::Stage;

pub use state::State;

/// The lock within bounds.
#[derive(Clone, Copy, Debug)]
pub struct Stepwise {
    /// How many clients there are.
    pub clients: u16,
    /// How many grants there may be: nobody begins to acquire once as many have been made or may be.
    pub grants: u64,
    /// What it decides.
    pub algorithm: Algorithm,
}

/// What an algorithm decides at the steps that act.
#[derive(Clone, Copy, Debug)]
pub struct Algorithm {
    /// Whether an acquire takes the entry that it has found: was it free, is it free?
    pub takes: fn(Seen) -> bool,
    /// What an acquire does that does not take it, ready to wait for so long.
    pub if_held: fn(Wait) -> IfHeld,
    /// Whether a grant with this lease arms a timer.
    pub arms: fn(Lease) -> bool,
    /// Whether a renewal writes: was it held, is it held?
    pub renews: fn(Seen) -> bool,
    /// What becomes of an acquire whose caller drops it.
    pub after_drop: fn(Dropped) -> AfterDrop,
    /// Whether whoever leaves an entry removes it from the table.
    pub removes: fn(Leaving) -> bool,
    /// Whether the resource, last written with the first token, takes a write with the second.
    pub admits: fn(FencingToken, FencingToken) -> bool,
}

/// Whether something was true when an operation looked, and whether it is true as it acts.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// When it looked.
    pub then: bool,
    /// As it acts.
    pub now: bool,
}

/// What an acquire does that does not take the entry.
#[derive(Clone, Copy, Debug)]
pub enum IfHeld {
    /// It is refused.
    Refused,
    /// It joins the queue.
    Queued {
        /// Whether a timer limits its wait.
        timed: bool,
    },
    /// It looks again in a while.
    LooksAgain,
}

/// What a caller drops.
#[derive(Clone, Copy, Debug)]
pub enum Dropped {
    /// An acquire that has looked and not yet acted, ready to wait for so long.
    UnderWay(Wait),
    /// A grant that was handed to a waiter and not yet seen by it.
    Unseen,
}

/// What becomes of what is dropped.
#[derive(Clone, Copy, Debug)]
pub enum AfterDrop {
    /// It ends, and its client tidies up.
    TidiesUp,
    /// It ends, and nobody tidies up.
    IsForgotten,
    /// It goes on without its caller.
    GoesOn,
}

/// What somebody who leaves an entry can go by.
#[derive(Clone, Copy, Debug)]
pub struct Leaving {
    /// Nobody else used the entry as its hold ended; nobody else uses it now. A user is whoever has
    /// found it and not left it, holders and waiters included.
    pub alone: Seen,
    /// Nobody holds the entry or waits for it now.
    pub free: bool,
}

impl Algorithm {
    /// The one that passes.
    pub const CORRECT: Self = Self {
        takes: |free| free.now,
        if_held: |wait| match wait {
            Wait::No => IfHeld::Refused,
            Wait::Bounded => IfHeld::Queued { timed: true },
            Wait::Unbounded => IfHeld::Queued { timed: false },
        },
        arms: |lease| lease == Lease::Bounded,
        renews: |held| held.now,
        after_drop: |_| AfterDrop::TidiesUp,
        removes: |leaving| leaving.alone.now,
        admits: |last, token| token >= last,
    };
}

/// One step of one client, or of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A client begins to acquire: it finds the entry, or makes one, and sees whether it is free.
    Find {
        /// Who.
        client: u16,
        /// How long it would wait.
        wait: Wait,
        /// How long it would hold.
        lease: Lease,
    },
    /// A client's acquire acts upon the entry that it has found.
    Lock(u16),
    /// A client's acquire is dropped: before it acted, while it waits, or granted and not yet seen.
    Drop(u16),
    /// A client sees that it was granted the name while it waited.
    See(u16),
    /// A client releases, in time or too late.
    Release(u16),
    /// A client that has left an entry tidies up.
    TidyUp(u16),
    /// A client's keep-alive begins to renew: it sees whether the lease is still held.
    Look(u16),
    /// A client's keep-alive writes the lease that it has looked at.
    Renew(u16),
    /// A client writes to the resource, with the token that it was granted.
    Write(u16),
    /// The wait timeout of a client ends.
    EndWait(u16),
    /// The lease of a token ends.
    EndLease(FencingToken),
}

impl Machine for Stepwise {
    type State = State;
    type Action = Step;
    type Key = State;

    fn initial(&self) -> State {
        State::new(self.clients)
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for client in 0..self.clients {
            self.client_steps(state, client, steps);
        }
        steps.extend(state.armed_leases().map(Step::EndLease));
    }

    fn next(&self, state: &State, scratch: &mut State, step: &Step, wanted: Ids) -> Next<State> {
        let (action, told) = scratch.take(&self.algorithm, *step);
        let judgement = judge::judge(state, *step, scratch, &action, &told, wanted);
        let next = judgement.next(|| scratch.clone());
        scratch.clone_from(state);
        next
    }

    fn pack(&self, state: &State) -> State {
        state.clone()
    }

    fn unpack(&self, key: &State) -> State {
        key.clone()
    }
}

impl Stepwise {
    fn client_steps(&self, state: &State, client: u16, steps: &mut Vec<Step>) {
        match state.stage(client) {
            Stage::Idle => {
                if state.may_be_granted() < self.grants {
                    for wait in [Wait::No, Wait::Bounded, Wait::Unbounded] {
                        for lease in [Lease::Unbounded, Lease::Bounded] {
                            steps.push(Step::Find { client, wait, lease });
                        }
                    }
                }
                if state.stale_token(client).is_some() {
                    steps.extend([Step::Release(client), Step::Write(client)]);
                }
            }
            Stage::Found { dropped: true, .. } => steps.push(Step::Lock(client)),
            Stage::Found { .. } => steps.extend([Step::Lock(client), Step::Drop(client)]),
            Stage::Waiting { .. } => steps.push(Step::Drop(client)),
            Stage::Granted { .. } => steps.extend([Step::See(client), Step::Drop(client)]),
            Stage::Inside { .. } => {
                steps.extend([Step::Release(client), Step::Write(client)]);
                if state.renewal(client).is_none() && state.holds_with_lease(client) {
                    steps.push(Step::Look(client));
                }
            }
            Stage::Leaving { .. } => steps.push(Step::TidyUp(client)),
        }
        if state.renewal(client).is_some() {
            steps.push(Step::Renew(client));
        }
        if state.wait_is_armed(client) {
            steps.push(Step::EndWait(client));
        }
    }
}
