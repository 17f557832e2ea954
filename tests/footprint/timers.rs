//! Who need not wait touches no timer. That no clock is read either is counted in `impl/peers`, where a
//! clock read is a system call.

use lockspace::LockSpace;

use crate::{HOUR, NAME, at_once, waits};

#[test]
fn a_wait_timeout_that_is_not_needed_arms_no_timer_and_needs_no_runtime() {
    let space = LockSpace::new();
    let guard = at_once(space.acquire(NAME).wait_timeout(HOUR));
    let audit = space.audit();
    assert_eq!((audit.timers, audit.reaper), (0, false));
    drop(guard);
    drop(space.acquire(NAME).wait_timeout(HOUR).blocking().unwrap());
    let audit = space.audit();
    assert_eq!((audit.timers, audit.reaper), (0, false));
}

#[tokio::test(start_paused = true)]
async fn control_a_wait_timeout_that_is_needed_arms_one() {
    let space = LockSpace::new();
    let _guard = at_once(space.acquire(NAME));
    let _waiter = waits(space.acquire(NAME).wait_timeout(HOUR));
    let audit = space.audit();
    assert_eq!((audit.timers, audit.reaper), (1, true));
}
