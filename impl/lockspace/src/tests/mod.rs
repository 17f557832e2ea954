//! What tests of several modules need: those of what might not end fail, where they would hang otherwise.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// What `work` comes to, in a thread of its own, which is left behind if it does not end.
///
/// # Panics
/// After half a minute: what is tested takes next to nothing, or has no end to speak of.
#[track_caller]
pub(crate) fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (ends, ended) = channel();
    let thread = thread::spawn(move || ends.send(work()));
    match ended.recv_timeout(Duration::from_secs(30)) {
        Ok(output) => output,
        Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => resume_unwind(panic),
            Ok(_) => unreachable!("whoever ends well has sent its output"),
        },
    }
}
