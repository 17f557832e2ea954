//! What a process does that a case has started: it has the store open, and a lockspace over it, and does what
//! it is asked for.

use lockspace::store::{Store, StoreError, Swap, Version};
use lockspace::{Guard, LockSpace};

use crate::Harness;
use crate::cases::{LIMIT, open_again, options};
use crate::process::{Answer, Ask, answer, asked};

/// Plays it, until whoever asks is gone.
pub(crate) async fn play<H: Harness>(address: &str) {
    let mut asked = asked();
    let store = H::open_at(address).await;
    let mut user = None;
    while let Some(ask) = asked.recv().await {
        let answered = match ask {
            Ask::Load { .. } | Ask::Swap { .. } | Ask::Scan { .. } => {
                of_the_store(&store, ask).await
            }
            Ask::Acquire { name } => {
                if user.is_none() {
                    user = Some(User::new(async || (H::open_at(address).await, ())).await);
                }
                user.as_mut().expect("it was just made").acquire(&name).await
            }
            Ask::Release => user.as_mut().expect("it holds").release(),
            Ask::ShutDown => {
                if let Some(user) = user.take() {
                    user.space.shutdown(std::time::Duration::ZERO).await;
                }
                Answer::Done
            }
        };
        answer(&answered);
    }
}

/// A user of a lockspace.
struct User {
    space: LockSpace,
    guard: Option<Guard<'static>>,
}

impl User {
    async fn new<S: Store>(open: impl AsyncFn() -> (S, ())) -> Self {
        let (space, ()) = open_again(options(), open).await;
        Self { space, guard: None }
    }

    async fn acquire(&mut self, name: &str) -> Answer {
        match self.space.acquire(name).wait_timeout(LIMIT).await {
            Ok(guard) => {
                let token = guard.fencing_token().0;
                self.guard = Some(guard.into_owned());
                Answer::Granted(token)
            }
            Err(error) => Answer::Refused(error.to_string()),
        }
    }

    fn release(&mut self) -> Answer {
        match self.guard.take().expect("it holds").release() {
            Ok(()) => Answer::Released,
            Err(_) => Answer::Lost,
        }
    }
}

async fn of_the_store(store: &impl Store, ask: Ask) -> Answer {
    let answered = match ask {
        Ask::Load { key } => store
            .load(&key)
            .await
            .map(|row| Answer::Loaded(row.map(|(version, bytes)| (version.0, bytes)))),
        Ask::Swap { key, expected, new } => {
            let swap = store.swap(&key, expected.map(Version), new.as_deref()).await;
            swap.map(|swap| match swap {
                Swap::Swapped(version) => Answer::Swapped(version.0),
                Swap::Conflict => Answer::Conflict,
            })
        }
        Ask::Scan { prefix } => store.scan(&prefix).await.map(|rows| {
            let rows = rows.into_iter();
            Answer::Scanned(rows.map(|row| (row.key, row.version.0, row.bytes)).collect())
        }),
        other => unreachable!("no store can {other:?}"),
    };
    answered.unwrap_or_else(|error| match error {
        StoreError::NotDone(why) => Answer::NotDone(why.to_string()),
        StoreError::Unknown(why) => Answer::Unknown(why.to_string()),
    })
}
