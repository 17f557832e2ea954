//! Any of the machines, for whoever runs them and does not care which.

use std::net::SocketAddr;

use crate::checker;
use crate::cluster::Cluster;
use crate::engine::Engine;
use crate::explorer::{self, Explored};
use crate::machine::Ids;
use crate::owners::Owners;
use crate::plain::Plain;
use crate::protocol::Protocol;
use crate::stepwise::Stepwise;

/// One of the machines.
#[derive(Clone, Copy, Debug)]
pub enum AnyMachine {
    /// The protocol, with any number of acquires.
    Protocol(Protocol),
    /// The protocol with real tokens and a bound on grants.
    Plain(Plain),
    /// A lock whose operations take several steps.
    Stepwise(Stepwise),
    /// The engine's algorithm.
    Engine(Engine),
    /// The protocol over a store.
    Cluster(Cluster),
    /// The protocol, whose requests belong to owners.
    Owners(Owners<Protocol>),
    /// The same with real tokens and a bound on grants.
    PlainOwners(Owners<Plain>),
}

/// Calls a function of any machine.
macro_rules! with {
    ($any:expr, |$machine:ident| $call:expr) => {
        match $any {
            AnyMachine::Protocol($machine) => $call,
            AnyMachine::Plain($machine) => $call,
            AnyMachine::Stepwise($machine) => $call,
            AnyMachine::Engine($machine) => $call,
            AnyMachine::Cluster($machine) => $call,
            AnyMachine::Owners($machine) => $call,
            AnyMachine::PlainOwners($machine) => $call,
        }
    };
}

impl AnyMachine {
    /// See [`explorer::explore`].
    pub fn explore(
        &self,
        threads: usize,
        wanted: Ids,
        progress: impl FnMut(&Explored),
    ) -> Explored {
        with!(self, |machine| explorer::explore(machine, threads, wanted, progress))
    }

    /// See [`checker::check`].
    #[must_use]
    pub fn check(self, wanted: Ids) -> Explored {
        with!(self, |machine| checker::check(machine, wanted))
    }

    /// See [`checker::serve`].
    pub fn serve(self, wanted: Ids, address: SocketAddr) {
        with!(self, |machine| checker::serve(machine, wanted, address));
    }
}
