//! What the pure parts do in single cases that are worth a sentence. All cases are for the model to see.

use std::time::Duration;

use lockspace_spec::FencingToken;

use super::claimant::Claimant;
use super::decide::{Decision, Intent, decide};
use super::due::Due;
use super::member::{Answer, Call, Member, News, Rows};
use super::others::Others;
use super::record::{Claim, Record, SessionId, SessionRecord};
use super::session::{End, Life, Session, Timing, TimingError};
use super::{Ask, Moment, Reply, Version};
use crate::LockName;

const SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(15);

fn seconds(seconds: u64) -> Moment {
    Duration::from_secs(seconds)
}

fn claim(session: u128, number: u64) -> Claim {
    Claim { session: SessionId(session), number }
}

fn red() -> LockName {
    LockName::new("red").expect("it is a name")
}

/// A member whose session, number 1, has begun at second zero.
fn member() -> Member {
    let session = Session::new(Timing::new(TTL), "", seconds(0));
    let mut member = Member::new(SessionId(1), session);
    let begins = member.call(seconds(0));
    assert!(matches!(begins, Some(Call::Own(Ask::Swap { expected: None, .. }))));
    member.answered(Answer::Own(Reply::Swapped(Version(1))), seconds(0));
    assert_eq!(member.news(seconds(0)), Some(News::Begun));
    member
}

/// Answers the one call about red that the member makes at `now`.
fn answer(member: &mut Member, reply: Reply<Record>, now: Moment) -> Ask<Record> {
    let Some(Call::Name(_, ask)) = member.call(now) else { panic!("no call about red") };
    member.answered(Answer::Name(red(), reply), now);
    ask
}

fn holding() -> Member {
    let mut member = member();
    assert!(member.want(&red()));
    answer(&mut member, Reply::Swapped(Version(2)), seconds(0));
    assert_eq!(member.news(seconds(0)), Some(News::Granted(red(), FencingToken(2))));
    member
}

#[test]
fn acquiring_a_free_name_and_releasing_it_takes_a_round_trip_each() {
    let mut member = member();
    member.want(&red());
    let taken = answer(&mut member, Reply::Swapped(Version(2)), seconds(0));
    assert_eq!(taken, Ask::Swap { expected: None, new: Some(Record::held_by(claim(1, 1))) });
    assert_eq!(member.news(seconds(0)), Some(News::Granted(red(), FencingToken(2))));
    assert_eq!(member.call(seconds(0)), None);
    member.give_up(&red());
    let freed = answer(&mut member, Reply::Swapped(Version(3)), seconds(0));
    assert_eq!(freed, Ask::Swap { expected: Some(Version(2)), new: None });
    assert_eq!(member.news(seconds(0)), Some(News::Left(red())));
    assert!(member.names.is_empty());
}

#[test]
fn the_numbers_of_claims_follow_the_clock_and_never_go_back() {
    let mut member = member();
    let mut number = |clock: u64| {
        member.number_from(clock);
        assert!(member.want(&red()));
        let Some(Call::Name(_, Ask::Swap { new: Some(row), .. })) = member.call(seconds(0)) else {
            panic!("no swap")
        };
        member.answered(Answer::Name(red(), Reply::Conflict), seconds(0));
        member.give_up(&red());
        answer(&mut member, Reply::Loaded(None), seconds(0));
        assert_eq!(member.news(seconds(0)), Some(News::Left(red())));
        row.holder.number
    };
    let drawn = [0, 500, 500, 20, 501, 600].map(&mut number);
    assert_eq!(drawn, [1, 500, 501, 502, 503, 600]);
}

