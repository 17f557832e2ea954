//! What the observers say, of lockspaces and of histories that were made up.

mod metrics;
