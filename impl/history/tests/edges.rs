//! What happens exactly at a limit: of a line, of the budget, of the number of requests.

use std::sync::Arc;

use lockspace_history::{
    Budget, Call, CallId, Event, Header, History, MAX_LINE, Verdict, What, judge,
};
use lockspace_spec::{Lease, Wait};

const HEADER: &str = r#"{"format":"lockspace-history","version":1,"tickets":true}"#;

/// A file whose only event stands on a line of so many bytes.
fn with_line_of(bytes: usize) -> String {
    let line = r#"{"at":1,"event":"rest"}"#;
    format!("{HEADER}\n{line}{}\n", " ".repeat(bytes - line.len()))
}

#[test]
fn a_line_may_be_as_long_as_it_may_be_and_no_longer() {
    assert_eq!(MAX_LINE, 65_536);
    assert!(History::read(with_line_of(MAX_LINE).as_bytes()).is_ok());
    let error = History::read(with_line_of(MAX_LINE + 1).as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "line 2: a line is longer than 65536 bytes");
}

#[test]
fn an_error_names_one_line_and_it_is_that_of_the_file() {
    for (line, fault) in [
        (r#"{"at":1,"ev"#, "EOF while parsing a string, at column 11"),
        (r#"{"at":x}"#, "expected value, at column 7"),
    ] {
        let error = History::read(format!("{HEADER}\n{line}").as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), format!("line 2: {fault}"));
    }
}

#[test]
fn a_line_that_is_too_long_is_not_read_to_its_end() {
    let file = with_line_of(10 * MAX_LINE);
    let mut rest = file.as_bytes();
    assert!(History::read(&mut rest).is_err());
    let read = file.len() - rest.len();
    assert!(read <= HEADER.len() + 1 + MAX_LINE + 2, "{read} bytes were read");
}

#[test]
fn a_history_is_written_to_a_file_as_it_is_displayed() {
    let history = History::read(with_line_of(30).as_bytes()).unwrap();
    let mut file = Vec::new();
    history.write(&mut file).unwrap();
    assert_eq!(String::from_utf8(file).unwrap(), history.to_string());
    assert_eq!(History::read(history.to_string().as_bytes()).unwrap().events().len(), 1);
}

fn acquires(count: u64) -> History {
    let name: Arc<str> = "a".into();
    let acquire = |id| Event {
        at: id,
        process: 0,
        what: What::Invoke(
            CallId(id),
            Call::Acquire {
                name: Arc::clone(&name),
                wait: Wait::Unbounded,
                lease: Lease::Unbounded,
            },
        ),
    };
    History::new(Header::default(), (0..count).map(acquire).collect()).unwrap()
}

#[test]
fn the_budget_is_spent_when_one_more_would_be_needed() {
    // A request is refused because of another, which must have been granted by then.
    let file = [
        HEADER,
        r#"{"at":1,"event":"acquire","call":1,"name":"a","wait":"unbounded","lease":"unbounded"}"#,
        r#"{"at":2,"event":"acquire","call":2,"name":"a","wait":"no","lease":"unbounded"}"#,
        r#"{"at":3,"event":"return","call":2,"answer":"busy"}"#,
        r#"{"at":4,"event":"return","call":1,"answer":"granted","token":1}"#,
    ]
    .join("\n");
    let history = History::read(file.as_bytes()).unwrap();
    let Verdict::Accepted(summary) = judge(&history, Budget::default()) else { panic!("legal") };
    let needed = summary.configurations;
    assert!(needed > 0);
    let with = |configurations| judge(&history, Budget { configurations });
    assert_eq!(with(needed), Verdict::Accepted(summary));
    assert!(matches!(with(needed - 1), Verdict::Undecided(_)));
}

#[test]
fn more_requests_at_once_than_the_specification_has_numbers_for_are_undecided() {
    let history = acquires(1 << 17);
    let Verdict::Undecided(undecided) = judge(&history, Budget::default()) else {
        panic!("too many")
    };
    assert_eq!(undecided.names, ["a".into()]);
}
