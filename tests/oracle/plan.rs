//! Sequences of wishes, which any seed and any shrinking can make, and their way to moves that make
//! sense where they are made.

use lockspace_spec::{Limits, Name, OwnerId, Phase, RequestId};
use lockspace_tests::{Client, Disagreement, Judge, Move, Ms, Setup, Stage, Subject};
use proptest::prelude::*;
use proptest::strategy::Union;

/// A lockspace and what is to happen to it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) setup: Setup,
    pub(crate) wishes: Vec<Wish>,
}

/// A move without its actor: the index chooses one among those who can make it. Where nobody can,
/// nothing happens.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    Ask(Name, Option<Ms>, Option<Ms>, Option<OwnerId>),
    Look(usize, bool),
    Leave(usize),
    Release(usize),
    Drop(usize),
    Renew(usize, Ms),
    Force(Name),
    ShutDown(Ms),
    /// Time passes until the next timer is due.
    Elapse,
    Pass(Ms),
}

/// Any plan of so many wishes.
pub(crate) fn plans(wishes: usize) -> impl Strategy<Value = Plan> {
    let names = prop_oneof![4 => Just(usize::MAX), 1 => 1..3_usize];
    let waiters = prop_oneof![4 => Just(usize::MAX), 1 => 0..3_usize];
    let shards = prop::sample::select(vec![1, 2, 8]);
    let flags = (any::<bool>(), any::<bool>());
    let setup = (names, waiters, shards, flags).prop_map(
        |(names, waiters_per_name, shards, (timing, detect_deadlocks))| {
            let limits = Limits { names, waiters_per_name };
            Setup { limits, shards, timing, detect_deadlocks }
        },
    );
    let among = |names| prop::collection::vec(wish(names), 1..wishes);
    // Few names, so that they are contended; or more than have a place beside the lock of a shard.
    (setup, prop_oneof![3 => among(3), 1 => among(9)])
        .prop_map(|(setup, wishes)| Plan { setup, wishes })
}

fn wish(names: u16) -> Union<BoxedStrategy<Wish>> {
    // Few durations, so that many end together.
    let name = || (0..names).prop_map(Name);
    let time = || prop_oneof![3 => 1..6_u64, 1 => 1..40_u64];
    let wait = prop_oneof![1 => Just(None), 1 => Just(Some(0)), 3 => time().prop_map(Some)];
    let lease = prop_oneof![2 => Just(None), 1 => time().prop_map(Some)];
    let who = || 0..8_usize;
    // Fewer owners than requests, so that an owner has several, waits for several, and meets itself.
    let owner =
        prop_oneof![1 => Just(None), 3 => (0..4_u16).prop_map(|owner| Some(OwnerId(owner)))];
    let ask = (name(), wait, lease, owner)
        .prop_map(|(name, wait, lease, owner)| Wish::Ask(name, wait, lease, owner));
    let look = (who(), any::<bool>()).prop_map(|(who, elsewhere)| Wish::Look(who, elsewhere));
    let renew = (who(), time()).prop_map(|(who, lease)| Wish::Renew(who, lease));
    let grace = prop_oneof![1 => Just(0), 2 => time()];
    Union::new_weighted(vec![
        (40, ask.boxed()),
        (20, look.boxed()),
        (10, who().prop_map(Wish::Leave).boxed()),
        (12, who().prop_map(Wish::Release).boxed()),
        (6, who().prop_map(Wish::Drop).boxed()),
        (6, renew.boxed()),
        (3, name().prop_map(Wish::Force).boxed()),
        (2, grace.prop_map(Wish::ShutDown).boxed()),
        (10, Just(Wish::Elapse).boxed()),
        (8, time().prop_map(Wish::Pass).boxed()),
    ])
}

impl Plan {
    /// Makes every move of the plan that can be made, and winds up.
    pub(crate) fn judge<S: Subject>(&self, judge: &mut Judge<S>) -> Result<(), Disagreement> {
        self.judge_by(judge, Judge::step)
    }

    /// The same, with another way to make a move.
    pub(crate) fn judge_by<S: Subject>(
        &self,
        judge: &mut Judge<S>,
        step: impl Fn(&mut Judge<S>, &Move) -> Result<(), Disagreement>,
    ) -> Result<(), Disagreement> {
        let mut requests = (0..).map(RequestId);
        for wish in &self.wishes {
            if let Some(what) = wish.make(judge, &mut requests) {
                step(judge, &what)?;
            }
        }
        judge.wind_up()
    }
}

impl Wish {
    fn make<S>(
        &self,
        judge: &Judge<S>,
        requests: &mut impl Iterator<Item = RequestId>,
    ) -> Option<Move> {
        let acquiring = |index| nth(judge, index, Client::is_acquiring);
        let holding = |index| nth(judge, index, |client| matches!(client.stage, Stage::Holding(_)));
        Some(match *self {
            Self::Ask(name, wait, lease, owner) => {
                Move::Ask { request: requests.next()?, name, wait, lease, owner }
            }
            Self::Look(index, elsewhere) => Move::Look { request: acquiring(index)?, elsewhere },
            Self::Leave(index) => Move::Leave { request: acquiring(index)? },
            Self::Release(index) => Move::Release { request: holding(index)? },
            Self::Drop(index) => Move::Drop { request: holding(index)? },
            Self::Renew(index, lease) => Move::Renew { request: holding(index)?, lease },
            Self::Force(name) => Move::Force { name },
            // A plan goes on for a while before its shutdown; the second one comes at any time.
            Self::ShutDown(grace)
                if judge.spec().phase != Phase::Open || judge.spec().next_token.0 > 4 =>
            {
                Move::ShutDown { grace }
            }
            Self::ShutDown(_) => return None,
            Self::Elapse => Move::Pass { time: judge.next_due_in()? },
            Self::Pass(time) => Move::Pass { time },
        })
    }
}

fn nth<S>(judge: &Judge<S>, index: usize, can: impl Fn(&Client) -> bool) -> Option<RequestId> {
    let able: Vec<_> =
        judge.clients().filter(|(_, client)| can(client)).map(|(request, _)| request).collect();
    able.get(index % able.len().max(1)).copied()
}
