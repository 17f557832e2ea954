//! Whatever is in a file, reading it ends in a history or in an error that names the line, and judging a
//! history ends in a verdict. Nothing panics.

use lockspace_history::{Budget, FormatFault, History, MAX_LINE, ReadError, judge};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

const HEADER: &str = r#"{"format":"lockspace-history","version":1,"tickets":true}"#;

/// Reads; what it says of the line.
fn fault(text: &[u8]) -> Option<(usize, FormatFault)> {
    match History::read(text) {
        Ok(history) => {
            let _ = judge(&history, Budget { configurations: 1000 });
            None
        }
        Err(ReadError::Format(error)) => Some((error.line, error.fault)),
        Err(error) => panic!("bytes in memory can be read: {error}"),
    }
}

fn fault_after_header(lines: &str) -> Option<(usize, FormatFault)> {
    fault(format!("{HEADER}\n{lines}").as_bytes())
}

#[test]
fn an_error_names_the_line_and_what_is_wrong_with_it() {
    use FormatFault::{
        AfterRest, CallTwice, Empty, Json, Missing, NotAHistory, NotAnAcquire, NotText,
        Superfluous, TooLong, UnknownCall, Version, Word, WrongAnswer,
    };
    let acquire =
        r#"{"at":1,"event":"acquire","call":1,"name":"a","wait":"no","lease":"unbounded"}"#;
    assert_eq!(fault(b""), Some((1, Empty)));
    assert_eq!(fault(br#"{"format":"diary","version":1}"#), Some((1, NotAHistory)));
    assert_eq!(fault(br#"{"format":"lockspace-history","version":9}"#), Some((1, Version(9))));
    assert!(matches!(fault(b"\x00\x01"), Some((1, Json(_)))));
    assert_eq!(fault(b"\xff\xfe\n"), Some((1, NotText)));
    assert_eq!(fault_after_header(&"x".repeat(MAX_LINE + 1)), Some((2, TooLong)));
    let cases = [
        (r#"{"at":1,"event":"nap"}"#, Word { field: "event", word: "nap".into() }),
        (r#"{"at":1,"event":"release","call":1}"#, Missing("request")),
        (r#"{"at":1,"event":"closed","token":1}"#, Superfluous("token")),
        (r#"{"at":1,"event":"return","call":9,"answer":"granted"}"#, UnknownCall(9)),
        (r#"{"at":1,"event":"release","call":2,"request":7}"#, UnknownCall(7)),
    ];
    for (line, expected) in cases {
        assert_eq!(fault_after_header(line), Some((2, expected)), "{line}");
    }
    let second = [
        (acquire, CallTwice(1)),
        (r#"{"at":2,"event":"return","call":1,"answer":"renewed"}"#, WrongAnswer(1)),
        (r#"{"at":0,"event":"return","call":1,"answer":"busy"}"#, UnknownCall(1)),
    ];
    for (line, expected) in second {
        let (at, found) = fault_after_header(&format!("{acquire}\n{line}")).expect("a fault");
        assert_eq!((at, found), (3, expected), "{line}");
    }
    let shutdown = r#"{"at":1,"event":"shutdown","call":1,"grace":"no"}"#;
    let lost = r#"{"at":2,"event":"lost","request":1,"why":"forced"}"#;
    assert_eq!(fault_after_header(&format!("{shutdown}\n{lost}")), Some((3, NotAnAcquire(1))));
    let rest = r#"{"at":3,"event":"rest"}"#;
    assert_eq!(fault_after_header(&format!("{rest}\n{rest}")), Some((3, AfterRest)));
    for damaged in [r#"{"at":-1,"event":"rest"}"#, r#"{"at":1e99,"event":"rest"}"#, "", "[]", "{"] {
        let found = fault_after_header(&format!("{damaged}\n"));
        assert!(matches!(found, Some((2, Json(_)))), "{damaged}: {found:?}");
    }
    let unknown_field = r#"{"at":1,"event":"rest","mood":"calm"}"#;
    assert!(matches!(fault_after_header(unknown_field), Some((2, Json(_)))));
}

/// A line with the right words in any combination, mostly wrong.
fn line() -> impl Strategy<Value = String> {
    let event = prop_oneof![
        Just("acquire"),
        Just("cancel"),
        Just("release"),
        Just("renew"),
        Just("force_release"),
        Just("shutdown"),
        Just("queued"),
        Just("return"),
        Just("lost"),
        Just("closed"),
        Just("rest"),
    ];
    let answer = prop_oneof![
        Just("granted"),
        Just("cancelled"),
        Just("released"),
        Just("renewed"),
        Just("began"),
        Just("busy"),
        Just("timed_out"),
        Just("shutting_down"),
        Just("at_capacity"),
        Just("ruled_out"),
        Just("not_held"),
        Just("unknown"),
        Just("lost"),
    ];
    let small = || 0..12_u64;
    (event, answer, small(), small(), small(), small(), any::<bool>()).prop_map(
        |(event, answer, at, call, request, number, flag)| {
            let begin = format!(r#""at":{at},"event":"{event}""#);
            let wait = if flag { "bounded" } else { "unbounded" };
            let rest = match event {
                "acquire" => format!(
                    r#","call":{call},"name":"{}","wait":"{wait}","lease":"{wait}""#,
                    request % 2
                ),
                "cancel" | "release" | "renew" => format!(r#","call":{call},"request":{request}"#),
                "force_release" => format!(r#","call":{call},"name":"{}""#, request % 2),
                "shutdown" => {
                    format!(r#","call":{call},"grace":"{}""#, if flag { "no" } else { "bounded" })
                }
                "queued" => format!(r#","call":{call},"ticket":{number}"#),
                "return" if answer == "granted" => {
                    format!(r#","call":{call},"answer":"granted","token":{number}"#)
                }
                "return" if answer == "lost" => {
                    format!(r#","call":{call},"answer":"lost","why":"forced""#)
                }
                "return" => format!(r#","call":{call},"answer":"{answer}""#),
                "lost" => format!(r#","request":{request},"why":"lease_elapsed""#),
                _ => String::new(),
            };
            format!("{{{begin}{rest}}}")
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = fault(&bytes);
        let _ = fault(&[HEADER.as_bytes(), b"\n", &bytes].concat());
    }

    #[test]
    fn any_lines_are_judged_or_refused(lines in prop::collection::vec(line(), 0..14)) {
        // Each beginning, so that one bad line does not keep the rest from being tried.
        let mut kept = String::new();
        for line in lines {
            let longer = format!("{kept}{line}\n");
            if fault_after_header(&longer).is_none() {
                kept = longer;
            }
        }
    }
}
