//! What happens in a cluster, in words.

use lockspace::store::member::{Answer, Call, News};
use lockspace::store::record::{Record, SessionId};
use lockspace::store::session::End;
use lockspace::store::{Ask, Reply, Version};
use lockspace_spec::{Name as SpecName, RequestId};

use super::Cluster;
use super::world::{
    Action, Failure, Flight, NOW, Name, Slot, Stage, Swapped, What, World, index_of, slot_of,
};
use crate::story::{Actor, Called, Step, Tell};
use crate::world::Doing;

impl Tell for Cluster {
    fn clients(&self) -> u16 {
        self.sessions as u16
    }

    fn middle(&self) -> Actor {
        Actor::Store
    }

    fn why_not(&self, _: &str) -> String {
        let ticks = self.takeover.unwrap_or_default();
        format!("Whoever waits here has done so for {ticks} ticks since the last death.")
    }

    fn tell(&self, world: &mut World, action: &Action) -> Step {
        let before = world.clone();
        let told = self.take(world, *action);
        self.judge(&before, *action, &told, world);
        world.put_in_order();
        let (who, to, did) = self.deed(&before, *action);
        let mut lines: Vec<_> =
            told.swaps.iter().map(|swap| (Actor::Store, stored(swap))).collect();
        lines.extend(told.news.iter().map(|(slot, news)| (actor(*slot), heard(news))));
        lines.extend(told.taken.map(|taken| (who, written(taken).into())));
        Step::of(who, to, did, lines)
    }

    fn doings(&self, world: &World) -> Vec<Doing> {
        (0..self.sessions).map(|slot| doing(world, slot)).collect()
    }

    fn how_it_stands(&self, world: &World) -> Vec<String> {
        let mut lines = Vec::new();
        for (slot, of) in
            (0..self.sessions).flat_map(|slot| (0..self.names).map(move |of| (slot, of)))
        {
            let (who, name) = (actor(slot), called(of));
            let told = world.claimant(slot, of).and_then(|claimant| claimant.told);
            let Some((token, member)) = told.zip(world.member(slot)) else { continue };
            lines.push(if member.session.trusts_itself(NOW) {
                format!("{who} believes to hold {name}, with token {token}")
            } else {
                format!("{who} held {name}, with token {token}, and trusts itself no more")
            });
        }
        let rows = world.store.names.iter().enumerate();
        lines.extend(
            rows.map(|(of, row)| format!("the store says that {}", row_in_words(of, row.as_ref()))),
        );
        lines
    }
}

/// What a session's users do. Where there are several names, the first that anything is done about.
fn doing(world: &World, slot: usize) -> Doing {
    let trusts = world.member(slot).is_some_and(|member| member.session.trusts_itself(NOW));
    let names = (0..world.names.len()).filter_map(|of| Some((of, world.claimant(slot, of)?)));
    let mut doings = names.filter_map(|(of, claimant)| match (claimant.told, claimant.wish) {
        (Some(token), _) if trusts => Some(Doing::Inside { name: SpecName(of as u16), token }),
        (None, Some(_)) => Some(Doing::Waiting),
        _ => None,
    });
    doings.next().unwrap_or_default()
}

impl Cluster {
    /// Who did it, to whom, and what.
    fn deed(&self, before: &World, action: Action) -> (Actor, Actor, String) {
        let store = |slot, did: String| (actor(slot), Actor::Store, did);
        match action {
            Action::Begin(slot) => store(slot, "begins a session".into()),
            Action::Want(slot, of) => store(slot, format!("wants {}", called(of))),
            Action::GiveUp(slot, of) => {
                let told = before.claimant(slot, of).and_then(|claimant| claimant.told);
                let did = if told.is_some() { "is done with" } else { "wants no more" };
                store(slot, format!("{did} {}", called(of)))
            }
            Action::PassOn(slot, of) => {
                store(slot, format!("is done with {}, which somebody else there wants", called(of)))
            }
            Action::Look(slot, of) => store(slot, format!("looks at {} again", called(of))),
            Action::Sweep(slot) => store(slot, "sweeps".into()),
            Action::Wake(slot) => store(slot, "does what is due for its session".into()),
            Action::Close(slot) => store(slot, "closes its session".into()),
            Action::Crash(slot) => store(slot, "crashes".into()),
            Action::Serve(slot, flight) => {
                let call = in_words(&before.slots[slot].flights[flight].call);
                (Actor::Store, actor(slot), format!("gets the call of {} {call}", actor(slot)))
            }
            Action::Deliver(slot, flight) => {
                let flight = &before.slots[slot].flights[flight];
                let answer = answered(flight);
                (
                    Actor::Store,
                    actor(slot),
                    format!("reaches {} with its answer: {answer}", actor(slot)),
                )
            }
            Action::Fail(slot, flight, how) => {
                let flight = &before.slots[slot].flights[flight];
                let call = in_words(&flight.call);
                store(
                    slot,
                    match how {
                        Failure::Refused => format!("is refused its call {call}"),
                        Failure::Late => {
                            format!("stops waiting for its call {call}, which is still on its way")
                        }
                        Failure::Lost if flight.is_served() => {
                            format!(
                                "stops waiting for its call {call}: it was done, the answer is lost"
                            )
                        }
                        Failure::Lost => {
                            format!("stops waiting for its call {call}, which is lost")
                        }
                    },
                )
            }
            Action::Force(of) => {
                (Actor::Operator, Actor::Store, format!("forces the release of {}", called(of)))
            }
            Action::Write(slot, of) => {
                let token = before.slots[slot].users[of].guard.map(|token| token.to_string());
                let token = token.unwrap_or_default();
                (
                    actor(slot),
                    Actor::Resource,
                    format!("writes to {}, with token {token}", called(of)),
                )
            }
            Action::Tick(fast) => {
                let up = (0..self.sessions).filter(|slot| before.member(*slot).is_some());
                let clock = |slot| {
                    let by = self.clocks[usize::from(fast >> slot & 1)];
                    format!("{by} ms for {}", actor(slot))
                };
                let clocks: Vec<_> = up.map(clock).collect();
                let did = format!("passes: {}", clocks.join(" and "));
                (Actor::Time, Actor::Store, if clocks.is_empty() { "passes".into() } else { did })
            }
        }
    }
}