/// The clock of the wall is asked for nothing but numbers of claims.
#[test]
fn a_clock_that_is_set_an_hour_forward_or_back_moves_no_end_of_trust_and_no_takeover() {
    let (begun, hour) = (1_700_000_000_000_000, 3_600_000_000);
    let courses = [begun, begun + hour, begun - hour].map(|clock| {
        let mut member = member();
        member.number_from(begun);
        assert!(member.want(&red()));
        answer(&mut member, Reply::Swapped(Version(2)), seconds(0));
        assert_eq!(member.news(seconds(0)), Some(News::Granted(red(), FencingToken(2))));
        // Somebody else's session is met for the first time.
        member.others.want(SessionId(2));
        let theirs = Reply::Loaded(Some((Version(1), SessionRecord::new(TTL, ""))));
        assert_eq!(member.others.ask(seconds(0)), Some((SessionId(2), Ask::Load)));
        member.others.take(SessionId(2), &theirs, seconds(0));
        // Now somebody sets the clock.
        member.number_from(clock);
        let kept_alive = member.next_wake();
        let token = FencingToken(2);
        let trusts = (0..20).map(|at| member.holds(&red(), token, seconds(at)));
        let trusts: Vec<_> = trusts.collect();
        let takes_over = (0..20).map(|at| {
            member.others.want(SessionId(2));
            let asked = member.others.ask(seconds(at));
            member.others.take(SessionId(2), &theirs, seconds(at));
            matches!(asked, Some((_, Ask::Swap { .. })))
        });
        (kept_alive, trusts, takes_over.collect::<Vec<_>>())
    });
    assert!(courses[0].1[13] && !courses[0].1[14], "it trusts itself for 13.5 seconds");
    assert!(!courses[0].2[14] && courses[0].2[15], "and others for 15");
    assert!(courses.iter().all(|course| *course == courses[0]));
}

#[test]
fn a_held_name_asks_for_nothing_but_its_sessions_keep_alive() {
    let mut member = holding();
    let wake = member.next_wake().expect("the session is to be kept alive");
    assert_eq!(member.call(wake - SECOND), None);
    assert!(matches!(member.call(wake), Some(Call::Own(Ask::Swap { expected: Some(_), .. }))));
    assert_eq!(member.call(wake), None);
}

#[test]
fn trust_ends_before_the_ttl_whether_or_not_the_store_answers() {
    let mut member = holding();
    let end = Timing::new(TTL).trust();
    assert!(end < TTL);
    assert!(member.holds(&red(), FencingToken(2), end - Duration::from_nanos(1)));
    assert!(!member.holds(&red(), FencingToken(2), end));
    assert_eq!(member.news(end), Some(News::Ended(End::Outage)));
}

#[test]
fn a_late_answer_does_not_bring_trust_back() {
    let mut member = holding();
    let sent = member.next_wake().expect("the session is to be kept alive");
    assert!(matches!(member.call(sent), Some(Call::Own(_))));
    let late = Timing::new(TTL).trust();
    member.answered(Answer::Own(Reply::Swapped(Version(9))), late);
    assert_eq!(member.news(late), Some(News::Ended(End::Outage)));
    assert!(!member.holds(&red(), FencingToken(2), late));
    // What is left to do is to take its row away, as it is by now.
    let removes = Call::Own(Ask::Swap { expected: Some(Version(9)), new: None });
    assert_eq!(member.call(late), Some(removes));
    member.answered(Answer::Own(Reply::Swapped(Version(10))), late);
    assert!(member.is_over());
}

#[test]
fn a_keep_alive_counts_from_when_it_was_sent() {
    let mut session = Session::new(Timing::new(TTL), "", seconds(0));
    assert!(session.ask(seconds(0)).is_some());
    session.take(&Reply::Swapped(Version(1)), seconds(7));
    assert!(session.trusts_itself(Timing::new(TTL).trust() - SECOND));
    assert!(!session.trusts_itself(Timing::new(TTL).trust()));
}

#[test]
fn a_store_that_went_back_in_time_ends_the_session() {
    let mut session = Session::new(Timing::new(TTL), "", seconds(0));
    assert!(session.ask(seconds(0)).is_some());
    session.take(&Reply::Swapped(Version(8)), seconds(0));
    assert!(session.ask(seconds(5)).is_some());
    session.take(&Reply::Conflict, seconds(5));
    assert_eq!(session.ask(seconds(5)), Some(Ask::Load));
    let copy = SessionRecord::new(TTL, "");
    session.take(&Reply::Loaded(Some((Version(7), copy))), seconds(5));
    assert_eq!(session.life, Life::Ending(End::StoreWentBack));
}

