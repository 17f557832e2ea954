//! What all subcommands share about output: colour, numbers, and readers that go away.

use std::env;
use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, StdoutLock, Write, stderr, stdout};
use std::process::ExitCode;

use serde_json::Value;

use crate::exit::Exit;

/// The exit status of a subcommand.
pub(crate) fn exit(done: io::Result<Exit>) -> ExitCode {
    let exit = done.unwrap_or_else(|error| {
        say(error);
        Exit::Failed
    });
    exit.into()
}

/// Says something to whoever runs this command. That nobody is there to hear it is no reason to end.
pub(crate) fn say(what: impl Display) {
    let _ = writeln!(stderr().lock(), "lockspace: {what}");
}

/// Where the answer of a subcommand goes.
pub(crate) fn out() -> Out<StdoutLock<'static>> {
    Out(stdout().lock())
}

/// An output whose reader may go away (`lockspace trace | head -1`). What is written then goes nowhere, and
/// changes nothing about what else is done, or with which status it ends.
pub(crate) struct Out<W>(W);

impl<W: Write> Write for Out<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        even_if_unread(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        even_if_unread(self.0.flush(), ())
    }
}

fn even_if_unread<T>(done: io::Result<T>, nowhere: T) -> io::Result<T> {
    match done {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(nowhere),
        done => done,
    }
}

/// Writes one JSON document, for programs and for people who look into it.
pub(crate) fn document(value: &Value) -> io::Result<()> {
    writeln!(out(), "{value:#}")
}

/// `text`, in green if it is good news and in red if not, where colour is wanted.
pub(crate) fn coloured(text: &str, good: bool) -> String {
    // An empty NO_COLOR counts as none: https://no-color.org
    let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if unwanted || !stdout().is_terminal() {
        return text.into();
    }
    let colour = if good { 32 } else { 31 };
    format!("\x1b[{colour}m{text}\x1b[0m")
}

/// `number` with a space between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `number` of what is called `one`, and otherwise `one` with an s.
pub(crate) fn counted(number: usize, one: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {one}{s}", grouped(number as u64))
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind, Write};

    use super::{Out, counted, grouped};

    /// Takes this many more writes, and fails for this reason from then on.
    struct Fails(usize, ErrorKind);

    impl Write for Fails {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(self.1)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.write(&[]).map(|_| ())
        }
    }

    #[test]
    fn what_nobody_reads_is_written_without_an_error_and_what_cannot_be_written_is_not() {
        for (why, goes_on) in [(ErrorKind::BrokenPipe, true), (ErrorKind::StorageFull, false)] {
            let mut out = Out(Fails(1, why));
            out.write_all(b"read").expect("somebody reads it");
            assert_eq!(out.write_all(b"not read").is_ok(), goes_on, "{why}");
            assert_eq!(out.flush().is_ok(), goes_on, "{why}");
        }
    }

    #[test]
    fn one_is_singular_and_all_others_are_not() {
        assert_eq!(counted(0, "grant"), "0 grants");
        assert_eq!(counted(1, "grant"), "1 grant");
        assert_eq!(counted(1_234, "grant"), "1 234 grants");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1 000");
        assert_eq!(grouped(129_000_001), "129 000 001");
    }
}