fn actor(slot: Slot) -> Actor {
    Actor::Client(RequestId(slot as u16))
}

fn whose(id: SessionId) -> Actor {
    actor(slot_of(id))
}

fn called(of: Name) -> Called {
    Called(SpecName(of as u16))
}

fn row_in_words(of: Name, row: Option<&(Version, Record)>) -> String {
    let Some((version, record)) = row else { return format!("{} is free", called(of)) };
    let held = format!(
        "{} is held by {}, with token {}",
        called(of),
        whose(record.holder.session),
        record.token_at(*version)
    );
    let queue: Vec<_> = record.queue.iter().map(|claim| whose(claim.session).to_string()).collect();
    match queue.as_slice() {
        [] => held,
        [one] => format!("{held}, and {one} waits"),
        many => format!("{held}, and {} wait", many.join(" and ")),
    }
}

fn stored(swap: &Swapped) -> String {
    match &swap.what {
        What::Name(of, _, row) => row_in_words(*of, row.as_ref()),
        What::Session(slot, false, _) => format!("{} lives", actor(*slot)),
        What::Session(slot, true, true) => format!("{} still lives", actor(*slot)),
        What::Session(slot, true, false) => format!("{} lives no more", actor(*slot)),
    }
}

fn heard(news: &News) -> String {
    let called = |name| called(index_of(name));
    match news {
        News::Begun => "its session has begun".into(),
        News::Granted(name, token) => format!("granted {}, with token {token}", called(name)),
        News::Lost(name, _) => format!("lost {}, somebody took it away", called(name)),
        News::Left(name) => format!("nothing of it is left in {}", called(name)),
        News::Unreadable(name) => format!("the row of {} cannot be read", called(name)),
        News::Ended(end) => format!("its session has ended, {}", why(*end)),
    }
}

const fn why(end: End) -> &'static str {
    match end {
        End::NotBegun => "it could not be begun",
        End::Outage => "it was not kept alive in time",
        End::Removed => "its row was removed",
        End::StoreWentBack => "the store went back in time",
        End::Copied => "somebody else has its number",
        End::Unreadable => "its row cannot be read",
        End::Closed => "it was closed",
    }
}

const fn written(taken: bool) -> &'static str {
    if taken { "written" } else { "refused, the token is too old" }
}

fn in_words(call: &Call) -> String {
    match call {
        Call::Own(Ask::Load) => "to see whether it lives".into(),
        Call::Own(Ask::Swap { expected: None, .. }) => "to begin its session".into(),
        Call::Own(Ask::Swap { new: Some(_), .. }) => "to be kept alive".into(),
        Call::Own(Ask::Swap { new: None, .. }) => "to end its session".into(),
        Call::Other(id, Ask::Load) => format!("to see whether {} lives", whose(*id)),
        Call::Other(id, Ask::Swap { .. }) => format!("to remove {} as dead", whose(*id)),
        Call::Name(name, Ask::Load) => format!("to see {}", called(index_of(name))),
        Call::Name(name, Ask::Swap { expected, new }) => {
            let record = new.clone().map(|record| (Version(0), record));
            let row = match &record {
                Some((_, record)) if record.token.is_none() => {
                    format!(
                        "{} is held by {}",
                        called(index_of(name)),
                        whose(record.holder.session)
                    )
                }
                row => row_in_words(index_of(name), row.as_ref()),
            };
            let if_free = if expected.is_none() { ", if it is free" } else { "" };
            format!("to write that {row}{if_free}")
        }
        Call::Scan => "for all rows".into(),
    }
}

fn answered(flight: &Flight) -> &'static str {
    let done = match &flight.stage {
        Stage::Served(Answer::Own(reply) | Answer::Other(_, reply)) => {
            matches!(reply, Reply::Swapped(_))
        }
        Stage::Served(Answer::Name(_, reply)) => matches!(reply, Reply::Swapped(_)),
        _ => true,
    };
    if done { "done" } else { "not done, it is not as expected" }
}
