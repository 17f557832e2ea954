//! Whether events make a history at all: each refers to what exists, and is of the right kind.
//!
//! What this file must not do: object to anything that a faulty lock could do.

use std::collections::HashMap;

use lockspace_spec::history::{Call, CallId, Done, Event, NotDone, Return, What};

use crate::history::FormatFault;

/// Checks events in order of time; answers the first that does not belong, and why.
pub(crate) fn check(events: &[Event]) -> Result<(), (usize, FormatFault)> {
    let mut references = References::default();
    for (index, event) in events.iter().enumerate() {
        references.take(&event.what).map_err(|fault| (index, fault))?;
    }
    Ok(())
}

#[derive(Default)]
struct References<'a> {
    begun: HashMap<CallId, &'a Call>,
    rests: bool,
}

impl<'a> References<'a> {
    fn take(&mut self, what: &'a What) -> Result<(), FormatFault> {
        if self.rests {
            return Err(FormatFault::AfterRest);
        }
        match what {
            What::Invoke(id, call) => self.invoke(*id, call),
            What::Queued(id, _) | What::Lost(id, _) => self.acquire(*id),
            What::Return(id, answer) => match self.call(*id)? {
                call if can_answer(call, answer) => Ok(()),
                _ => Err(FormatFault::WrongAnswer(id.0)),
            },
            What::Closed => Ok(()),
            What::Rest => {
                self.rests = true;
                Ok(())
            }
        }
    }

    fn invoke(&mut self, id: CallId, call: &'a Call) -> Result<(), FormatFault> {
        if let Call::Cancel { request } | Call::Release { request } | Call::Renew { request } = call
        {
            self.acquire(*request)?;
        }
        match self.begun.insert(id, call) {
            None => Ok(()),
            Some(_) => Err(FormatFault::CallTwice(id.0)),
        }
    }

    fn call(&self, id: CallId) -> Result<&'a Call, FormatFault> {
        self.begun.get(&id).copied().ok_or(FormatFault::UnknownCall(id.0))
    }

    fn acquire(&self, id: CallId) -> Result<(), FormatFault> {
        match self.call(id)? {
            Call::Acquire { .. } => Ok(()),
            _ => Err(FormatFault::NotAnAcquire(id.0)),
        }
    }
}

fn can_answer(call: &Call, answer: &Return) -> bool {
    match answer {
        Return::Unknown => true,
        Return::Done(done) => matches!(
            (call, done),
            (Call::Acquire { .. }, Done::Granted(_))
                | (Call::Cancel { .. }, Done::Cancelled)
                | (Call::Release { .. } | Call::ForceRelease { .. }, Done::Released(_))
                | (Call::Renew { .. }, Done::Renewed)
                | (Call::Shutdown { .. }, Done::Began)
        ),
        Return::NotDone(not_done) => matches!(
            (call, not_done),
            (Call::Acquire { .. }, NotDone::Refused(_) | NotDone::RuledOut)
                | (Call::Release { .. } | Call::Renew { .. }, NotDone::NotHeld | NotDone::Lost(_))
                | (Call::ForceRelease { .. }, NotDone::NotHeld)
        ),
    }
}
