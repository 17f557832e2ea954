//! Holds the house together: what the documents say exists, what the code cites has a meaning, and each
//! part of the repository keeps to its own side.
//!
//! A check is a function from text to complaints, so that each can be shown to fail: beside every check
//! stands a test that feeds it something untidy.

mod counts;
mod documents;
mod failures;
mod house;
mod metrics;
mod packages;
mod properties;
mod purity;
mod source;

/// Fails with every complaint, so that one run shows all that there is to do.
#[track_caller]
fn assert_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "untidy:\n  {}", complaints.join("\n  "));
}
