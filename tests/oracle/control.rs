//! The oracle judged: it must catch every subject that is wrong.
//!
//! Each fault is a lockspace that is right but for one thing, which a wrapper spoils. The plans are the
//! same every time, so that a control cannot fail by bad luck.

use lockspace_spec::{Loss, Phase, RequestId};
use lockspace_tests::{InProcess, Judge, Move, Observation, Reply, Setup, Subject};

use crate::generated::the_same_plans_every_time;

/// What is wrong with a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    SwallowsAWakeUp,
    WakesSomebodyInVain,
    ReversesAQueue,
    OvertakenHolderHearsReleased,
    SaysTheWrongReasonOfALoss,
    ReusesATokenAfterItsRelease,
    KeepsATimer,
    KeepsTheEntryOfAnIdleName,
    KeepsACancelledWaiter,
    KeepsWhatAGuardDropped,
    DoesNotRenew,
    IgnoresAWaitTimeout,
    IgnoresALease,
    IgnoresTheGraceOfAShutdown,
    ForgetsAnUnseenAnswer,
    MiscountsAGrant,
    LeavesATaskBehind,
    NeverCloses,
}

/// A lockspace with a fault.
struct Faulty {
    inner: InProcess,
    fault: Fault,
    last_released: Option<u64>,
}

impl Faulty {
    fn new(setup: &Setup, fault: Fault) -> Self {
        Self { inner: InProcess::new(setup), fault, last_released: None }
    }

    /// The move that is really made.
    fn instead_of(&self, what: &Move) -> Option<Move> {
        use Fault as F;
        match (self.fault, *what) {
            (F::KeepsACancelledWaiter, Move::Leave { .. })
            | (F::KeepsWhatAGuardDropped, Move::Drop { .. }) => None,
            (F::DoesNotRenew, Move::Renew { .. }) => None,
            (
                F::IgnoresAWaitTimeout,
                Move::Ask { request, name, wait: Some(1..), lease, owner },
            ) => Some(Move::Ask { request, name, wait: None, lease, owner }),
            (F::IgnoresALease, Move::Ask { request, name, wait, owner, .. }) => {
                Some(Move::Ask { request, name, wait, lease: None, owner })
            }
            (F::IgnoresTheGraceOfAShutdown, Move::ShutDown { .. }) => {
                Some(Move::ShutDown { grace: 0 })
            }
            (_, what) => Some(what),
        }
    }
}

impl Subject for Faulty {
    fn apply(&mut self, what: &Move) -> Reply {
        if let Move::Release { .. } = what {
            let held = self.inner.observe().names.first().map(|name| name.token);
            self.last_released = held;
        }
        let reply = match self.instead_of(what) {
            Some(what) => self.inner.apply(&what),
            None if matches!(what, Move::Renew { .. }) => Reply::Renewed,
            None => Reply::Nothing,
        };
        match (self.fault, reply) {
            (Fault::OvertakenHolderHearsReleased, Reply::Lost(_)) => Reply::Released,
            (Fault::SaysTheWrongReasonOfALoss, Reply::Lost(Loss::Forced)) => {
                Reply::Lost(Loss::LeaseElapsed)
            }
            (Fault::ReusesATokenAfterItsRelease, Reply::Granted(token)) => {
                Reply::Granted(self.last_released.unwrap_or(token))
            }
            (_, reply) => reply,
        }
    }

    fn woken(&mut self) -> Vec<RequestId> {
        let mut woken = self.inner.woken();
        match self.fault {
            Fault::SwallowsAWakeUp => drop(woken.pop()),
            Fault::WakesSomebodyInVain => woken.extend(woken.first().copied()),
            _ => {}
        }
        woken
    }

    fn observe(&self) -> Observation {
        let mut seen = self.inner.observe();
        let ledger = &mut seen.ledger;
        match self.fault {
            Fault::ReversesAQueue => seen.names.iter_mut().for_each(|name| name.waiters.reverse()),
            Fault::KeepsATimer => ledger.timers += usize::from(seen.counts.lost_lease > 0),
            Fault::KeepsTheEntryOfAnIdleName => ledger.held = ledger.held.max(1),
            Fault::ForgetsAnUnseenAnswer => ledger.unseen = 0,
            Fault::MiscountsAGrant => seen.counts.granted &= !1,
            Fault::LeavesATaskBehind => ledger.tasks += usize::from(seen.counts.timed_out > 0),
            Fault::NeverCloses if seen.phase == Phase::Closed => seen.phase = Phase::Draining,
            _ => {}
        }
        seen
    }
}

/// The story by which the oracle found the fault out.
fn caught(fault: Fault) -> String {
    the_same_plans_every_time(200)
        .find_map(|plan| {
            let mut judge = Judge::new(&plan.setup, Faulty::new(&plan.setup, fault));
            plan.judge(&mut judge).err()
        })
        .unwrap_or_else(|| panic!("nobody noticed a lockspace that {fault:?}"))
        .to_string()
}

macro_rules! controls {
    ($($sentence:ident: $fault:ident, by $about:literal;)*) => {$(
        #[test]
        fn $sentence() {
            let story = caught(Fault::$fault);
            assert!(story.contains($about), "caught, but not by what it was to be caught by:\n{story}");
        }
    )*};
}

controls! {
    a_swallowed_wake_up_is_noticed: SwallowsAWakeUp, by "those are woken";
    a_wake_up_in_vain_is_noticed: WakesSomebodyInVain, by "those are woken";
    a_queue_out_of_order_is_noticed: ReversesAQueue, by "this is to be seen";
    an_overtaken_holder_that_hears_released_is_noticed: OvertakenHolderHearsReleased, by "the mover is told";
    a_wrong_reason_of_a_loss_is_noticed: SaysTheWrongReasonOfALoss, by "the mover is told";
    a_token_used_again_is_noticed: ReusesATokenAfterItsRelease, by "the new token";
    a_timer_that_stays_armed_is_noticed: KeepsATimer, by "this is to be seen";
    an_entry_that_stays_is_noticed: KeepsTheEntryOfAnIdleName, by "this is to be seen";
    a_cancelled_waiter_that_stays_is_noticed: KeepsACancelledWaiter, by "After the last step, th";
    a_guard_whose_drop_releases_nothing_is_noticed: KeepsWhatAGuardDropped, by "After the last step, th";
    a_renewal_that_renews_nothing_is_noticed: DoesNotRenew, by "this is to be seen";
    a_wait_that_does_not_end_is_noticed: IgnoresAWaitTimeout, by "this is to be seen";
    a_lease_that_does_not_end_is_noticed: IgnoresALease, by "this is to be seen";
    a_shutdown_without_its_grace_is_noticed: IgnoresTheGraceOfAShutdown, by "this is to be seen";
    an_answer_that_is_not_kept_is_noticed: ForgetsAnUnseenAnswer, by "this is to be seen";
    a_counter_that_is_off_is_noticed: MiscountsAGrant, by "this is to be seen";
    a_task_left_behind_is_noticed: LeavesATaskBehind, by "this is to be seen";
    a_shutdown_that_never_closes_is_noticed: NeverCloses, by "this is to be seen";
}

#[test]
fn a_disagreement_is_told_as_numbered_steps_with_what_was_expected_and_what_came() {
    let story = caught(Fault::OvertakenHolderHearsReleased);
    for part in [
        "   1.      0 ms  ",
        " asks for name ",
        "hears: not held",
        "expected Lost(",
        "got      Released",
    ] {
        assert!(story.contains(part), "{part:?} is missing in:\n{story}");
    }
}
