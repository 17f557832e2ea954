//! What is done. One file for each kind; a workload is a function of the peer that does it.

mod cancel;
mod contended;
mod leases;
mod one_thread;
mod threads;

use crate::measure::Workload;

/// Every workload, in the order of the tables.
#[must_use]
pub fn all() -> Vec<Workload> {
    let mut all = one_thread::workloads();
    all.extend(threads::workloads());
    all.extend(contended::workloads());
    all.extend(cancel::workloads());
    all.extend(leases::workloads());
    all
}