/// The one row of a session, as a store keeps it.
fn serve(row: &mut Version, ask: Option<Ask<SessionRecord>>) -> Reply<SessionRecord> {
    match ask.expect("it is to be kept alive") {
        Ask::Load => lives(row.0),
        Ask::Swap { expected, .. } if expected != Some(*row) => Reply::Conflict,
        Ask::Swap { .. } => {
            row.0 += 1;
            Reply::Swapped(*row)
        }
    }
}

#[test]
fn of_a_session_that_was_copied_with_its_process_one_lives_on_and_the_other_leaves_it_alone() {
    let mut first = Session::new(Timing::new(TTL), "", seconds(0));
    assert!(first.ask(seconds(0)).is_some());
    first.take(&Reply::Swapped(Version(1)), seconds(0));
    let mut row = Version(1);
    let mut second = first.clone();
    for round in 1..10 {
        let now = seconds(5 * round);
        for session in [&mut first, &mut second] {
            while session.life == Life::Alive && session.next_wake().is_some_and(|at| at <= now) {
                let reply = serve(&mut row, session.ask(now));
                session.take(&reply, now);
            }
        }
    }
    assert_eq!((first.life, second.life), (Life::Alive, Life::Over(End::Copied)));
    assert_eq!(second.ask(seconds(50)), None);
}

#[test]
fn a_copy_whose_trust_has_ended_does_not_remove_the_row_that_the_other_keeps() {
    let mut first = Session::new(Timing::new(TTL), "", seconds(0));
    assert!(first.ask(seconds(0)).is_some());
    first.take(&Reply::Swapped(Version(1)), seconds(0));
    let (mut row, mut stopped) = (Version(1), first.clone());
    let reply = serve(&mut row, first.ask(seconds(5)));
    first.take(&reply, seconds(5));
    for _ in 0..2 {
        let reply = serve(&mut row, stopped.ask(seconds(14)));
        stopped.take(&reply, seconds(14));
    }
    assert_eq!(stopped.life, Life::Over(End::Outage));
    assert_eq!(row, Version(2));
}

#[test]
fn a_keep_alive_whose_answer_was_lost_is_known_for_its_own_once() {
    let mut session = Session::new(Timing::new(TTL), "", seconds(0));
    assert!(session.ask(seconds(0)).is_some());
    session.take(&Reply::Swapped(Version(1)), seconds(0));
    assert!(session.ask(seconds(5)).is_some());
    session.take(&Reply::Unknown, seconds(5));
    for (version, life) in [(2, Life::Alive), (3, Life::Over(End::Copied))] {
        assert!(matches!(session.ask(seconds(6)), Some(Ask::Swap { .. })));
        session.take(&Reply::Conflict, seconds(6));
        assert_eq!(session.ask(seconds(6)), Some(Ask::Load));
        session.take(&lives(version), seconds(6));
        assert_eq!(session.life, life);
    }
}

#[test]
fn a_session_whose_row_is_gone_writes_no_other() {
    let mut session = Session::new(Timing::new(TTL), "", seconds(0));
    assert!(session.ask(seconds(0)).is_some());
    session.take(&Reply::Swapped(Version(8)), seconds(0));
    assert!(session.ask(seconds(5)).is_some());
    session.take(&Reply::Conflict, seconds(5));
    assert_eq!(session.ask(seconds(5)), Some(Ask::Load));
    session.take(&Reply::Loaded(None), seconds(5));
    assert_eq!(session.life, Life::Over(End::Removed));
    assert_eq!(session.ask(seconds(5)), None);
}

#[test]
fn a_failed_keep_alive_is_not_tried_again_at_once() {
    let mut member = member();
    let due = member.next_wake().expect("the session is to be kept alive");
    assert!(member.call(due).is_some());
    member.answered(Answer::Own(Reply::Unknown), due);
    assert_eq!(member.call(due), None);
    let again = member.next_wake().expect("it is tried again");
    assert!(again > due && again < Timing::new(TTL).trust());
}

