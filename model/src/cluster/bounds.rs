//! The bounds of a cluster, as the manifest writes them and as people read them.

use serde::Deserialize;

use super::{Calls, Cluster, Design, Events, Network};

/// What happens in a cluster, apart from how many sessions and names there are.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// By how many milliseconds a slow and a fast clock go on whenever time passes.
    #[serde(default)]
    pub clocks: [u64; 2],
    /// Which calls may be late; without it, none.
    pub late: Option<Late>,
    /// What happens besides.
    #[serde(default)]
    pub events: Events,
    /// If processes do at every tick what they should: the bound on a takeover, in ticks.
    pub takeover: Option<u64>,
    /// Whether clocks are worse than the margin allows for, so that S1 may fail and nothing else.
    #[serde(default)]
    pub beyond_the_margin: bool,
    /// Whether it is checked, too, that nothing is left in the end.
    #[serde(default)]
    pub nothing_is_left: bool,
}

/// Which calls may be late.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Late {
    /// Which.
    pub which: Calls,
    /// How many at the same time.
    pub calls: usize,
    /// How many of them after nobody waits for them any more.
    #[serde(default)]
    pub given_up: usize,
}

impl Bounds {
    /// The cluster of so many sessions and names.
    #[must_use]
    pub fn cluster(&self, sessions: usize, names: usize) -> Cluster {
        let late = |Late { which, calls, given_up }| Network::Late { which, calls, given_up };
        Cluster {
            clocks: self.clocks,
            network: self.late.map_or(Network::AtOnce, late),
            events: self.events,
            takeover: self.takeover,
            design: Design { excludes: !self.beyond_the_margin, ..Design::CORRECT },
            ..Cluster::new(sessions, names)
        }
    }
}

impl Cluster {
    /// Its bounds, in words.
    #[must_use]
    pub fn bounds(&self) -> String {
        let plural = if self.names == 1 { "" } else { "s" };
        let mut bounds = format!("{} sessions × {} name{plural}", self.sessions, self.names);
        match self.clocks {
            [0, 0] => {}
            [slow, fast] if slow == fast => bounds += ", clocks alike",
            [slow, fast] => bounds += &format!(", clocks {slow}:{fast}"),
        }
        if let Network::Late { which, calls, given_up } = self.network {
            let which = match which {
                Calls::Own => " own",
                Calls::Sessions => " session",
                Calls::Names => " name",
                Calls::All => "",
            };
            bounds += &format!(", ≤ {calls} late{which} calls");
            if given_up > 0 {
                bounds += &format!(", ≤ {given_up} given up");
            }
        }
        if let Some(ticks) = self.takeover {
            bounds += &format!(", takeover ≤ {ticks} ticks");
        }
        bounds
    }
}
