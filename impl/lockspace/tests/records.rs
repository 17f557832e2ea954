//! The bytes in a store's rows: what is written is read back, and nothing else is read at all.

use std::time::Duration;

use lockspace::store::record::{Claim, Record, RecordError, SessionId, SessionRecord};
use lockspace::store::{Key, Version};
use lockspace::{FencingToken, LockName};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

/// A holder and up to five that wait, no session twice.
fn records() -> impl Strategy<Value = Record> {
    let claims = btree_map(any::<u128>(), any::<u64>(), 1..6);
    let shuffled = claims.prop_flat_map(|claims| Just(Vec::from_iter(claims)).prop_shuffle());
    let line = shuffled.prop_map(|claims| {
        let claim = |(session, number)| Claim { session: SessionId(session), number };
        claims.into_iter().map(claim).collect::<Vec<_>>()
    });
    (line, option::of(0..=Version::MAX.0)).prop_map(|(mut line, token)| Record {
        holder: line.remove(0),
        token: token.map(FencingToken),
        queue: line,
    })
}

fn session_records() -> impl Strategy<Value = SessionRecord> {
    let ttl = any::<u32>().prop_map(|ms| Duration::from_millis(ms.into()));
    (ttl, ".{0,40}").prop_map(|(ttl, label)| SessionRecord::new(ttl, &label))
}

/// Bytes that nearly are a record: a piece of it is gone, or is something else.
fn damaged(bytes: Vec<u8>) -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let places = (0..bytes.len(), 0..4_usize, vec(any::<u8>(), 0..4));
    places.prop_map(move |(from, length, instead)| {
        let mut damaged = bytes.clone();
        let to = damaged.len().min(from + length);
        damaged.splice(from..to, instead);
        (bytes.clone(), damaged)
    })
}

proptest! {
    #[test]
    fn a_record_that_is_written_is_read_back(record in records()) {
        prop_assert_eq!(Record::read(record.to_string().as_bytes()), Ok(record));
    }

    #[test]
    fn a_session_that_is_written_is_read_back(record in session_records()) {
        prop_assert_eq!(SessionRecord::read(record.to_string().as_bytes()), Ok(record));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(Record::read(&bytes).is_err());
        prop_assert!(SessionRecord::read(&bytes).is_err());
    }

    #[test]
    fn damage_is_refused_or_gives_what_writes_the_same_bytes(
        (whole, damaged) in records().prop_flat_map(|record| damaged(record.to_string().into_bytes()))
    ) {
        match Record::read(&damaged) {
            Ok(record) => prop_assert_eq!(record.to_string().into_bytes(), damaged),
            Err(error) => prop_assert_ne!(&damaged, &whole, "{}", error),
        }
    }

    #[test]
    fn a_key_is_written_and_parsed_back(name in ".{1,60}", id: u128) {
        let name = LockName::new(&name).expect("it is short enough");
        for key in [Key::Lock(name.clone()), Key::Session(SessionId(id))] {
            prop_assert_eq!(Key::parse(&key.to_string()), Some(key));
        }
    }
}

const ANN: &str = "00000000000000000000000000000001";

#[test]
fn what_is_wrong_with_a_row_is_told() {
    let read = |text: String| Record::read(text.as_bytes()).expect_err("it is no record");
    assert_eq!(read(String::new()), RecordError::Foreign);
    assert_eq!(read("{\"locked\":true}".into()), RecordError::Foreign);
    assert_eq!(read("lockspace-session/1 ttl_ms=1 label=".into()), RecordError::Foreign);
    assert_eq!(read("lockspace-lock/2 anything".into()), RecordError::Newer { format: 2 });
    for damaged in [
        "lockspace-lock/1".to_owned(),
        "lockspace-lock/0 ".into(),
        "lockspace-lock/01 ".into(),
        format!("lockspace-lock/1 holder={ANN}.1 token= "),
        format!("lockspace-lock/1 holder={ANN}.+1 token= queue="),
        format!("lockspace-lock/1 holder={ANN}.1 token=01 queue="),
        format!("lockspace-lock/1 holder={ANN}.1 token= queue=,"),
        format!("lockspace-lock/1 holder={ANN}.1 token= queue= "),
        format!("lockspace-lock/1 holder={ANN}.1 token={} queue=", Version::MAX.0 + 1),
        "lockspace-lock/1 holder=1.1 token= queue=".into(),
    ] {
        assert_eq!(read(damaged.clone()), RecordError::Damaged, "{damaged}");
    }
}

#[test]
fn a_session_has_one_claim_in_a_row() {
    let twice = format!("lockspace-lock/1 holder={ANN}.1 token=4 queue={ANN}.2");
    assert_eq!(Record::read(twice.as_bytes()), Err(RecordError::Damaged));
}

#[test]
fn the_time_of_a_claim_is_its_number_if_that_can_be_one() {
    let claim = |number| Claim { session: SessionId(1), number };
    for counted in [0, 1, 7, 999_999_999_999_999] {
        assert_eq!(claim(counted).asked(), None, "{counted}");
    }
    for time in [1_000_000_000_000_000, 1_795_478_860_624_768, u64::MAX] {
        assert_eq!(claim(time).asked(), Some(Duration::from_micros(time)));
    }
    // Rows of whoever counts and of whoever reads the clock are of one format.
    for number in [7, 1_795_478_860_624_768, u64::MAX] {
        let text = format!("lockspace-lock/1 holder={ANN}.{number} token= queue=");
        assert_eq!(Record::read(text.as_bytes()), Ok(Record::held_by(claim(number))));
    }
}

#[test]
fn a_label_is_one_line_and_a_ttl_whole_milliseconds() {
    let record = SessionRecord::new(Duration::from_micros(1_999), "two\nlines");
    assert_eq!((record.label(), record.ttl()), ("two lines", Duration::from_millis(1)));
    assert_eq!(SessionRecord::new(Duration::ZERO, "").ttl(), Duration::from_millis(1));
}
