//! The manifest: every run that is expected to come out in one way and no other.
//!
//! `manifest.toml` is read at compile time. A run that finds one state, transition or level more or
//! less than the manifest says, or another set of goals, has failed, whatever its properties say: a
//! search that was cut short looks exactly like that.

use lockspace_spec::{Limits, REACHABLE};
use serde::Deserialize;

use crate::any::AnyMachine;
use crate::cluster::{Bounds, Cluster};
use crate::engine::Engine;
use crate::explorer::Explored;
use crate::machine::Ids;
use crate::owners::Owners;
use crate::plain::Plain;
use crate::protocol::{Protocol, Symmetry};
use crate::stepwise::{Algorithm, Stepwise};

/// Every run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The runs, small ones first.
    pub run: Vec<Run>,
}

/// One machine at one set of bounds, and what must be found there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Its name, unique in the manifest.
    pub name: String,
    /// When it is run.
    pub level: Level,
    /// Who runs it. All of them must find the same.
    pub explorers: Vec<Explorer>,
    /// How many clients there are.
    pub clients: u16,
    /// How many names they use.
    pub names: u16,
    /// With a bound on grants the machine is the plain one, else the protocol.
    pub grants: Option<u64>,
    /// With a number of shards the machine is the engine's algorithm, judged by its refinement.
    pub shards: Option<usize>,
    /// Whether the engine's waits and leases have no limits, so that there is no timer but that of the grace.
    #[serde(default)]
    pub untimed: bool,
    /// Whether the machine is the lock whose operations take several steps, with a bound on grants.
    #[serde(default)]
    pub stepwise: bool,
    /// If the machine is the protocol over a store, whose sessions the clients are: what happens there.
    pub cluster: Option<Bounds>,
    /// With a number of requests for each owner the clients are the owners' requests, and an acquire that
    /// would close a cycle is refused.
    pub requests: Option<u16>,
    /// The limit on names in use, if there is one.
    pub most_names: Option<usize>,
    /// The limit on the waiters of a name, if there is one.
    pub most_waiters: Option<usize>,
    /// What is exchangeable.
    #[serde(default)]
    pub symmetry: Exchangeable,
    /// Whether the actions are thinned out: what leads nowhere, or where another leads, adds no state.
    #[serde(default)]
    pub sparse: bool,
    /// Whether progress is checked too.
    #[serde(default)]
    pub progress: bool,
    /// Distinct states.
    pub states: u64,
    /// Transitions.
    pub transitions: u64,
    /// The longest of the shortest paths.
    pub depth: u32,
    /// The reachability goals that these bounds are too small for. All others must be shown, but by the
    /// engine's algorithm and over a store: their steps are not the specification's actions.
    #[serde(default)]
    pub unreached: Vec<String>,
}

/// When a run is run.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Always.
    Quick,
    /// When asked for.
    Full,
}

/// Who runs a run.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Explorer {
    /// Our own.
    Packed,
    /// stateright.
    Stateright,
}

/// What is exchangeable, as the manifest writes it.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Exchangeable {
    /// Nothing.
    #[default]
    Nothing,
    /// Clients.
    Clients,
    /// Clients, and names.
    ClientsAndNames,
}

impl Manifest {
    /// The manifest of this package.
    ///
    /// # Panics
    /// If `manifest.toml` is not well formed, which a test would have shown.
    #[must_use]
    pub fn read() -> Self {
        let manifest = Self::parse(include_str!("../manifest.toml"));
        manifest.unwrap_or_else(|error| panic!("manifest.toml: {error}"))
    }

    /// The manifest that is written so.
    ///
    /// # Errors
    /// What is wrong with the text, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for run in &manifest.run {
            run.check().map_err(|fault| format!("{:?}: {fault}", run.name))?;
        }
        Ok(manifest)
    }

    /// The runs of `level` and of those below it.
    pub fn up_to(&self, level: Level) -> impl Iterator<Item = &Run> {
        self.run.iter().filter(move |run| run.level <= level)
    }
}

