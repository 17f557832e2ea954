//! Histories of the real lockspace under real concurrency, judged by the specification, and corrupted
//! histories, which must not pass. In `fixtures` are kept histories, whose verdicts are the judges' own
//! test (`impl/history/tests/kept`).
//!
//! Every run prints its seed. `LOCKSPACE_SEED=<seed>` runs the same choices again (the threads interleave
//! as they like all the same: it is the recorded history that is evidence, and a rejected one is kept in
//! the temporary directory).

mod busy;
mod corrupt;
mod runs;
