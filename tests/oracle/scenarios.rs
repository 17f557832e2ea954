//! Scenarios written by hand: the failures that lock services are known for, each as a sentence. Every
//! step is judged as the generated ones are; what the sentence says is asserted on top.

use lockspace_spec::{Limits, Name, Phase, RequestId};
use lockspace_tests::{InProcess, Judge, Move, Ms, Setup};

const A: Name = Name(0);
const B: Name = Name(1);

/// A judged lockspace, with moves that read as sentences.
struct Scene(Judge<InProcess>);

impl Scene {
    fn open() -> Self {
        Self::with(Limits::UNLIMITED)
    }

    fn with(limits: Limits) -> Self {
        let setup = Setup { limits, ..Setup::default() };
        Self(Judge::new(&setup, InProcess::new(&setup)))
    }

    #[track_caller]
    fn play(&mut self, what: Move) -> &mut Self {
        if let Err(story) = self.0.step(&what) {
            panic!("{story}");
        }
        self
    }

    #[track_caller]
    fn ask(&mut self, request: u16, name: Name) -> &mut Self {
        self.ask_for(request, name, None, None)
    }

    #[track_caller]
    fn ask_for(
        &mut self,
        request: u16,
        name: Name,
        wait: Option<Ms>,
        lease: Option<Ms>,
    ) -> &mut Self {
        let request = RequestId(request);
        self.play(Move::Ask { request, name, wait, lease, owner: None })
    }

    #[track_caller]
    fn look(&mut self, request: u16) -> &mut Self {
        let request = RequestId(request);
        self.play(Move::Look { request, elsewhere: true })
    }

    #[track_caller]
    fn leave(&mut self, request: u16) -> &mut Self {
        let request = RequestId(request);
        self.play(Move::Leave { request })
    }

    #[track_caller]
    fn release(&mut self, request: u16) -> &mut Self {
        let request = RequestId(request);
        self.play(Move::Release { request })
    }

    #[track_caller]
    fn renew(&mut self, request: u16, lease: Ms) -> &mut Self {
        let request = RequestId(request);
        self.play(Move::Renew { request, lease })
    }

    #[track_caller]
    fn pass(&mut self, time: Ms) -> &mut Self {
        self.play(Move::Pass { time })
    }

    /// Who holds a name.
    fn holder(&self, name: Name) -> Option<u16> {
        let (_, hold) = self.0.spec().holder_of(name)?;
        Some(hold.request.0)
    }

    #[track_caller]
    fn end(mut self) {
        if let Err(story) = self.0.wind_up() {
            panic!("{story}");
        }
        assert_eq!(self.0.into_subject().tasks_left_when_dropped(), 0);
    }
}

#[test]
fn expired_holder_cannot_release() {
    let mut scene = Scene::open();
    scene.ask_for(1, A, None, Some(10)).ask(2, A).pass(10).look(2);
    scene.release(1); // Hears that its lease had ended.
    assert_eq!(scene.holder(A), Some(2), "its successor is not disturbed");
    scene.end();
}

#[test]
fn holder_whose_name_was_taken_away_cannot_release_what_a_third_one_holds() {
    let mut scene = Scene::open();
    scene.ask(1, A).ask(2, A).ask(3, A);
    scene.play(Move::Force { name: A }).look(2).release(2).look(3);
    scene.release(1);
    assert_eq!(scene.holder(A), Some(3));
    scene.end();
}

#[test]
fn renewal_never_brings_a_lost_hold_back() {
    let mut scene = Scene::open();
    scene.ask_for(1, A, None, Some(10)).pass(10).renew(1, 1_000);
    assert_eq!(scene.holder(A), None);
    scene.ask(2, A).renew(1, 1_000).release(1);
    assert_eq!(scene.holder(A), Some(2));
    scene.end();
}

#[test]
fn renewed_lease_ends_at_its_new_end_and_not_at_its_old_one() {
    let mut scene = Scene::open();
    scene.ask_for(1, A, None, Some(10)).pass(8).renew(1, 10).pass(9);
    assert_eq!(scene.holder(A), Some(1));
    scene.pass(1);
    assert_eq!(scene.holder(A), None);
    scene.end();
}

#[test]
fn renewal_may_also_bring_the_end_of_a_lease_forward() {
    let mut scene = Scene::open();
    scene.ask_for(1, A, None, Some(1_000)).ask_for(2, B, None, Some(500));
    scene.renew(1, 5).pass(5);
    assert_eq!((scene.holder(A), scene.holder(B)), (None, Some(2)));
    scene.end();
}

#[test]
fn lease_counts_from_the_grant_and_not_from_the_request() {
    let mut scene = Scene::open();
    scene.ask(1, A).ask_for(2, A, None, Some(10)).pass(100).release(1).pass(9);
    assert_eq!(scene.holder(A), Some(2));
    scene.pass(1);
    assert_eq!(scene.holder(A), None);
    scene.end();
}

#[test]
fn waiter_that_timed_out_is_never_granted_afterwards() {
    let mut scene = Scene::open();
    scene.ask(1, A).ask_for(2, A, Some(10), None).pass(10).release(1);
    assert_eq!(scene.holder(A), None, "it has left the queue, looked or not");
    scene.look(2);
    scene.end();
}

#[test]
fn waiter_that_was_granted_in_time_stays_granted_after_its_wait_timeout() {
    let mut scene = Scene::open();
    scene.ask(1, A).ask_for(2, A, Some(10), None).pass(9).release(1).pass(1_000);
    assert_eq!(scene.holder(A), Some(2));
    scene.look(2);
    scene.end();
}

