//! Cancelling an acquire: in every mode, after every number of polls, with anybody else's move before
//! any of the polls and another one after the drop. The judge compares each step with the specification.

use lockspace_spec::{Name, Phase, RequestId, Wait};
use lockspace_tests::{Hand, InProcess, Judge, Move, Ms, Setup, Stage};
use std::pin::pin;
use std::task::Poll;

use crate::{LONG, assert_free};

const NAME: Name = Name(0);
const HOLDER: RequestId = RequestId(1);
const VICTIM: RequestId = RequestId(2);
const NEXT: RequestId = RequestId(3);

/// The lease of the holder, the wait and lease of the victim: all different, so that each can end alone.
const HOLDERS_LEASE: Ms = 50;
const VICTIMS_WAIT: Ms = 20;
const VICTIMS_LEASE: Ms = 30;

/// What the others do.
#[derive(Clone, Copy, Debug)]
enum Other {
    Nothing,
    HolderReleases,
    NextLeaves,
    OperatorForces,
    WaitOfTheVictimEnds,
    LeaseOfTheHolderEnds,
    ShutdownBegins,
    ShutdownRevokes,
}

const OTHERS: [Other; 8] = [
    Other::Nothing,
    Other::HolderReleases,
    Other::NextLeaves,
    Other::OperatorForces,
    Other::WaitOfTheVictimEnds,
    Other::LeaseOfTheHolderEnds,
    Other::ShutdownBegins,
    Other::ShutdownRevokes,
];

/// One way to cancel.
#[derive(Clone, Copy, Debug)]
struct Case {
    wait: Wait,
    leased: bool,
    polls: usize,
    /// What happens before this many of the polls.
    before: (usize, Other),
    after: Other,
}

fn cases() -> impl Iterator<Item = Case> {
    let modes = [Wait::Bounded, Wait::Unbounded].map(|wait| [(wait, false), (wait, true)]);
    let modes = modes.into_iter().flatten();
    let polls = (1..=3).flat_map(|polls| (1..=polls).map(move |place| (polls, place)));
    modes.flat_map(move |(wait, leased)| {
        polls.clone().flat_map(move |(polls, place)| {
            OTHERS.into_iter().flat_map(move |before| {
                OTHERS.into_iter().map(move |after| Case {
                    wait,
                    leased,
                    polls,
                    before: (place, before),
                    after,
                })
            })
        })
    })
}

#[test]
fn acquire_dropped_after_any_poll_leaves_nothing_and_the_next_is_granted() {
    let mut count = 0;
    for case in cases() {
        if let Err(story) = cancel(case) {
            panic!("{case:?}\n{story}");
        }
        count += 1;
    }
    assert_eq!(count, 4 * 6 * 8 * 8, "all of them");
}

fn cancel(case: Case) -> Result<(), String> {
    let setup = Setup { shards: 1, timing: false, ..Setup::default() };
    let mut scene = Scene(Judge::new(&setup, InProcess::new(&setup)));
    let wait = (case.wait == Wait::Bounded).then_some(VICTIMS_WAIT);
    scene.ask(HOLDER, None, Some(HOLDERS_LEASE))?;
    scene.ask(VICTIM, wait, case.leased.then_some(VICTIMS_LEASE))?; // The first poll.
    scene.ask(NEXT, None, None)?;
    for poll in 1..=case.polls {
        if case.before.0 == poll {
            scene.other(case.before.1)?;
        }
        if poll < case.polls {
            scene.look(VICTIM)?;
        }
    }
    scene.drop_what_is_left_of(VICTIM)?;
    scene.other(case.after)?;
    scene.other(Other::HolderReleases)?;
    scene.next_has_its_turn()?;
    scene.0.wind_up().map_err(|story| story.to_string())?;
    match scene.0.into_subject().tasks_left_when_dropped() {
        0 => Ok(()),
        tasks => Err(format!("{tasks} tasks are left")),
    }
}

struct Scene(Judge<InProcess>);

impl Scene {
    fn play(&mut self, what: Move) -> Result<(), String> {
        self.0.step(&what).map_err(|story| story.to_string())
    }

