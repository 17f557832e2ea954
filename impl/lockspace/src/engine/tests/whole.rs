//! Actions as requests, guards and futures do them: plainly, if that is enough.

use super::super::{
    Acquired, Ask, Effects, Engine, HoldKey, Patience, Released, TurnedAway, WaitKey,
};

impl Engine {
    /// As a request.
    pub(super) fn acquire(
        &self,
        ask: &Ask<'_>,
        effects: &mut Effects,
    ) -> Result<Acquired, TurnedAway> {
        let mut door = self.door(ask.name);
        if ask.lease.is_some() || ask.label.is_some() || ask.owner.is_some() {
            return door.acquire(ask, effects);
        }
        if let Some(hold) = door.take_free(ask.name) {
            return Ok(Acquired::Granted(hold));
        }
        let Patience::Queue { waker, wait } = ask.patience else {
            return door.acquire(ask, effects);
        };
        match (door.take_place(ask.name, waker), wait) {
            (None, _) => door.acquire(ask, effects),
            (Some(key), None) => Ok(Acquired::Queued(key)),
            (Some(key), Some(wait)) => {
                door.limit(key, wait, effects);
                Ok(Acquired::Queued(key))
            }
        }
    }

    /// As a guard's end.
    pub(super) fn release(&self, hold: HoldKey, effects: &mut Effects) -> Released {
        match self.exit_of_hold(hold).give_back(hold) {
            Ok(waker) => {
                effects.wake(waker);
                Released::Released
            }
            Err(exit) => exit.release(hold, effects),
        }
    }

    /// As a future that is dropped.
    pub(super) fn cancel(&self, key: WaitKey, effects: &mut Effects) {
        match self.exit_of_wait(key).leave(key) {
            Ok(waker) => effects.retire(Some(waker)),
            Err(exit) => exit.cancel(key, effects),
        }
    }
}
