//! Tells what happened in plain English, so that a failure can be read.

use std::fmt::{self, Write};

use lockspace_spec::{Addressee, Answer, Loss, Outcome, Outcomes, Refusal, RequestId};

use crate::subject::{Move, Ms};

/// The moves made so far, each with what the specification answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    steps: Vec<String>,
}

impl Story {
    /// Begins a step: at this time, somebody moves.
    pub(crate) fn begin(&mut self, now: Ms, what: &Move) {
        let number = self.steps.len() + 1;
        self.steps.push(format!("{number:>4}. {now:>6} ms  {}", Told(what)));
    }

    /// Adds what the specification answers.
    pub(crate) fn answers(&mut self, outcomes: &Outcomes) {
        let Some(step) = self.steps.last_mut() else {
            return;
        };
        for (index, answer) in outcomes.iter().enumerate() {
            let before = if index == 0 { "\n                 -> " } else { "; " };
            write!(step, "{before}{}", Told(answer)).expect("a string takes everything");
        }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.steps.join("\n"))
    }
}

/// Something told in words.
struct Told<T>(T);

impl fmt::Display for Told<&Move> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |request: RequestId| format!("request {}", request.0);
        match *self.0 {
            Move::Ask { request, name, wait, lease, owner } => {
                write!(f, "{} asks for name {}", who(request), name.0)?;
                match wait {
                    Some(0) => f.write_str(", without waiting")?,
                    Some(wait) => write!(f, ", to wait at most {wait} ms")?,
                    None => {}
                }
                if let Some(lease) = lease {
                    write!(f, ", with a lease of {lease} ms")?;
                }
                owner.map_or(Ok(()), |owner| write!(f, ", for owner {}", owner.0))
            }
            Move::Look { request, elsewhere } => {
                let where_ = if elsewhere { " from another task" } else { "" };
                write!(f, "{} looks for its answer{where_}", who(request))
            }
            Move::Leave { request } => write!(f, "{} is dropped", who(request)),
            Move::Release { request } => write!(f, "{} releases", who(request)),
            Move::Drop { request } => write!(f, "{} drops its guard", who(request)),
            Move::Renew { request, lease } => {
                write!(f, "{} renews its lease for {lease} ms", who(request))
            }
            Move::Force { name } => write!(f, "an operator takes name {} away", name.0),
            Move::ShutDown { grace: 0 } => f.write_str("a shutdown begins, without grace"),
            Move::ShutDown { grace } => write!(f, "a shutdown begins, with a grace of {grace} ms"),
            Move::Pass { time } => write!(f, "{time} ms pass"),
        }
    }
}

impl fmt::Display for Told<&Answer> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to {
            Addressee::Request(request) => write!(f, "request {} ", request.0)?,
            Addressee::Operator => f.write_str("the operator ")?,
        }
        match self.0.outcome {
            Outcome::Granted(token) => write!(f, "is granted, with token {token}"),
            Outcome::Queued { ahead } => write!(f, "waits, with {ahead} before it"),
            Outcome::Refused(Refusal::Busy) => f.write_str("is refused: the name is held"),
            Outcome::Refused(Refusal::TimedOut) => f.write_str("has waited long enough"),
            Outcome::Refused(Refusal::ShuttingDown) => f.write_str("is refused: shutting down"),
            Outcome::Refused(Refusal::AtCapacity) => f.write_str("is refused: at capacity"),
            Outcome::Cancelled => f.write_str("waits no longer"),
            Outcome::Released => f.write_str("hears: released"),
            Outcome::Renewed => f.write_str("hears: renewed"),
            Outcome::Lost(Loss::LeaseElapsed) => f.write_str("has lost the name: its lease ended"),
            Outcome::Lost(Loss::Forced) => f.write_str("has lost the name: it was taken away"),
            Outcome::Lost(Loss::Shutdown) => f.write_str("has lost the name: the grace is over"),
            Outcome::NotHeld => f.write_str("hears: not held"),
            Outcome::Closed => f.write_str("hears: closed"),
        }
    }
}
