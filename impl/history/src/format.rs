//! The file format: one JSON object a line, the first of which says what the file is. The contract is
//! "Histories", in the documentation of lockspace; the words are spelled out here, so that a type of the
//! specification can be renamed without anybody's files becoming unreadable.
//!
//! What this file must not do: know which lines may follow which.

use std::borrow::Cow;

use lockspace_spec::history::{Call, CallId, Done, Event, NotDone, Return, Ticket, What};
use lockspace_spec::{FencingToken, Grace, Lease, Loss, Refusal, Wait};
use serde::{Deserialize, Serialize};

use crate::history::{FormatFault, Header};

/// What the first line calls itself.
const FORMAT: &str = "lockspace-history";
/// The version of the format that is written, and the only one that is read.
const VERSION: u32 = 1;

type Words<T> = [(&'static str, T)];

const WAITS: &Words<Wait> =
    &[("no", Wait::No), ("bounded", Wait::Bounded), ("unbounded", Wait::Unbounded)];
const LEASES: &Words<Lease> = &[("bounded", Lease::Bounded), ("unbounded", Lease::Unbounded)];
const GRACES: &Words<Grace> = &[("no", Grace::No), ("bounded", Grace::Bounded)];
const LOSSES: &Words<Loss> = &[
    ("lease_elapsed", Loss::LeaseElapsed),
    ("forced", Loss::Forced),
    ("shutdown", Loss::Shutdown),
];
/// The answers without their token; `lost`, which has a reason, is not among them.
const ANSWERS: &Words<Return> = &[
    ("granted", Return::Done(Done::Granted(None))),
    ("cancelled", Return::Done(Done::Cancelled)),
    ("released", Return::Done(Done::Released(None))),
    ("renewed", Return::Done(Done::Renewed)),
    ("began", Return::Done(Done::Began)),
    ("busy", Return::NotDone(NotDone::Refused(Refusal::Busy))),
    ("timed_out", Return::NotDone(NotDone::Refused(Refusal::TimedOut))),
    ("shutting_down", Return::NotDone(NotDone::Refused(Refusal::ShuttingDown))),
    ("at_capacity", Return::NotDone(NotDone::Refused(Refusal::AtCapacity))),
    ("ruled_out", Return::NotDone(NotDone::RuledOut)),
    ("not_held", Return::NotDone(NotDone::NotHeld)),
    ("unknown", Return::Unknown),
];

fn word_of<T: PartialEq>(words: &Words<T>, value: &T) -> &'static str {
    let found = words.iter().find(|(_, other)| other == value);
    found.expect("every value has its word").0
}

fn value_of<T: Copy>(words: &Words<T>, field: &'static str, word: &str) -> Result<T, FormatFault> {
    let found = words.iter().find(|(other, _)| *other == word);
    found.map(|(_, value)| *value).ok_or_else(|| FormatFault::Word { field, word: word.to_owned() })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine<'a> {
    format: Cow<'a, str>,
    version: u32,
    #[serde(default)]
    tickets: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_names: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_waiters_per_name: Option<usize>,
}

/// Reads the first line.
pub(crate) fn read_header(line: &str) -> Result<Header, FormatFault> {
    let line: HeaderLine<'_> = from_json(line)?;
    if line.format != FORMAT {
        return Err(FormatFault::NotAHistory);
    }
    if line.version != VERSION {
        return Err(FormatFault::Version(line.version));
    }
    let HeaderLine { tickets, max_names, max_waiters_per_name, .. } = line;
    Ok(Header { tickets, max_names, max_waiters_per_name })
}

/// Writes the first line, without its end.
pub(crate) fn write_header(header: &Header) -> String {
    let Header { tickets, max_names, max_waiters_per_name } = *header;
    let format = FORMAT.into();
    let line = HeaderLine { format, version: VERSION, tickets, max_names, max_waiters_per_name };
    serde_json::to_string(&line).expect("plain fields are JSON")
}

/// A line before it is known which fields its event has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    at: u64,
    #[serde(default)]
    process: u64,
    #[serde(borrow)]
    event: Cow<'a, str>,
    call: Option<u64>,
    request: Option<u64>,
    name: Option<Cow<'a, str>>,
    wait: Option<Cow<'a, str>>,
    lease: Option<Cow<'a, str>>,
    grace: Option<Cow<'a, str>>,
    ticket: Option<u64>,
    answer: Option<Cow<'a, str>>,
    token: Option<u64>,
    why: Option<Cow<'a, str>>,
}

/// Reads a line after the first.
pub(crate) fn read_event(line: &str) -> Result<Event, FormatFault> {
    let mut fields: Fields<'_> = from_json(line)?;
    let what = fields.what()?;
    fields.expect_none_left()?;
    Ok(Event { at: fields.at, process: fields.process, what })
}

fn from_json<'a, T: Deserialize<'a>>(line: &'a str) -> Result<T, FormatFault> {
    serde_json::from_str(line).map_err(|error| {
        // Which line it is of the file is told by whoever knows; here there is only one.
        let (line, column) = (error.line(), error.column());
        let place = format!(" at line {line} column {column}");
        FormatFault::Json(error.to_string().replace(&place, &format!(", at column {column}")))
    })
}

fn need<T>(field: &'static str, value: Option<T>) -> Result<T, FormatFault> {
    value.ok_or(FormatFault::Missing(field))
}

