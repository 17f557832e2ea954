//! What each step of the stepwise lock does. What is decided on the way is the [`Algorithm`]'s.

use lockspace_spec::{
    Action, Env, FencingToken, Hold, Lease, Loss, Name, Op, Outcome, Outcomes, Refusal, RequestId,
    Timer, Wait, Waiter,
};

use super::state::{Entry, RED, Stage, State};
use super::{AfterDrop, Algorithm, Dropped, IfHeld, Leaving, Seen, Step};

/// What a step means that is to change nothing: as little as the forced release of a name that nobody
/// ever uses.
const NOTHING: Action = Action::Op(Op::ForceRelease { name: Name(u16::MAX) });

/// What each step does.
impl State {
    /// Takes `step`; answers which action of the specification that is, and what everybody is told.
    pub(super) fn take(&mut self, algorithm: &Algorithm, step: Step) -> (Action, Outcomes) {
        let mut told = Outcomes::default();
        let somebody_listens = !self.acts_for_nobody(step);
        let action = match step {
            Step::Find { client, wait, lease } => self.find(client, wait, lease),
            Step::Lock(client) => self.lock(algorithm, client, &mut told),
            Step::Drop(client) => self.drop(algorithm, client, &mut told),
            Step::See(client) => self.see(client),
            Step::Release(client) => self.release(algorithm, client, &mut told),
            Step::TidyUp(client) => self.tidy_up(algorithm, client),
            Step::Look(client) => self.look(client),
            Step::Renew(client) => self.renew(algorithm, client, &mut told),
            Step::Write(client) => self.write(algorithm, client),
            Step::EndWait(client) => self.end_wait(client, &mut told),
            Step::EndLease(token) => self.end_lease(algorithm, token, &mut told),
        };
        self.forget_unused_entries();
        self.world.space = self.abstraction();
        if somebody_listens {
            self.world.hear(&action, &told);
        }
        (action, told)
    }

    fn find(&mut self, client: u16, wait: Wait, lease: Lease) -> Action {
        let entry = self.entry_in_table();
        let free = self.entries[entry].hold.is_none();
        self.set(client, Stage::Found { entry, free, wait, lease, dropped: false });
        NOTHING
    }

    fn lock(&mut self, algorithm: &Algorithm, client: u16, told: &mut Outcomes) -> Action {
        let Stage::Found { entry, free, wait, lease, dropped } = self.stage(client) else {
            return NOTHING;
        };
        let request = RequestId(client);
        let seen = Seen { then: free, now: self.entries[entry].hold.is_none() };
        if (algorithm.takes)(seen) {
            self.set(client, Stage::Inside { entry });
            self.grant(algorithm, entry, request, lease, told);
        } else {
            match (algorithm.if_held)(wait) {
                IfHeld::LooksAgain => {
                    self.set(client, Stage::Found { entry, free: seen.now, wait, lease, dropped });
                    return NOTHING;
                }
                IfHeld::Refused => {
                    told.tell(request, Outcome::Refused(Refusal::Busy));
                    self.leave(client, entry);
                }
                IfHeld::Queued { timed } => {
                    let queue = &mut self.entries[entry].queue;
                    told.tell(request, Outcome::Queued { ahead: queue.len() });
                    queue.push_back(Waiter { request, timed: wait != Wait::Unbounded, lease });
                    self.set(client, Stage::Waiting { entry });
                    if timed {
                        self.armed.insert(Timer::Wait(request));
                    }
                }
            }
        }
        Op::Acquire { request, name: RED, wait, lease }.into()
    }

    fn drop(&mut self, algorithm: &Algorithm, client: u16, told: &mut Outcomes) -> Action {
        let request = RequestId(client);
        let stage = self.stage(client);
        let dropped = match stage {
            Stage::Found { wait, .. } => Dropped::UnderWay(wait),
            Stage::Granted { entry } => {
                self.end_hold(algorithm, entry, Outcome::Released, told);
                Dropped::Unseen
            }
            Stage::Waiting { .. } => {
                self.leave_queue(client);
                told.tell(request, Outcome::Cancelled);
                return Op::Cancel { request }.into();
            }
            Stage::Idle | Stage::Inside { .. } | Stage::Leaving { .. } => return NOTHING,
        };
        match ((algorithm.after_drop)(dropped), stage) {
            (AfterDrop::GoesOn, Stage::Found { entry, free, wait, lease, .. }) => {
                self.set(client, Stage::Found { entry, free, wait, lease, dropped: true });
            }
            (AfterDrop::IsForgotten, _) => self.set(client, Stage::Idle),
            (AfterDrop::TidiesUp | AfterDrop::GoesOn, _) => {
                if let Some(entry) = stage.entry() {
                    self.leave(client, entry);
                }
            }
        }
        match dropped {
            Dropped::UnderWay(_) => NOTHING,
            Dropped::Unseen => Op::Cancel { request }.into(),
        }
    }

    fn see(&mut self, client: u16) -> Action {
        if let Stage::Granted { entry } = self.stage(client) {
            self.set(client, Stage::Inside { entry });
        }
        NOTHING
    }

    fn release(&mut self, algorithm: &Algorithm, client: u16, told: &mut Outcomes) -> Action {
        let (request, token) = (RequestId(client), self.guard(client));
        match self.stage(client) {
            Stage::Inside { entry } => {
                self.end_hold(algorithm, entry, Outcome::Released, told);
                self.leave(client, entry);
            }
            _ => told.tell(request, Outcome::NotHeld),
        }
        Op::Release { request, token }.into()
    }

