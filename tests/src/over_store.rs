//! A lockspace over a store as a subject: one session, alone with a store in memory, on a paused clock.
//!
//! The specification is that of one process, and so is all that is compared. What legitimately differs is
//! settled here, and nothing else:
//!
//! - An acquire of a free name is answered after a round trip to the store. The subject lets tasks run, looks
//!   again, and answers what the acquire then says. Such an acquire counts as one that had to wait; here it
//!   does not.
//! - A hand-over and a release take round trips too: a move has ended when all tasks have come to rest.
//! - The session's driver is a task, until the lockspace has closed.
//! - Between two timers that elapse the store is asked. So time has to pass [timer by timer](timer_by_timer).
//! - Tokens are versions of the store: they grow, and not by one. The judge asks for no more.

use lockspace::LockSpace;
use lockspace::store::{Memory, Options, Store};
use lockspace_spec::{Phase, RequestId};

use crate::judge::{Disagreement, Judge};
use crate::subject::{Move, Observation, Reply, Setup, Subject};
use crate::{Hand, InProcess};

/// Within so many turns of the scheduler everything has come to rest: a claim of a name, its loss and its
/// removal are a few calls, one after the other.
const TURNS: usize = 12;

/// A lockspace that was opened over a store, driven through its public interface on a paused clock.
pub struct OverStore {
    inner: InProcess,
    store: Memory,
    /// Acquires that waited for the store, and for nobody else.
    trips: u64,
    timing: bool,
}

impl OverStore {
    /// An open lockspace on a runtime of its own, whose clock is paused.
    ///
    /// # Panics
    /// If the system refuses a runtime.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        let store = Memory::new();
        // Longer than any judgement: how sessions end is no matter of the specification of one process.
        let options = Options::new().ttl(Options::LONGEST_TTL);
        let inner = InProcess::made(setup, |runtime, builder| -> LockSpace {
            let opened = runtime.block_on(builder.open(store.clone(), options));
            opened.expect("memory does not fail")
        });
        Self { inner, store, trips: 0, timing: setup.timing }
    }

    /// Drops every future, guard and handle, and answers how many tasks and rows are left.
    ///
    /// # Panics
    /// Never: memory does not fail.
    #[must_use]
    pub fn left_when_dropped(self) -> (usize, usize) {
        let Self { inner, store, .. } = self;
        let tasks = inner.tasks_left_when_dropped();
        let rows = Hand::new(Box::pin(store.scan(""))).answer();
        (tasks, rows.expect("memory does not fail").len())
    }

    fn is_answered(&mut self, request: RequestId) -> Option<Reply> {
        let reply = self.inner.apply(&Move::Look { request, elsewhere: false });
        self.inner.rest(TURNS);
        (reply != Reply::Pending).then_some(reply)
    }
}

impl Subject for OverStore {
    fn apply(&mut self, what: &Move) -> Reply {
        let reply = self.inner.apply(what);
        self.inner.rest(TURNS);
        match *what {
            Move::Ask { request, .. } if reply == Reply::Pending => {
                let Some(answer) = self.is_answered(request) else { return Reply::Pending };
                self.trips += 1;
                answer
            }
            _ => reply,
        }
    }

    fn woken(&mut self) -> Vec<RequestId> {
        self.inner.woken()
    }

    fn observe(&self) -> Observation {
        let mut seen = self.inner.observe();
        let driver = usize::from(seen.phase != Phase::Closed);
        seen.ledger.tasks -= driver.min(seen.ledger.tasks);
        seen.counts.queued -= self.trips;
        if self.timing {
            seen.counts.waits_timed -= self.trips;
        }
        seen
    }
}

/// Makes a move as [`Judge::step`] does; time passes from one timer to the next.
///
/// # Errors
/// As [`Judge::step`].
///
/// # Panics
/// As [`Judge::step`].
pub fn timer_by_timer<S: Subject>(judge: &mut Judge<S>, what: &Move) -> Result<(), Disagreement> {
    let Move::Pass { mut time } = *what else { return judge.step(what) };
    while let Some(due) = judge.next_due_in().filter(|due| *due < time) {
        judge.step(&Move::Pass { time: due })?;
        time -= due;
    }
    judge.step(&Move::Pass { time })
}