#[test]
fn grant_that_its_caller_never_saw_goes_to_the_next_waiter() {
    let mut scene = Scene::open();
    scene.ask(1, A).ask(2, A).ask(3, A).release(1).leave(2);
    assert_eq!(scene.holder(A), Some(3));
    scene.end();
}

#[test]
fn waiter_dropped_unpolled_after_the_release_leaves_no_entry() {
    let mut scene = Scene::open();
    scene.ask(1, A).ask(2, A).release(1).leave(2);
    assert!(scene.0.spec().is_quiescent());
    scene.end();
}

#[test]
fn unseen_grant_whose_lease_ended_is_lost_when_it_is_looked_at() {
    let mut scene = Scene::open();
    scene.ask(1, A).ask_for(2, A, None, Some(10)).ask(3, A).release(1).pass(10);
    assert_eq!(scene.holder(A), Some(3));
    scene.look(2).release(2);
    assert_eq!(scene.holder(A), Some(3));
    scene.end();
}

#[test]
fn unseen_grant_whose_lease_ended_leaves_nothing_when_it_is_dropped() {
    let mut scene = Scene::open();
    scene.ask(1, A).ask_for(2, A, None, Some(10)).release(1).pass(10).leave(2);
    assert!(scene.0.spec().is_quiescent());
    scene.end();
}

#[test]
fn waiters_that_leave_the_head_the_middle_and_the_tail_keep_the_others_in_order() {
    let mut scene = Scene::open();
    for request in 1..=7 {
        scene.ask(request, A);
    }
    scene.leave(2).leave(4).leave(7).release(1);
    for next in [3, 5, 6] {
        assert_eq!(scene.holder(A), Some(next));
        scene.look(next).release(next);
    }
    assert_eq!(scene.holder(A), None);
    scene.end();
}

#[test]
fn newcomer_does_not_overtake_the_queue_when_the_name_changes_hands() {
    let mut scene = Scene::open();
    scene.ask(1, A).ask(2, A).release(1).ask(3, A).ask_for(4, A, Some(0), None);
    assert_eq!(scene.holder(A), Some(2), "granted, though it has not looked yet");
    scene.end();
}

#[test]
fn token_grows_over_release_idleness_force_and_lease_end() {
    let mut scene = Scene::open(); // The judge compares each token with all before it.
    scene.ask(1, A).release(1).pass(1_000);
    scene.ask(2, A).play(Move::Force { name: A }).release(2);
    scene.ask_for(3, A, None, Some(1)).pass(1).release(3);
    scene.ask(4, A).release(4);
    scene.end();
}

#[test]
fn wait_that_ends_at_the_same_moment_as_the_lease_before_it_is_over() {
    let mut scene = Scene::open();
    scene.ask_for(1, A, None, Some(10)).ask_for(2, A, Some(10), None).pass(10);
    assert_eq!(scene.holder(A), None);
    scene.end();
}

#[test]
fn reaper_that_comes_late_does_what_was_due_in_its_order() {
    let mut scene = Scene::open();
    scene.ask_for(1, A, None, Some(10)).ask_for(2, A, Some(20), Some(10)).ask_for(
        3,
        A,
        Some(5),
        None,
    );
    scene.pass(1_000);
    assert_eq!(scene.holder(A), Some(2), "granted at 10 ms, as far as the queue knows");
    scene.look(2).look(3).pass(10);
    assert_eq!(scene.holder(A), None, "its own lease began when it was granted");
    scene.end();
}

#[test]
fn name_that_comes_free_makes_room_for_another_at_the_limit() {
    let limits = Limits { names: 1, waiters_per_name: 1 };
    let mut scene = Scene::with(limits);
    scene.ask(1, A).ask(2, B).ask(3, A).ask(4, A); // 2 and 4 are told that there is no room.
    scene.leave(3).ask(5, A).leave(5).release(1).ask(6, B);
    assert_eq!(scene.holder(B), Some(6));
    scene.end();
}

#[test]
fn shutdown_answers_every_waiter_at_once_and_waits_for_the_holders() {
    let mut scene = Scene::open();
    scene.ask(1, A).ask(2, A).ask_for(3, A, Some(50), None).ask(4, B);
    scene.play(Move::ShutDown { grace: 100 }).look(2).look(3).ask(5, B);
    scene.release(1).pass(99);
    assert_eq!((scene.0.spec().phase, scene.holder(B)), (Phase::Draining, Some(4)));
    scene.release(4);
    assert_eq!(scene.0.spec().phase, Phase::Closed);
    scene.end();
}

#[test]
fn shutdown_revokes_what_outlasts_its_grace_and_the_holder_hears_of_it() {
    let mut scene = Scene::open();
    scene.ask(1, A).play(Move::ShutDown { grace: 100 }).pass(100);
    assert_eq!(scene.0.spec().phase, Phase::Closed);
    scene.release(1);
    scene.end();
}

#[test]
fn second_shutdown_can_only_hurry() {
    let mut scene = Scene::open();
    scene.ask(1, A).play(Move::ShutDown { grace: 100 }).play(Move::ShutDown { grace: 1_000 });
    scene.play(Move::ShutDown { grace: 50 }).pass(49);
    assert_eq!(scene.holder(A), Some(1));
    scene.pass(1);
    assert_eq!(scene.0.spec().phase, Phase::Closed);
    scene.end();
}

#[test]
fn shutdown_without_grace_revokes_a_grant_that_was_never_seen() {
    let mut scene = Scene::open();
    scene.ask(1, A).ask_for(2, A, None, Some(10)).release(1);
    scene.play(Move::ShutDown { grace: 0 }).look(2).release(2);
    scene.end();
}