#[test]
fn a_failed_keep_alive_is_tried_again_within_a_second_however_long_the_ttl_is() {
    let mut session = Session::new(Timing::new(seconds(3600)), "", seconds(0));
    assert!(session.ask(seconds(0)).is_some());
    session.take(&Reply::Swapped(Version(1)), seconds(0));
    let due = session.next_wake().expect("it is to be kept alive");
    assert!(session.ask(due).is_some());
    session.take(&Reply::NotDone, due);
    assert_eq!(session.next_wake(), Some(due + SECOND));
}

#[test]
fn another_session_is_removed_after_its_own_ttl_and_not_before() {
    let (id, theirs) = (SessionId(2), SessionRecord::new(seconds(4), ""));
    let seen = Reply::Loaded(Some((Version(5), theirs)));
    let mut others = Others::default();
    for (now, expected) in [
        (seconds(10), Ask::Load),
        (seconds(13), Ask::Load),
        (seconds(14), Ask::Swap { expected: Some(Version(5)), new: None }),
    ] {
        others.want(id);
        assert_eq!(others.ask(now), Some((id, expected)));
        others.take(id, &seen, now);
    }
    others.take(id, &Reply::Swapped(Version(6)), seconds(14));
    assert!(others.is_dead(id));
}

#[test]
fn a_session_that_was_kept_alive_is_counted_anew() {
    let id = SessionId(2);
    let seen =
        |version| Reply::Loaded(Some((Version(version), SessionRecord::new(seconds(4), ""))));
    let mut others = Others::default();
    for (now, reply) in [(0, seen(5)), (3, seen(6)), (4, seen(6)), (6, seen(6))] {
        others.want(id);
        assert_eq!(others.ask(seconds(now)), Some((id, Ask::Load)));
        others.take(id, &reply, seconds(now));
    }
    others.want(id);
    assert!(matches!(others.ask(seconds(7)), Some((_, Ask::Swap { .. }))));
    // It was kept alive meanwhile: it is looked at, and not removed again.
    others.take(id, &Reply::Conflict, seconds(7));
    assert_eq!(others.ask(seconds(7)), Some((id, Ask::Load)));
}

#[test]
fn a_row_that_cannot_be_read_is_told_and_left_alone() {
    let mut member = member();
    member.want(&red());
    answer(&mut member, Reply::Conflict, seconds(0));
    assert_eq!(answer(&mut member, Reply::Unreadable, seconds(0)), Ask::Load);
    assert_eq!(member.news(seconds(0)), Some(News::Unreadable(red())));
    assert_eq!(member.call(seconds(0)), None);
}

#[test]
fn an_operator_takes_a_name_and_its_holder_hears_of_it() {
    let mut member = holding();
    let held = Record::held_by(claim(1, 1));
    let forced = decide(Some((Version(2), &held)), Intent::Force, |_| false);
    assert_eq!(forced, Decision::Swap(None));
    member.look(&red());
    assert_eq!(answer(&mut member, Reply::Loaded(None), seconds(1)), Ask::Load);
    assert_eq!(member.news(seconds(1)), Some(News::Lost(red(), FencingToken(2))));
    assert_eq!(member.news(seconds(1)), Some(News::Left(red())));
}

#[test]
fn a_claim_that_was_written_late_is_given_back() {
    let mut member = member();
    member.sweep();
    assert_eq!(member.call(seconds(1)), Some(Call::Scan));
    let late = Record::held_by(claim(1, 7));
    let rows = Rows { names: vec![(red(), Version(4), late)], sessions: Vec::new() };
    member.answered(Answer::Scan(Some(rows)), seconds(1));
    let given_back = answer(&mut member, Reply::Swapped(Version(5)), seconds(1));
    assert_eq!(given_back, Ask::Swap { expected: Some(Version(4)), new: None });
}

