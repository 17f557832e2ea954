//! What an action answers, and to whom. One action may answer several requests: a release tells its
//! holder `Released` and the next waiter `Granted`.

use alloc::vec::Vec;

use crate::vocab::{FencingToken, Loss, Refusal, RequestId};

/// Everything that one action answers, in the order in which it is decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes(Vec<Answer>);

/// One outcome and who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who is told.
    pub to: Addressee,
    /// What they are told.
    pub outcome: Outcome,
}

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// The client behind a request.
    Request(RequestId),
    /// Whoever forces a release or shuts down.
    Operator,
}

/// What somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// You hold the name, and this is your token. Final answer to an acquire.
    Granted(FencingToken),
    /// You wait, with so many waiters before you. Not final.
    Queued {
        /// How many waiters are before you; the holder is not counted.
        ahead: usize,
    },
    /// You do not get the name. Final answer to an acquire.
    Refused(Refusal),
    /// You no longer wait, as you asked. Final answer to an acquire.
    Cancelled,
    /// Your hold has ended as you asked (for an operator: the name was taken from its holder).
    Released,
    /// Your lease, if you have one, has started again.
    Renewed,
    /// Your hold has ended although you did not release it.
    Lost(Loss),
    /// There is no such hold or wait; nothing was changed.
    NotHeld,
    /// The lockspace is closed: quiescent for good.
    Closed,
}

impl Outcome {
    /// Whether this is the final answer to an acquire (property S4).
    #[must_use]
    pub const fn answers_acquire(self) -> bool {
        matches!(self, Self::Granted(_) | Self::Refused(_) | Self::Cancelled)
    }

    /// Whether this ends a grant (property S4).
    #[must_use]
    pub const fn ends_grant(self) -> bool {
        matches!(self, Self::Released | Self::Lost(_))
    }
}

impl Outcomes {
    /// All answers, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Answer> + Clone {
        self.0.iter()
    }

    /// Whether nobody is told anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The last thing that `request` is told, if anything.
    #[must_use]
    pub fn of(&self, request: RequestId) -> Option<Outcome> {
        self.to(Addressee::Request(request)).last()
    }

    /// Everything that `to` is told.
    pub fn to(&self, to: Addressee) -> impl Iterator<Item = Outcome> {
        self.0.iter().filter(move |answer| answer.to == to).map(|answer| answer.outcome)
    }

    /// Whether anybody is told `outcome`.
    #[must_use]
    pub fn contains(&self, outcome: Outcome) -> bool {
        self.0.iter().any(|answer| answer.outcome == outcome)
    }

    /// Adds that `request` is told `outcome`.
    pub fn tell(&mut self, request: RequestId, outcome: Outcome) {
        self.0.push(Answer { to: Addressee::Request(request), outcome });
    }

    /// Adds that the operator is told `outcome`.
    pub fn tell_operator(&mut self, outcome: Outcome) {
        self.0.push(Answer { to: Addressee::Operator, outcome });
    }
}
