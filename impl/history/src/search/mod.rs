//! The search: is there an order of moments that the specification allows?
//!
//! In the manner of Wing and Gong, and of Lowe: it goes through the events and keeps every configuration
//! in which the specification may be ([`config`]). An event at which a call ends demands that the call has
//! happened; only then, and only as far as it must, the open operations are tried in every order. What was
//! reached twice is followed once. No configuration left: no order, and the history is not legal.
//!
//! **One name at a time.** The specification's step for one name reads and writes that name's holds, queue
//! and timers alone, but for three things. *Tokens* come from one counter; here only their order within the
//! name is used, and that no token is given twice is found elsewhere. The *limit on names* is about the
//! others: where there is one, a request of a free name may be refused as `AtCapacity`, whether or not there
//! were enough others. *Shutdown* concerns every name, and each may go through it at its own moment while the
//! call lasts; but once anybody has been told of it, it has begun for all (S9), which is demanded of each.
//!
//! What this module must not do: know the protocol. It asks the specification.

mod config;
mod explain;
mod plan;

use std::collections::BTreeSet;
use std::sync::Arc;

use lockspace_spec::Limits;

use crate::calls::{Calls, Finding};
use crate::history::Header;
use crate::verdict::Budget;
use config::{Config, Place};
use plan::{Moment, Plan};

/// How the search for one name ended, unless it found that there is no order.
pub(crate) enum Found {
    /// There is an order; so many configurations were looked at.
    Legal { configurations: u64 },
    /// The budget was spent.
    Unknown,
}

/// Searches name by name.
pub(crate) fn search(
    calls: &Calls,
    header: &Header,
    budget: Budget,
) -> impl Iterator<Item = (Arc<str>, Result<Found, Finding>)> {
    let limits = plan::limits_of(header);
    let plans = plan::plans(calls).into_iter().zip(&calls.names);
    plans.map(move |(plan, name)| {
        let found = Search::new(&plan, header, budget).run(limits);
        let named = |finding| Finding { name: Some(Arc::clone(name)), ..finding };
        (Arc::clone(name), found.map_err(named))
    })
}

struct Search<'p> {
    place: Place<'p>,
    configurations: u64,
    budget: Budget,
}

/// The budget is spent.
struct Spent;

impl<'p> Search<'p> {
    fn new(plan: &'p Plan, header: &Header, budget: Budget) -> Self {
        let place = Place {
            plan,
            at: 0,
            owners: vec![u32::MAX; plan.slots],
            tickets: header.tickets,
            names_limited: header.max_names.is_some(),
        };
        Self { place, configurations: 0, budget }
    }

    fn run(mut self, limits: Limits) -> Result<Found, Finding> {
        let plan = self.place.plan;
        if u16::try_from(plan.slots).is_err() {
            return Ok(Found::Unknown); // More requests at once than the specification has ids.
        }
        let mut frontier = BTreeSet::from([Config::new(limits)]);
        for (at, (event, moment)) in plan.moments.iter().enumerate() {
            self.place.at = at;
            let next = match moment {
                Moment::Invoke(op) => Ok(self.begin(frontier.clone(), *op)),
                moment => self.reach(&frontier, *moment),
            };
            let Ok(next) = next else { return Ok(Found::Unknown) };
            if next.is_empty() {
                return Err(explain::finding(&self.place, &frontier, *event, *moment));
            }
            frontier = self.forget(next, *event, *moment);
        }
        Ok(Found::Legal { configurations: self.configurations })
    }

    /// An operation is open from here on.
    fn begin(&mut self, frontier: BTreeSet<Config>, op: u32) -> BTreeSet<Config> {
        let slot = self.place.plan.ops[op as usize].acquire.slot;
        if self.place.plan.ops[op as usize].is_acquire() {
            self.place.owners[slot.0 as usize] = op;
        }
        let begun = frontier.into_iter().map(|mut config| {
            config.open.push(op);
            self.place.settled(config)
        });
        begun.collect()
    }

    /// The configurations in which all has happened that must have, reached in as few steps as may be.
    fn reach(
        &mut self,
        frontier: &BTreeSet<Config>,
        moment: Moment,
    ) -> Result<BTreeSet<Config>, Spent> {
        let fits = |config: &&Config| self.place.allows(config, moment);
        let (mut reached, mut todo): (BTreeSet<_>, Vec<_>) = (BTreeSet::new(), Vec::new());
        for config in frontier {
            if fits(&config) {
                reached.insert(config.clone());
            } else {
                todo.push(config.clone());
            }
        }
        let mut seen: BTreeSet<Config> = BTreeSet::new();
        while let Some(config) = todo.pop() {
            self.configurations += 1;
            if self.configurations > self.budget.configurations {
                return Err(Spent);
            }
            for next in self.place.successors(&config) {
                if self.place.allows(&next, moment) {
                    reached.insert(next);
                } else if seen.insert(next.clone()) {
                    todo.push(next);
                }
            }
        }
        Ok(reached)
    }

    /// What no later event is about need not be remembered.
    fn forget(&self, configs: BTreeSet<Config>, event: usize, moment: Moment) -> BTreeSet<Config> {
        let (Moment::Return(op) | Moment::Lost(op, _)) = moment else { return configs };
        let request = self.place.plan.ops[op as usize].request;
        if self.place.plan.ops[request as usize].acquire.last != event {
            return configs;
        }
        let forgetting = configs.into_iter().map(|mut config| {
            config.lost.retain(|(op, _)| *op != request);
            config
        });
        forgetting.collect()
    }
}
