//! The lockspace of one process as a subject, driven through its public interface on a paused clock.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use lockspace::{
    AcquireError, Builder, FencingToken, Guard, LockName, LockSpace, LostHold, NameSnapshot,
    RenewError, Stats,
};
use lockspace_spec::{Limits, Name, OwnerId, RequestId};
use tokio::runtime::Runtime;

use crate::Hand;
use crate::patience::let_tasks_run;
use crate::subject::{
    Counts, Ledger, Move, Ms, NameSeen, Observation, Reply, Report, SOMEBODY, Setup, Subject,
    WaiterSeen, seen_as,
};

type Acquiring = Pin<Box<dyn Future<Output = Result<Guard<'static>, AcquireError>>>>;

/// The lockspace of one process, driven through its public interface on a paused clock.
pub struct InProcess {
    pending: BTreeMap<RequestId, Hand<Acquiring>>,
    guards: BTreeMap<RequestId, Guard<'static>>,
    space: LockSpace,
    /// Last, so that it outlives what it serves.
    runtime: Runtime,
}

impl InProcess {
    /// An open lockspace on a runtime of its own, whose clock is paused.
    ///
    /// # Panics
    /// If the system refuses a runtime.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        Self::made(setup, |runtime, builder| {
            let _context = runtime.enter();
            builder.build()
        })
    }

    /// The same for a lockspace that is made otherwise of these settings.
    pub(crate) fn made(setup: &Setup, make: impl FnOnce(&Runtime, Builder) -> LockSpace) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O needs nothing of the system");
        let builder = limited(LockSpace::builder(), setup.limits)
            .shards(setup.shards)
            .timing(setup.timing)
            .detect_deadlocks(setup.detect_deadlocks);
        let space = make(&runtime, builder);
        Self { pending: BTreeMap::new(), guards: BTreeMap::new(), space, runtime }
    }

    /// Drops every future, guard and handle, and answers how many tasks are left.
    #[must_use]
    pub fn tasks_left_when_dropped(self) -> usize {
        let Self { pending, guards, space, runtime } = self;
        {
            let _context = runtime.enter();
            drop((space, pending, guards));
        }
        runtime.block_on(let_tasks_run());
        runtime.metrics().num_alive_tasks()
    }

    /// Lets tasks run until those have come to rest that need so many turns, one after the other.
    pub(crate) fn rest(&self, turns: usize) {
        self.runtime.block_on(async {
            for _ in 0..turns {
                let_tasks_run().await;
            }
        });
    }

    fn carry_out(&mut self, what: &Move) -> Reply {
        match *what {
            Move::Ask { request, name, wait, lease, owner } => {
                let acquiring = acquire(self.space.clone(), request, name, (wait, lease), owner);
                self.pending.insert(request, Hand::new(acquiring));
                self.look(request, false)
            }
            Move::Look { request, elsewhere } => self.look(request, elsewhere),
            Move::Leave { request } => {
                self.pending.remove(&request);
                Reply::Nothing
            }
            Move::Release { request } => match self.guard(request).release() {
                Ok(()) => Reply::Released,
                Err(lost) => Reply::Lost(lost.reason.into()),
            },
            Move::Drop { request } => {
                drop(self.guard(request));
                Reply::Nothing
            }
            Move::Renew { request, lease } => self.renew(request, lease),
            Move::Force { name } => {
                let token = self.space.force_release(&text_of(name));
                Reply::Forced(token.expect("the name is one").map(|token| token.0))
            }
            Move::ShutDown { grace } => {
                self.space.begin_shutdown(Duration::from_millis(grace));
                Reply::Nothing
            }
            Move::Pass { .. } => Reply::Nothing,
        }
    }

    fn look(&mut self, request: RequestId, elsewhere: bool) -> Reply {
        let hand = self.pending.get_mut(&request).expect("it is pending");
        let polled = if elsewhere { hand.poll_elsewhere() } else { hand.poll() };
        let Poll::Ready(answer) = polled else {
            return Reply::Pending;
        };
        self.pending.remove(&request);
        match answer {
            Ok(guard) => {
                let token = guard.fencing_token().0;
                self.guards.insert(request, guard);
                Reply::Granted(token)
            }
            Err(AcquireError::SelfWait { .. } | AcquireError::Deadlock(_)) => Reply::TurnedAway,
            Err(error) => Reply::Refused(error.refusal().expect("the protocol was asked")),
        }
    }

    fn renew(&self, request: RequestId, lease: Ms) -> Reply {
        match self.guards[&request].renew(Duration::from_millis(lease)) {
            Ok(()) => Reply::Renewed,
            Err(RenewError::Lost(LostHold { reason, .. })) => Reply::Lost(reason.into()),
            Err(error) => unreachable!("the lease has a length: {error}"),
        }
    }

    fn guard(&mut self, request: RequestId) -> Guard<'static> {
        self.guards.remove(&request).expect("it holds, or held")
    }

    fn report(&self) -> Option<Report> {
        match Hand::new(self.space.closed()).poll() {
            Poll::Pending => None,
            Poll::Ready(report) => Some(Report {
                released: report.released,
                cancelled: report.cancelled,
                revoked: report.revoked,
                took: ms(report.took),
            }),
        }
    }
}