    fn tidy_up(&mut self, algorithm: &Algorithm, client: u16) -> Action {
        if let Stage::Leaving { entry, alone } = self.stage(client) {
            self.set(client, Stage::Idle);
            self.remove_if_due(algorithm, entry, client, alone);
        }
        NOTHING
    }

    fn look(&mut self, client: u16) -> Action {
        let held = self.hold_of(client);
        self.clients[usize::from(client)].renewal = held.map(|(token, _)| token);
        NOTHING
    }

    fn renew(&mut self, algorithm: &Algorithm, client: u16, told: &mut Outcomes) -> Action {
        let request = RequestId(client);
        let Some(token) = self.clients[usize::from(client)].renewal.take() else {
            return NOTHING;
        };
        let seen = Seen { then: true, now: self.is_held_with(token) };
        if (algorithm.renews)(seen) {
            // It writes all that it knows, which changes nothing if the hold is there.
            let entry = self.entry_in_table();
            let hold = Hold { request, name: RED, lease: Lease::Bounded };
            self.entries[entry].hold = Some((token, hold));
            self.armed.insert(Timer::Lease(token));
            told.tell(request, Outcome::Renewed);
        } else {
            told.tell(request, Outcome::NotHeld);
        }
        Op::Renew { request, token }.into()
    }

    fn write(&mut self, algorithm: &Algorithm, client: u16) -> Action {
        let token = self.guard(client);
        if (algorithm.admits)(self.written, token) {
            self.written = token;
        }
        NOTHING
    }

    fn end_wait(&mut self, client: u16, told: &mut Outcomes) -> Action {
        let request = RequestId(client);
        self.leave_queue(client);
        told.tell(request, Outcome::Refused(Refusal::TimedOut));
        Env::WaitElapsed { request }.into()
    }

    /// Whoever ends a lease also tidies up: the holder may be gone.
    fn end_lease(
        &mut self,
        algorithm: &Algorithm,
        token: FencingToken,
        told: &mut Outcomes,
    ) -> Action {
        let held = |entry: &Entry| entry.hold.filter(|(held, _)| *held == token);
        let place = self.entries.iter().position(|entry| held(entry).is_some());
        if let Some(entry) = place
            && let Some((_, hold)) = held(&self.entries[entry])
        {
            let client = hold.request.0;
            self.end_hold(algorithm, entry, Outcome::Lost(Loss::LeaseElapsed), told);
            self.set(client, Stage::Idle);
            self.remove_if_due(algorithm, entry, client, !self.is_shared(entry, client));
        }
        Env::LeaseElapsed { token }.into()
    }
}

/// The moves that steps are made of.
impl State {
    fn set(&mut self, client: u16, stage: Stage) {
        self.clients[usize::from(client)].stage = stage;
    }

    fn grant(
        &mut self,
        algorithm: &Algorithm,
        entry: usize,
        request: RequestId,
        lease: Lease,
        told: &mut Outcomes,
    ) {
        let token = self.next_token;
        self.next_token = token.next();
        self.entries[entry].hold = Some((token, Hold { request, name: RED, lease }));
        if (algorithm.arms)(lease) {
            self.armed.insert(Timer::Lease(token));
        }
        told.tell(request, Outcome::Granted(token));
    }

    /// Ends the hold and hands over, in one step.
    fn end_hold(&mut self, algorithm: &Algorithm, entry: usize, how: Outcome, told: &mut Outcomes) {
        let Some((token, hold)) = self.entries[entry].hold.take() else { return };
        self.armed.remove(&Timer::Lease(token));
        told.tell(hold.request, how);
        if let Some(Waiter { request, lease, .. }) = self.entries[entry].queue.pop_front() {
            self.armed.remove(&Timer::Wait(request));
            self.set(request.0, Stage::Granted { entry });
            self.grant(algorithm, entry, request, lease, told);
        }
    }

    /// A waiter leaves. The entry has a holder, who will tidy up.
    fn leave_queue(&mut self, client: u16) {
        let request = RequestId(client);
        for entry in &mut self.entries {
            entry.queue.retain(|waiter| waiter.request != request);
        }
        self.armed.remove(&Timer::Wait(request));
        self.set(client, Stage::Idle);
    }

    fn leave(&mut self, client: u16, entry: usize) {
        let alone = !self.is_shared(entry, client);
        self.set(client, Stage::Leaving { entry, alone });
    }

    fn remove_if_due(&mut self, algorithm: &Algorithm, entry: usize, client: u16, then: bool) {
        let alone = Seen { then, now: !self.is_shared(entry, client) };
        let Entry { hold, queue } = &self.entries[entry];
        let free = hold.is_none() && queue.is_empty();
        if self.table == Some(entry) && (algorithm.removes)(Leaving { alone, free }) {
            self.table = None;
        }
    }

    /// The entry that the table has for the name; made, if there is none.
    fn entry_in_table(&mut self) -> usize {
        // There are more entries than clients, so one is unused if the table has none.
        let unused = || (0..self.entries.len()).find(|entry| !self.is_used(*entry));
        let entry = self.table.or_else(unused).unwrap_or_default();
        self.table = Some(entry);
        entry
    }

    fn is_used(&self, entry: usize) -> bool {
        self.table == Some(entry) || self.has_user(entry)
    }

    /// An entry that nothing leads to is memory that was freed.
    fn forget_unused_entries(&mut self) {
        for entry in 0..self.entries.len() {
            if !self.is_used(entry) {
                self.entries[entry] = Entry::default();
            }
        }
    }
}
