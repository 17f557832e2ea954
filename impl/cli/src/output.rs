//! What all subcommands share about output: colour, numbers, and readers that go away.

use std::env;
use std::io::{self, IsTerminal, Write, stdout};
use std::process::ExitCode;

use serde_json::Value;

use crate::exit::Exit;

/// The exit status of a subcommand. That nobody reads on (`lockspace trace | head`) is no error.
pub(crate) fn exit(done: io::Result<Exit>) -> ExitCode {
    match done {
        Ok(exit) => exit.into(),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lockspace: {error}");
            Exit::Failed.into()
        }
    }
}

/// Writes one JSON document, for programs and for people who look into it.
pub(crate) fn document(value: &Value) -> io::Result<()> {
    writeln!(stdout().lock(), "{value:#}")
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
    use super::{counted, grouped};

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
