//! Stress: many tasks and threads over few names, in every mode at once, on two worker threads.
//!
//! Three judges, none of which trusts the lockspace. The [`resource`] that a lock protects sees whether
//! two are inside and whether a token comes too late. The [`accounts`] see that every acquire had one
//! answer, and that the lockspace's own counters agree. The tickets see that nobody overtook.
//!
//! Choices come from a seed, which a failure prints and `LOCKSPACE_STRESS_SEED` sets. The order in which
//! tasks run is the scheduler's, so a seed makes a run likely to repeat, not certain.

mod accounts;
mod client;
mod resource;

use std::sync::Arc;

use accounts::Accounts;
use client::Client;
use lockspace::LockSpace;
use resource::Resource;

/// How large a run is.
#[derive(Clone, Copy, Debug)]
struct Size {
    tasks: u64,
    threads: u64,
    names: usize,
    /// How many acquires each task and thread makes.
    acquires: usize,
}

/// What everybody in a run shares.
struct World {
    space: LockSpace,
    resources: Vec<Resource>,
    accounts: Accounts,
}

fn seed() -> u64 {
    match std::env::var("LOCKSPACE_STRESS_SEED") {
        Ok(seed) => seed.parse().expect("LOCKSPACE_STRESS_SEED is a number"),
        Err(_) => fastrand::u64(..),
    }
}

fn run(size: Size) {
    let seed = seed();
    println!("LOCKSPACE_STRESS_SEED={seed} repeats the choices of this run: {size:?}");
    let world = Arc::new(World {
        space: LockSpace::builder().shards(4).timing(true).build(),
        resources: (0..size.names).map(|_| Resource::default()).collect(),
        accounts: Accounts::default(),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let client = |number| Client::new(Arc::clone(&world), seed.wrapping_add(number), size.acquires);
    std::thread::scope(|scope| {
        for number in 0..size.threads {
            let client = client(size.tasks + number);
            scope.spawn(|| client.run_as_a_thread());
        }
        let tasks: Vec<_> =
            (0..size.tasks).map(|number| runtime.spawn(client(number).run_as_a_task())).collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
    });
    runtime.block_on(world.space.shutdown(std::time::Duration::ZERO));
    lockspace_tests::until("nothing is left", || world.space.audit().is_quiescent());

    for resource in &world.resources {
        resource.judge();
    }
    let asked = (size.tasks + size.threads) * size.acquires as u64;
    world.accounts.judge(asked, &world.space.stats());
}

#[test]
fn a_hundred_tasks_and_four_threads_exclude_each_other_and_everything_is_accounted_for() {
    run(Size { tasks: 100, threads: 4, names: 3, acquires: 100 });
}

#[test]
fn ten_thousand_tasks_exclude_each_other_and_everything_is_accounted_for() {
    run(Size { tasks: 10_000, threads: 4, names: 8, acquires: 2 });
}

/// Nobody cancels, times out or loses a lease: then every single increment must be there.
#[test]
fn patient_tasks_lose_no_update() {
    let space = LockSpace::new();
    let resource = Arc::new(Resource::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let (space, resource) = (space.clone(), Arc::clone(&resource));
            runtime.spawn(async move {
                for _ in 0..10 {
                    let guard = space.acquire("counter").await.unwrap();
                    assert!(resource.enter(guard.fencing_token()));
                    resource.add_one(tokio::task::yield_now()).await;
                    assert!(resource.leave(guard.fencing_token()));
                }
            })
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(resource.judge(), 10_000);
    assert!(space.audit().is_quiescent());
}
