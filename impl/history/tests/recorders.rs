//! What is recorded is the history, in memory as in a file.

use std::io::{self, BufWriter, Error, ErrorKind, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lockspace_history::{
    Call, CallId, Collector, Done, Event, Header, History, NdjsonRecorder, Recorder, Return, What,
};
use lockspace_spec::Grace;

const HEADER: Header = Header { tickets: true, max_names: Some(3), max_waiters_per_name: None };

/// A shutdown by each of so many processes, and its answer.
fn events(processes: u64) -> Vec<Event> {
    let shutdown = |process| {
        let call = CallId(process);
        let asked = What::Invoke(call, Call::Shutdown { grace: Grace::No });
        let answered = What::Return(call, Return::Done(Done::Began));
        [(2 * process, asked), (2 * process + 1, answered)].map(|(at, what)| Event {
            at,
            process,
            what,
        })
    };
    (0..processes).flat_map(shutdown).collect()
}

#[test]
fn what_many_threads_record_is_collected_in_order_of_time() {
    let collector = Collector::new(HEADER);
    let events = events(100);
    thread::scope(|scope| {
        for event in events.iter().rev() {
            let collector = &collector;
            scope.spawn(move || collector.record(event.clone()));
        }
    });
    let history = collector.history().expect("it is a history");
    assert_eq!((history.header(), history.events()), (HEADER, &events[..]));
}

#[test]
fn a_history_at_rest_ends_with_the_rest_when_the_last_event_happens() {
    let collector = Collector::new(HEADER);
    let events = events(2);
    events.iter().rev().for_each(|event| collector.record(event.clone()));
    let history = collector.history_at_rest().expect("it is a history");
    let (rest, before) = history.events().split_last().expect("there are events");
    assert_eq!(before, events);
    assert_eq!((rest.at, &rest.what), (3, &What::Rest));
}

#[test]
fn a_recorded_file_is_what_the_history_would_write() {
    let mut file = Vec::new();
    let events = events(3);
    let recorder = NdjsonRecorder::new(HEADER, BufWriter::new(&mut file)).expect("memory is there");
    events.iter().for_each(|event| recorder.record(event.clone()));
    recorder.flush().expect("memory is there");
    drop(recorder);
    let history = History::new(HEADER, events).expect("it is a history");
    assert_eq!(String::from_utf8(file).expect("it is text"), history.to_string());
}

/// Keeps nothing: it takes two lines, and then it is full. Counts how often it was asked and flushed.
struct Full<'a> {
    asked: &'a AtomicUsize,
    flushed: &'a AtomicUsize,
}

impl Write for Full<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A line comes in pieces, of which the last is its end.
        let ends = usize::from(bytes.ends_with(b"\n"));
        if self.asked.fetch_add(ends, Ordering::Relaxed) + ends > 2 {
            return Err(Error::new(ErrorKind::StorageFull, "full"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn the_first_error_ends_the_recording_and_is_told_at_every_flush() {
    let (asked, flushed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let full = Full { asked: &asked, flushed: &flushed };
    let recorder = NdjsonRecorder::new(HEADER, full).expect("there is room for the first line");
    let events = events(2);
    recorder.record(events[0].clone());
    recorder.flush().expect("there was room for two lines");
    assert_eq!(flushed.load(Ordering::Relaxed), 1);
    events[1..].iter().for_each(|event| recorder.record(event.clone()));
    assert_eq!(asked.load(Ordering::Relaxed), 3, "after the error nothing more is written");
    for _ in 0..2 {
        let error = recorder.flush().expect_err("a line is missing");
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::StorageFull, "full".to_owned()));
    }
    assert_eq!(flushed.load(Ordering::Relaxed), 1);
}
