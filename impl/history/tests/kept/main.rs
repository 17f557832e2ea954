//! Kept histories whose verdict must not change, and every small change to one. They lie where the real
//! lockspace's histories are judged, in `tests/trace/fixtures`; here no lockspace is built, so that the
//! judges can be broken on purpose, hundreds of times, in little time.

mod fixtures;
mod verdicts;

use std::path::{Path, PathBuf};

/// Where they are kept.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/trace/fixtures")
}