impl Run {
    /// Whether its numbers go together, as far as its own functions rely upon that.
    fn check(&self) -> Result<(), &'static str> {
        if self.shards == Some(0) {
            return Err("an engine has at least one shard");
        }
        if self.untimed && self.shards.is_none() {
            return Err("only an engine can be untimed");
        }
        match self.requests {
            Some(0) => Err("an owner has at least one request"),
            Some(requests) if !self.clients.is_multiple_of(requests) => {
                Err("all owners have as many requests")
            }
            _ => Ok(()),
        }
    }

    /// The machine that it runs.
    #[must_use]
    pub fn machine(&self) -> AnyMachine {
        if let Some(cluster) = self.over_a_store() {
            return AnyMachine::Cluster(cluster);
        }
        if let Some(requests) = self.requests {
            return AnyMachine::Owners(Owners::new(self.protocol(), requests));
        }
        match (self.shards, self.grants) {
            (Some(shards), _) => {
                let (clients, names) = (usize::from(self.clients), usize::from(self.names));
                let timed = !self.untimed;
                AnyMachine::Engine(Engine { clients, names, shards, timed, fault: None })
            }
            (None, Some(grants)) if self.stepwise => {
                let (clients, algorithm) = (self.clients, Algorithm::CORRECT);
                AnyMachine::Stepwise(Stepwise { clients, grants, algorithm })
            }
            (None, Some(grants)) => AnyMachine::Plain(
                Plain::new(self.clients, self.names, grants).limits(self.limits()),
            ),
            (None, None) => AnyMachine::Protocol(self.protocol()),
        }
    }

    /// The protocol over a store at its bounds, if that is what it runs.
    #[must_use]
    pub fn over_a_store(&self) -> Option<Cluster> {
        let (sessions, names) = (usize::from(self.clients), usize::from(self.names));
        self.cluster.map(|bounds| bounds.cluster(sessions, names))
    }

    /// The protocol at its bounds.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        let symmetry = match self.symmetry {
            Exchangeable::Nothing => Symmetry::None,
            Exchangeable::Clients => Symmetry::Clients,
            Exchangeable::ClientsAndNames => Symmetry::ClientsAndNames,
        };
        let protocol = Protocol::new(self.clients, self.names, symmetry).limits(self.limits());
        if self.sparse { protocol.sparse() } else { protocol }
    }

    fn limits(&self) -> Limits {
        Limits {
            names: self.most_names.unwrap_or(usize::MAX),
            waiters_per_name: self.most_waiters.unwrap_or(usize::MAX),
        }
    }

    /// The goals that it must show.
    #[must_use]
    pub fn goals(&self) -> Ids {
        if self.shards.is_some() || self.cluster.is_some() {
            return Ids::NONE;
        }
        Ids::first(REACHABLE.len()).without(Ids::named(&REACHABLE, &self.unreached))
    }

    /// What it must find.
    #[must_use]
    pub fn expected(&self) -> Explored {
        Explored {
            states: self.states,
            transitions: self.transitions,
            depth: self.depth,
            broken: Ids::NONE,
            shown: self.goals(),
        }
    }

    /// Its bounds, in words.
    #[must_use]
    pub fn bounds(&self) -> String {
        if let Some(cluster) = self.over_a_store() {
            return cluster.bounds();
        }
        let plural = |number: usize| if number == 1 { "" } else { "s" };
        let mut bounds = format!("{} clients × {} name", self.clients, self.names);
        bounds += plural(usize::from(self.names));
        let limits = [
            (self.most_names.map(|names| names as u64), "in use"),
            (self.most_waiters.map(|waiters| waiters as u64), "waiting"),
            (self.grants, "grants"),
        ];
        if let Some(shards) = self.shards {
            bounds += &format!(" in {shards} shard{}", plural(shards));
        }
        if self.untimed {
            bounds += ", untimed";
        }
        if let Some(requests) = self.requests {
            bounds += &format!(" of {} owners", self.clients / requests);
        }
        if self.stepwise {
            bounds += " in steps";
        }
        for (limit, of) in limits {
            if let Some(limit) = limit {
                bounds += &format!(", ≤ {limit} {of}");
            }
        }
        bounds
            + match self.symmetry {
                Exchangeable::Nothing => "",
                Exchangeable::Clients => ", clients alike",
                Exchangeable::ClientsAndNames => ", all alike",
            }
            + if self.sparse { ", sparse" } else { "" }
    }

    /// The chance that stateright took two different states for one and something was missed: it
    /// compares hashes of 64 bits, so among n states some two collide with a probability of about
    /// n² / 2⁶⁵. None if it does not run: the packed explorer compares the states themselves.
    #[must_use]
    pub fn collision(&self) -> Option<f64> {
        let states = self.states as f64;
        let runs = self.explorers.contains(&Explorer::Stateright);
        runs.then(|| states * states / 2f64.powi(65))
    }
}