impl Fields<'_> {
    /// Takes the fields that the event has.
    fn what(&mut self) -> Result<What, FormatFault> {
        let call = match &*self.event {
            "queued" => return Ok(What::Queued(self.call()?, self.ticket()?)),
            "return" => return Ok(What::Return(self.call()?, self.answer()?)),
            "lost" => return Ok(What::Lost(self.request()?, self.why()?)),
            "closed" => return Ok(What::Closed),
            "rest" => return Ok(What::Rest),
            "acquire" => {
                let wait = need("wait", self.wait.take())?;
                let lease = need("lease", self.lease.take())?;
                Call::Acquire {
                    name: self.name()?,
                    wait: value_of(WAITS, "wait", &wait)?,
                    lease: value_of(LEASES, "lease", &lease)?,
                }
            }
            "cancel" => Call::Cancel { request: self.request()? },
            "release" => Call::Release { request: self.request()? },
            "renew" => Call::Renew { request: self.request()? },
            "force_release" => Call::ForceRelease { name: self.name()? },
            "shutdown" => {
                let grace = need("grace", self.grace.take())?;
                Call::Shutdown { grace: value_of(GRACES, "grace", &grace)? }
            }
            word => return Err(FormatFault::Word { field: "event", word: word.to_owned() }),
        };
        Ok(What::Invoke(self.call()?, call))
    }

    fn answer(&mut self) -> Result<Return, FormatFault> {
        let word = need("answer", self.answer.take())?;
        if word == "lost" {
            return Ok(Return::NotDone(NotDone::Lost(self.why()?)));
        }
        Ok(match value_of(ANSWERS, "answer", &word)? {
            Return::Done(Done::Granted(_)) => Return::Done(Done::Granted(self.token())),
            Return::Done(Done::Released(_)) => Return::Done(Done::Released(self.token())),
            answer => answer,
        })
    }

    fn call(&mut self) -> Result<CallId, FormatFault> {
        need("call", self.call.take()).map(CallId)
    }

    fn request(&mut self) -> Result<CallId, FormatFault> {
        need("request", self.request.take()).map(CallId)
    }

    fn ticket(&mut self) -> Result<Ticket, FormatFault> {
        need("ticket", self.ticket.take()).map(Ticket)
    }

    fn token(&mut self) -> Option<FencingToken> {
        self.token.take().map(FencingToken)
    }

    fn name(&mut self) -> Result<std::sync::Arc<str>, FormatFault> {
        need("name", self.name.take()).map(Into::into)
    }

    fn why(&mut self) -> Result<Loss, FormatFault> {
        let why = need("why", self.why.take())?;
        value_of(LOSSES, "why", &why)
    }

    fn expect_none_left(&self) -> Result<(), FormatFault> {
        let left = [
            ("call", self.call.is_some()),
            ("request", self.request.is_some()),
            ("name", self.name.is_some()),
            ("wait", self.wait.is_some()),
            ("lease", self.lease.is_some()),
            ("grace", self.grace.is_some()),
            ("ticket", self.ticket.is_some()),
            ("answer", self.answer.is_some()),
            ("token", self.token.is_some()),
            ("why", self.why.is_some()),
        ];
        match left.iter().find(|(_, is_left)| *is_left) {
            Some((field, _)) => Err(FormatFault::Superfluous(field)),
            None => Ok(()),
        }
    }
}

/// Writes a line after the first, without its end.
pub(crate) fn write_event(event: &Event) -> String {
    let Event { at, process, what } = event;
    let rest = match what {
        What::Invoke(CallId(id), call) => {
            let (word, fields) = call_fields(call);
            format!(r#""{word}","call":{id}{fields}"#)
        }
        What::Queued(CallId(id), Ticket(ticket)) => {
            format!(r#""queued","call":{id},"ticket":{ticket}"#)
        }
        What::Return(CallId(id), answer) => {
            format!(r#""return","call":{id},"answer":{}"#, answer_fields(answer))
        }
        What::Lost(CallId(request), why) => {
            format!(r#""lost","request":{request},"why":"{}""#, word_of(LOSSES, why))
        }
        What::Closed => r#""closed""#.to_owned(),
        What::Rest => r#""rest""#.to_owned(),
    };
    format!(r#"{{"at":{at},"process":{process},"event":{rest}}}"#)
}

fn call_fields(call: &Call) -> (&'static str, String) {
    let about = |request: &CallId| format!(r#","request":{}"#, request.0);
    match call {
        Call::Acquire { name, wait, lease } => {
            let (wait, lease) = (word_of(WAITS, wait), word_of(LEASES, lease));
            let name = json_text(name);
            ("acquire", format!(r#","name":{name},"wait":"{wait}","lease":"{lease}""#))
        }
        Call::Cancel { request } => ("cancel", about(request)),
        Call::Release { request } => ("release", about(request)),
        Call::Renew { request } => ("renew", about(request)),
        Call::ForceRelease { name } => ("force_release", format!(r#","name":{}"#, json_text(name))),
        Call::Shutdown { grace } => {
            ("shutdown", format!(r#","grace":"{}""#, word_of(GRACES, grace)))
        }
    }
}

fn answer_fields(answer: &Return) -> String {
    match *answer {
        Return::Done(Done::Granted(Some(token))) => format!(r#""granted","token":{token}"#),
        Return::Done(Done::Released(Some(token))) => format!(r#""released","token":{token}"#),
        Return::NotDone(NotDone::Lost(why)) => {
            format!(r#""lost","why":"{}""#, word_of(LOSSES, &why))
        }
        answer => format!(r#""{}""#, word_of(ANSWERS, &answer)),
    }
}

fn json_text(text: &str) -> String {
    serde_json::to_string(text).expect("text is JSON")
}
