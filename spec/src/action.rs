//! What can happen to a lockspace: [`Op`] is what clients and operators ask, [`Env`] is what the world
//! does. All nondeterminism of the protocol is in *which* action happens next; what it then does is a
//! function.

use crate::vocab::{FencingToken, Grace, Lease, Name, RequestId, Wait};

/// One event. See [`step`](crate::step()).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Somebody asks for something.
    Op(Op),
    /// A timer elapses.
    Env(Env),
}

/// What a client or an operator asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// Hold `name`, now or after waiting.
    Acquire {
        /// Who asks. Ignored if this request is still waiting or holding.
        request: RequestId,
        /// Which lock.
        name: Name,
        /// How long to wait for the grant.
        wait: Wait,
        /// How long the hold may last, counted from the grant.
        lease: Lease,
    },
    /// The caller dropped its acquire: while it waited, or after the grant and before it saw it.
    Cancel {
        /// The request to withdraw.
        request: RequestId,
    },
    /// The holder is done.
    Release {
        /// Who releases.
        request: RequestId,
        /// The token of the grant that it means.
        token: FencingToken,
    },
    /// The holder asks for its lease to start again.
    Renew {
        /// Who renews.
        request: RequestId,
        /// The token of the grant that it means.
        token: FencingToken,
    },
    /// An operator takes the name away from whoever holds it.
    ForceRelease {
        /// Which lock.
        name: Name,
    },
    /// End of service: refuse, answer the waiters, let holders finish for the grace, then revoke.
    Shutdown {
        /// How long holders may finish.
        grace: Grace,
    },
}

/// What the world does: time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Env {
    /// The wait timeout of `request` ends.
    WaitElapsed {
        /// The request that has waited long enough.
        request: RequestId,
    },
    /// The lease of the grant with `token` ends.
    LeaseElapsed {
        /// The token of the leased grant.
        token: FencingToken,
    },
    /// The grace of the shutdown ends.
    GraceElapsed,
}

impl From<Op> for Action {
    fn from(op: Op) -> Self {
        Self::Op(op)
    }
}

impl From<Env> for Action {
    fn from(env: Env) -> Self {
        Self::Env(env)
    }
}