impl Subject for InProcess {
    fn apply(&mut self, what: &Move) -> Reply {
        let reply = {
            let handle = self.runtime.handle().clone();
            let _context = handle.enter();
            self.carry_out(what)
        };
        self.runtime.block_on(async {
            if let Move::Pass { time } = *what {
                tokio::time::advance(Duration::from_millis(time)).await;
            }
            let_tasks_run().await;
        });
        reply
    }

    fn woken(&mut self) -> Vec<RequestId> {
        let hands = self.pending.iter_mut();
        hands
            .flat_map(|(request, hand)| {
                // To wake a waker that was replaced is to wake nobody: it shows as one wake-up too many.
                let wakes = hand.take_wakes() + hand.wakes_in_vain();
                std::iter::repeat_n(*request, wakes)
            })
            .collect()
    }

    fn observe(&self) -> Observation {
        let _context = self.runtime.enter();
        let snapshot = self.space.snapshot();
        let mut names: Vec<_> = snapshot.names.iter().map(name_seen).collect();
        names.sort_by_key(|seen| seen.name);
        let report = self.report();
        let audit = self.space.audit();
        let watching = (audit.watching > 0).then(|| format!("{} watching", audit.watching));
        let faults = audit.faults.iter().map(ToString::to_string);
        Observation {
            phase: snapshot.phase,
            names,
            ledger: Ledger {
                held: audit.held,
                waiting: audit.waiting,
                unseen: audit.unseen,
                lost: audit.lost,
                timers: audit.timers,
                reaper: audit.reaper,
                tasks: self.runtime.metrics().num_alive_tasks(),
                faults: faults.chain(watching).collect(),
            },
            counts: counts(&self.space.stats()),
            report,
        }
    }
}

fn limited(builder: Builder, limits: Limits) -> Builder {
    let builder = match limits.names {
        usize::MAX => builder,
        names => builder.max_names(names),
    };
    match u32::try_from(limits.waiters_per_name) {
        Ok(waiters) => builder.max_waiters_per_name(waiters),
        Err(_) => builder,
    }
}

fn acquire(
    space: LockSpace,
    request: RequestId,
    name: Name,
    (wait, lease): (Option<Ms>, Option<Ms>),
    owner: Option<OwnerId>,
) -> Acquiring {
    Box::pin(async move {
        let (name, label) = (text_of(name), request.0.to_string());
        let mut acquire = space.acquire(&name);
        if seen_as(request) == request {
            acquire = acquire.label(&label);
        }
        if let Some(wait) = wait {
            acquire = acquire.wait_timeout(Duration::from_millis(wait));
        }
        if let Some(lease) = lease {
            acquire = acquire.lease(Duration::from_millis(lease));
        }
        if let Some(owner) = owner {
            acquire = acquire.owner(owner.0.into());
        }
        acquire.await.map(Guard::into_owned)
    })
}

/// What a numbered name is called: short ones, long ones and ones beyond ASCII.
fn text_of(name: Name) -> String {
    let kind = ["", "/a name that is kept on the heap because it is long", "/名前"];
    format!("{:05}{}", name.0, kind[usize::from(name.0) % kind.len()])
}

fn name_of(text: &LockName) -> Name {
    let number = text.as_str()[..5].parse();
    Name(number.expect("names begin with their number"))
}

fn name_seen(seen: &NameSnapshot) -> NameSeen {
    let waiters = seen.waiters.iter().map(|waiter| WaiterSeen {
        request: labelled(waiter.label.as_deref()),
        waiting_for: waiter.waiting_for.map(ms),
        wait_left: waiter.wait_left.map(ms),
    });
    let FencingToken(token) = seen.holder.token;
    NameSeen {
        name: name_of(&seen.name),
        holder: labelled(seen.holder.label.as_deref()),
        token,
        held_for: seen.holder.held_for.map(ms),
        lease_left: seen.holder.lease_left.map(ms),
        waiters: waiters.collect(),
    }
}

/// Who is labelled so.
fn labelled(label: Option<&str>) -> RequestId {
    label.and_then(|label| label.parse().ok()).map_or(SOMEBODY, RequestId)
}

fn ms(duration: Duration) -> Ms {
    assert_eq!(
        duration.subsec_nanos() % 1_000_000,
        0,
        "on a paused clock everything takes whole milliseconds"
    );
    Ms::try_from(duration.as_millis()).expect("no test lasts that long")
}

fn counts(stats: &Stats) -> Counts {
    Counts {
        granted: stats.granted,
        queued: stats.queued,
        busy: stats.refused_busy,
        timed_out: stats.refused_timed_out,
        shutting_down: stats.refused_shutting_down,
        at_capacity: stats.refused_at_capacity,
        cancelled: stats.cancelled,
        released: stats.released,
        renewed: stats.renewed,
        lost_lease: stats.lost_lease_elapsed,
        lost_forced: stats.lost_forced,
        lost_shutdown: stats.lost_shutdown,
        waits_timed: stats.wait.count,
        holds_timed: stats.hold.count,
    }
}
