//! What the observers say, of lockspaces and of histories that were made up.

mod comes_back;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "tracing")]
mod traces;
