//! What a lockspace costs at real servers, counted by the servers themselves.
//!
//! [`tests/stores/trips.rs`](../stores/trips.rs) counts the calls that leave a lockspace. This suite sees
//! that each of them is one thing that the server is asked, and that nothing else is.
#![cfg(target_os = "linux")]

mod counted;
mod servers;

use std::future::IntoFuture;
use std::time::Duration;

use lockspace::LockSpace;
use lockspace::store::Options;

use counted::Counted;
use servers::Site;

const NAME: &str = "invoice/42";

/// Longer than anything takes that is not waited for in vain.
const LONG: Duration = Duration::from_secs(120);

/// A lockspace that asks for nothing by itself while a test counts: its times are those of a day.
async fn open<S: Site>(site: &S) -> (LockSpace, Counted<S::Store>) {
    open_with(site, Options::new().ttl(Options::LONGEST_TTL)).await
}

async fn open_with<S: Site>(site: &S, options: Options) -> (LockSpace, Counted<S::Store>) {
    let store = Counted::over(site.store().await);
    let space = LockSpace::open(store.clone(), options).await.expect("the store is there");
    (space, store)
}

/// Its outcome, which comes within a time that says that nobody hung.
async fn soon<T>(future: impl IntoFuture<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it does not hang")
}

/// What must be so at every store.
mod claims {
    use super::*;

    pub(super) async fn an_acquire_is_one_question_and_a_release_one<S: Site>() {
        let Some(site) = S::start() else { return };
        let (space, store) = open(&site).await;
        let begun = site.asked();
        let mut expected = begun;
        for turn in 1..=20 {
            let guard = soon(space.acquire(NAME)).await.unwrap();
            expected.swaps += 1;
            assert_eq!(site.asked(), expected, "after acquire {turn}");
            guard.release().unwrap();
            soon(store.until(|calls| calls.swaps_of_names == 2 * turn)).await;
            expected.swaps += 1;
            assert_eq!(site.asked(), expected, "after release {turn}");
        }
    }

    pub(super) async fn a_hundred_held_names_cost_nothing_but_the_heartbeat<S: Site>() {
        let Some(site) = S::start() else { return };
        let hour = Duration::from_secs(3600);
        // Long enough that a machine which stands still for a while does not end the session.
        let options = Options::new().ttl(Duration::from_secs(3)).sweep_every(hour).look_every(hour);
        let (space, store) = open_with(&site, options).await;
        let names: Vec<_> = (0..100).map(|number| format!("held/{number}")).collect();
        let mut guards = Vec::new();
        for name in &names {
            guards.push(soon(space.acquire(name)).await.unwrap());
        }
        soon(store.shut()).await;
        let (begun, asked) = (store.calls(), site.asked());
        // From here on exactly three heartbeats come through.
        store.open_for(3);
        soon(store.until(|calls| calls.of_sessions == begun.of_sessions + 3)).await;
        assert_eq!(store.calls().of_names, begun.of_names);
        let mut expected = asked;
        expected.swaps += 3;
        assert_eq!(site.asked(), expected);
    }

    pub(super) async fn a_thousand_who_wait_are_one_at_the_server<S: Site>() {
        let Some(site) = S::start() else { return };
        let (holder, _) = open(&site).await;
        let guard = soon(holder.acquire(NAME)).await.unwrap();
        let (space, store) = open(&site).await;
        let begun = site.asked();
        let waiting: Vec<_> = (0..1_000)
            .map(|_| {
                let space = space.clone();
                tokio::spawn(async move { space.acquire(NAME).await.unwrap().release().unwrap() })
            })
            .collect();
        // Tries in vain, looks, joins.
        soon(store.until(|calls| calls.of_names >= 3)).await;
        assert_eq!(space.audit().waiting, 1_000);
        let tried = usize::from(S::SEES_CONFLICTS);
        let asked = site.asked();
        assert_eq!(asked.swaps - begun.swaps, tried + 1);
        // It also looks whether the holder lives, and begins to watch, perhaps by a connection more.
        assert!(asked.others - begun.others <= 20, "{begun:?} {asked:?}");
        let survey = soon(space.survey()).await.unwrap();
        assert_eq!(survey.names.len(), 1);
        assert_eq!(survey.names[0].queue.len(), 1);

        drop(guard);
        for task in waiting {
            soon(task).await.unwrap();
        }
        // One swap for each hand-over here, and one for the last release.
        soon(store.until(|calls| calls.swaps_of_names == 2 + 999 + 1)).await;
        let asked = site.asked();
        // The holder, who does not know yet that somebody waits, tries in vain, looks, and hands over.
        assert_eq!(asked.swaps - begun.swaps, tried + 1 + tried + 1 + 999 + 1);
        assert!(asked.others - begun.others <= 40, "{begun:?} {asked:?}");
        assert!(soon(space.survey()).await.unwrap().names.is_empty());
    }
}

macro_rules! at_every_store {
    ($($claim:ident),* $(,)?) => {
        at_every_store!(@ redis servers::Redis: $($claim)*);
        at_every_store!(@ postgres servers::Postgres: $($claim)*);
        at_every_store!(@ etcd servers::Etcd: $($claim)*);
        at_every_store!(@ sqlite servers::Sqlite: $($claim)*);
    };
    (@ $store:ident $site:ty: $($claim:ident)*) => {
        mod $store {
            use super::{claims, servers};

            $(#[tokio::test]
            async fn $claim() {
                claims::$claim::<$site>().await;
            })*
        }
    };
}

at_every_store!(
    an_acquire_is_one_question_and_a_release_one,
    a_hundred_held_names_cost_nothing_but_the_heartbeat,
    a_thousand_who_wait_are_one_at_the_server,
);