    fn ask(
        &mut self,
        request: RequestId,
        wait: Option<Ms>,
        lease: Option<Ms>,
    ) -> Result<(), String> {
        let name = NAME;
        self.play(Move::Ask { request, name, wait, lease, owner: None })
    }

    fn stage(&self, request: RequestId) -> Option<Stage> {
        let mut clients = self.0.clients();
        clients.find(|(other, _)| *other == request).map(|(_, client)| client.stage)
    }

    /// Polls, unless it has a guard or nothing at all.
    fn look(&mut self, request: RequestId) -> Result<(), String> {
        match self.stage(request) {
            Some(Stage::Holding(_)) | None => Ok(()),
            Some(_) => self.play(Move::Look { request, elsewhere: false }),
        }
    }

    fn drop_what_is_left_of(&mut self, request: RequestId) -> Result<(), String> {
        match self.stage(request) {
            None => Ok(()),
            Some(Stage::Holding(_)) => self.play(Move::Drop { request }),
            Some(_) => self.play(Move::Leave { request }),
        }
    }

    fn other(&mut self, other: Other) -> Result<(), String> {
        match other {
            Other::Nothing => Ok(()),
            Other::HolderReleases => self.drop_what_is_left_of(HOLDER),
            Other::NextLeaves => self.drop_what_is_left_of(NEXT),
            Other::OperatorForces => self.play(Move::Force { name: NAME }),
            Other::WaitOfTheVictimEnds => self.play(Move::Pass { time: VICTIMS_WAIT }),
            Other::LeaseOfTheHolderEnds => self.play(Move::Pass { time: HOLDERS_LEASE }),
            Other::ShutdownBegins => self.play(Move::ShutDown { grace: 1_000 }),
            Other::ShutdownRevokes => self.play(Move::ShutDown { grace: 0 }),
        }
    }

    /// If the next one still wants the name, and nobody took it away or shut down, it has it now.
    fn next_has_its_turn(&mut self) -> Result<(), String> {
        let waits_in_vain =
            self.0.spec().phase == Phase::Open && self.stage(NEXT) == Some(Stage::Waiting);
        assert!(!waits_in_vain, "nobody else is left, so it is the next one's turn");
        self.look(NEXT)
    }
}

#[tokio::test]
async fn acquire_dropped_unpolled_has_never_asked() {
    let space = lockspace::LockSpace::new();
    drop(space.acquire("a").wait_timeout(LONG).lease(LONG).into_future());
    assert!(space.audit().is_quiescent());
    assert_eq!(space.stats(), lockspace::Stats::default());
}

#[tokio::test]
async fn acquire_that_is_out_of_budget_has_not_asked_yet() {
    let space = lockspace::LockSpace::new();
    let guard = space.try_acquire("a").unwrap();
    let mut acquire = pin!(space.acquire("a").into_future());
    std::future::poll_fn(|cx| {
        while let Poll::Ready(share) = tokio::task::coop::poll_proceed(cx) {
            share.made_progress();
        }
        assert!(acquire.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    assert_eq!(space.audit().waiting, 0, "it yields first, and queues after");
    tokio::task::yield_now().await; // A new budget.
    std::future::poll_fn(|cx| {
        assert!(acquire.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    assert_eq!(space.audit().waiting, 1);
    drop(guard);
    drop(acquire.await.unwrap());
    assert_free(&space, "a");
}

#[tokio::test]
async fn all_waiters_dropped_at_once_in_any_order_leave_an_empty_queue() {
    let space = lockspace::LockSpace::new();
    let guard = space.try_acquire("a").unwrap();
    for seed in 0..50 {
        let ask = || Hand::new(space.acquire("a").wait_timeout(LONG).into_future()).waits();
        let mut waiters: Vec<_> = (0..20).map(|_| ask()).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut waiters);
        while waiters.pop().is_some() {
            let audit = space.audit();
            assert!(audit.is_clean() && audit.waiting == waiters.len(), "seed {seed}: {audit}");
        }
    }
    drop(guard);
    assert_free(&space, "a");
}
