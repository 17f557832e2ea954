//! What the observers say, of lockspaces and of histories that were made up.

#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "tracing")]
mod traces;
