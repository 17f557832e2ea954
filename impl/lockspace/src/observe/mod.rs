//! Watching a lockspace in production, through the facades that services already use.
//!
//! What is here is a [`Recorder`](crate::Recorder), told at the boundary what everybody asks and is told;
//! the lock table knows nothing of it. Where none is set, nothing is paid but the branch that recording
//! costs anyway. "Operating", in the documentation of lockspace, tells every metric by name, unit and
//! meaning, and what to alert on.
//!
//! What this module must not do: use the lockspace that it watches while it is told something, or keep
//! anything of a call that has ended.

#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "metrics")]
mod series;
mod sharded;
#[cfg(test)]
mod tests;
#[cfg(feature = "tracing")]
mod traces;

#[cfg(feature = "metrics")]
pub use metrics::Metrics;
#[cfg(feature = "tracing")]
pub use traces::Traces;