#[test]
fn a_scan_that_is_older_than_a_claim_does_not_make_it_forgotten() {
    let mut member = member();
    member.sweep();
    assert_eq!(member.call(seconds(1)), Some(Call::Scan));
    // The scan has passed by the name when it is taken, and giving it back fails.
    member.want(&red());
    answer(&mut member, Reply::Swapped(Version(2)), seconds(1));
    assert_eq!(member.news(seconds(1)), Some(News::Granted(red(), FencingToken(2))));
    member.give_up(&red());
    answer(&mut member, Reply::NotDone, seconds(1));
    member.answered(Answer::Scan(Some(Rows::default())), seconds(1));
    assert_eq!(member.news(seconds(1)), None);
    member.look(&red());
    let held = Reply::Loaded(Some((Version(2), Record::held_by(claim(1, 1)))));
    assert_eq!(answer(&mut member, held, seconds(2)), Ask::Load);
    let given_back = answer(&mut member, Reply::Swapped(Version(3)), seconds(2));
    assert_eq!(given_back, Ask::Swap { expected: Some(Version(2)), new: None });
    assert_eq!(member.news(seconds(2)), Some(News::Left(red())));
}

#[test]
fn a_sweep_looks_at_a_session_again_only_when_it_has_been_silent_for_its_ttl() {
    let mut member = member();
    let removes = Ask::Swap { expected: Some(Version(5)), new: None };
    for (at, expected) in [(1, None), (6, None), (12, None), (16, Some(removes))] {
        while let Some(Call::Own(_)) = member.call(seconds(at)) {
            member.answered(Answer::Own(Reply::Swapped(Version(at))), seconds(at));
        }
        member.sweep();
        assert_eq!(member.call(seconds(at)), Some(Call::Scan));
        let sessions = vec![(SessionId(2), Version(5), SessionRecord::new(TTL, ""))];
        let rows = Rows { names: Vec::new(), sessions };
        member.answered(Answer::Scan(Some(rows)), seconds(at));
        let expected = expected.map(|ask| Call::Other(SessionId(2), ask));
        assert_eq!(member.call(seconds(at)), expected, "{at}");
    }
}

#[test]
fn a_sweep_costs_a_hold_that_it_confirms_nothing() {
    let mut member = holding();
    member.sweep();
    assert_eq!(member.call(seconds(1)), Some(Call::Scan));
    let held = Record::held_by(claim(1, 1));
    let rows = Rows { names: vec![(red(), Version(2), held)], sessions: Vec::new() };
    member.answered(Answer::Scan(Some(rows)), seconds(1));
    assert_eq!(member.call(seconds(1)), None);
}

#[test]
fn a_name_is_passed_on_with_a_new_token_and_one_round_trip() {
    let mut member = holding();
    member.pass_on(&red());
    let passed_on = answer(&mut member, Reply::Swapped(Version(6)), seconds(1));
    let new = Some(Record::held_by(claim(1, 2)));
    assert_eq!(passed_on, Ask::Swap { expected: Some(Version(2)), new });
    assert_eq!(member.news(seconds(1)), Some(News::Granted(red(), FencingToken(6))));
}

/// Many names, each of which somebody else holds, and the member waits for it.
fn many_who_wait(member: &mut Member, names: usize) -> Vec<LockName> {
    let names: Vec<_> =
        (0..names).map(|number| LockName::new(&format!("name/{number}")).unwrap()).collect();
    names.iter().for_each(|name| assert!(member.want(name)));
    while let Some(call) = member.call(seconds(1)) {
        let answer = match call {
            Call::Name(name, Ask::Swap { .. }) => Answer::Name(name, Reply::Conflict),
            Call::Name(name, Ask::Load) => {
                let shown = held_elsewhere(member, &name);
                Answer::Name(name, shown)
            }
            Call::Other(id, Ask::Load) => Answer::Other(id, lives(1)),
            call => panic!("{call:?}"),
        };
        member.answered(answer, seconds(1));
        assert_eq!(member.news(seconds(1)), None);
    }
    names
}

/// What the store shows of a name that session 9 holds, and for which the member waits.
fn held_elsewhere(member: &Member, name: &LockName) -> Reply<Record> {
    let wish = member.names[name].wish.expect("it is wished for");
    let queue = vec![claim(1, wish)];
    Reply::Loaded(Some((Version(2), Record { queue, ..Record::held_by(claim(9, 1)) })))
}

/// What the store shows of a session that lives.
fn lives(version: u64) -> Reply<SessionRecord> {
    Reply::Loaded(Some((Version(version), SessionRecord::new(TTL, ""))))
}

#[test]
fn a_hint_costs_no_name_but_its_own_and_no_look_at_a_session() {
    let mut member = member();
    let names = many_who_wait(&mut member, 1_000);
    assert_eq!((member.names.len(), &member.due), (1_000, &Due::default()));

    member.hinted(&names[7]);
    assert_eq!((member.due.tell.len(), member.due.look.len()), (1, 1));
    assert_eq!(member.call(seconds(2)), Some(Call::Name(names[7].clone(), Ask::Load)));
    assert!(member.due.look.is_empty() && member.due.ask.is_empty());
    let shown = held_elsewhere(&member, &names[7]);
    member.answered(Answer::Name(names[7].clone(), shown), seconds(2));
    assert_eq!((member.due.tell.len(), member.due.ask.len()), (1, 1));
    assert_eq!(member.call(seconds(2)), None);

    // The look in its own time costs that.
    member.look(&names[7]);
    assert_eq!(member.call(seconds(3)), Some(Call::Name(names[7].clone(), Ask::Load)));
    let shown = held_elsewhere(&member, &names[7]);
    member.answered(Answer::Name(names[7].clone(), shown), seconds(3));
    assert_eq!(member.call(seconds(3)), Some(Call::Other(SessionId(9), Ask::Load)));
}

#[test]
#[cfg(not(any(lockspace_loom, lockspace_shuttle)))]
fn many_names_that_are_asked_for_at_once_do_not_cost_the_square_of_their_number() {
    crate::tests::in_time(|| {
        let mut member = member();
        let names = many_who_wait(&mut member, 20_000);
        names.iter().for_each(|name| member.look(name));
        assert_eq!(member.others.sessions.len(), 1, "it has not been swept");
        while let Some(call) = member.call(seconds(2)) {
            let answer = match call {
                Call::Name(name, Ask::Load) => {
                    let shown = held_elsewhere(&member, &name);
                    Answer::Name(name, shown)
                }
                Call::Other(id, Ask::Load) => Answer::Other(id, lives(1)),
                call => panic!("{call:?}"),
            };
            member.answered(answer, seconds(2));
        }
    });
}

#[test]
fn a_hint_that_shows_somebody_new_costs_a_look_at_his_session() {
    let mut member = member();
    let names = many_who_wait(&mut member, 1);
    member.hinted(&names[0]);
    assert_eq!(member.call(seconds(2)), Some(Call::Name(names[0].clone(), Ask::Load)));
    let queue = vec![claim(8, 1), claim(1, 1)];
    let shown = Some((Version(3), Record { queue, ..Record::held_by(claim(9, 1)) }));
    member.answered(Answer::Name(names[0].clone(), Reply::Loaded(shown)), seconds(2));
    assert_eq!(member.call(seconds(2)), Some(Call::Other(SessionId(8), Ask::Load)));
    assert_eq!(member.call(seconds(2)), None);
}

#[test]
fn many_names_that_are_looked_at_keep_no_release_no_session_and_no_sweep_waiting() {
    let mut member = member();
    let last = LockName::new("zebra").unwrap();
    assert!(member.want(&last));
    let taken = member.call(seconds(0));
    assert!(matches!(taken, Some(Call::Name(..))));
    member.answered(Answer::Name(last.clone(), Reply::Swapped(Version(2))), seconds(0));
    assert!(matches!(member.news(seconds(0)), Some(News::Granted(..))));
    let names = many_who_wait(&mut member, 200);

    names.iter().rev().for_each(|name| member.look(name));
    member.give_up(&last);
    member.sweep();
    let mut seen = Vec::new();
    for _ in 0..8 {
        let call = member.call(seconds(2)).expect("there are names to look at");
        if let Call::Name(name, Ask::Load) = &call {
            let shown = held_elsewhere(&member, name);
            member.answered(Answer::Name(name.clone(), shown), seconds(2));
        }
        seen.push(call);
    }
    let released = Ask::Swap { expected: Some(Version(2)), new: None };
    assert!(seen.contains(&Call::Name(last, released)), "{seen:?}");
    assert!(seen.contains(&Call::Other(SessionId(9), Ask::Load)), "{seen:?}");
    assert!(seen.contains(&Call::Scan), "{seen:?}");
    // The names are looked at in the order in which that was asked for.
    let in_order = names.iter().rev().map(|name| Call::Name(name.clone(), Ask::Load));
    let looks: Vec<_> = in_order.take(5).collect();
    seen.retain(|call| matches!(call, Call::Name(_, Ask::Load)));
    assert_eq!(seen, looks);
}

#[test]
fn whoever_waits_is_found_without_a_look_at_what_is_held() {
    let mut member = holding();
    let waits = |member: &Member| member.waiting.iter().cloned().collect::<Vec<_>>();
    assert!(waits(&member).is_empty());
    let names = many_who_wait(&mut member, 1);
    assert_eq!(waits(&member), names);
    member.pass_on(&red());
    assert_eq!(waits(&member), [names[0].clone(), red()]);
    answer(&mut member, Reply::Swapped(Version(6)), seconds(1));
    assert!(matches!(member.news(seconds(1)), Some(News::Granted(..))));
    assert_eq!(waits(&member), names);
    member.give_up(&red());
    answer(&mut member, Reply::Swapped(Version(7)), seconds(1));
    assert_eq!(member.news(seconds(1)), Some(News::Left(red())));
    assert_eq!(waits(&member), names);
    assert_eq!(member.news(Timing::new(TTL).trust()), Some(News::Ended(End::Outage)));
    assert!(waits(&member).is_empty());
}

#[test]
fn what_cannot_be_given_back_ends_with_the_session() {
    let mut member = holding();
    member.close();
    answer(&mut member, Reply::Unknown, seconds(1));
    assert_eq!(member.news(seconds(1)), Some(News::Ended(End::Closed)));
    assert!(matches!(member.call(seconds(1)), Some(Call::Own(Ask::Swap { new: None, .. }))));
    assert!(!member.want(&red()));
}

#[test]
fn closing_a_session_that_has_ended_does_not_make_it_ask_sooner() {
    let mut member = holding();
    let end = Timing::new(TTL).trust();
    assert_eq!(member.news(end), Some(News::Ended(End::Outage)));
    member.close();
    assert!(matches!(member.call(end), Some(Call::Own(Ask::Swap { new: None, .. }))));
    member.answered(Answer::Own(Reply::NotDone), end);
    let again = member.next_wake().expect("its row is still there");
    assert!(again > end);
    assert_eq!(member.call(again - Duration::from_nanos(1)), None);
    assert!(matches!(member.call(again), Some(Call::Own(_))));
}

#[test]
fn nobody_who_rests_asks_for_anything() {
    let mut claimant = Claimant::default();
    claimant.wish(1);
    let others = Others::default();
    let around = super::claimant::Around { me: SessionId(1), others: &others };
    assert!(claimant.ask(&around).is_some());
    claimant.take(Reply::NotDone);
    assert_eq!(claimant.ask(&around), None);
    claimant.look();
    assert_eq!(claimant.ask(&around), Some(Ask::Load));
}

#[test]
fn times_that_do_not_fit_together_are_refused() {
    assert_eq!(Timing::new(TTL).margin(TTL), Err(TimingError::MarginTooLong));
    let trust = Timing::new(TTL).trust();
    assert_eq!(Timing::new(TTL).renew(trust, SECOND), Err(TimingError::RenewedTooSeldom));
    assert!(Timing::new(TTL).renew(trust - SECOND, SECOND).is_ok());
}
