//! Whether two threads that want different names write to any cache line in common.
//!
//! valgrind's lackey prints every store of a program. Two threads do one pair each, one thread after the
//! other, between stores to a mark. Their stacks and thread-local variables are their own; so a line that
//! both have written is one that would go back and forth between their processors.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use lockspace::{Builder, LockSpace};

use crate::paths::{at_once, other_name, space};
use crate::valgrind::valgrind;

/// What the two threads do.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// What it is called on the command line of the program under valgrind.
    pub(crate) name: &'static str,
    /// Whether they write to a line in common.
    pub(crate) shared: bool,
    same_shard: bool,
    settings: fn(Builder) -> Builder,
}

/// The claim, and two cases in which it must be seen to be false.
pub(crate) const CASES: [Case; 3] = [
    Case {
        name: "names-of-two-shards",
        shared: false,
        same_shard: false,
        settings: |builder| builder,
    },
    Case {
        name: "names-of-one-shard",
        shared: true,
        same_shard: true,
        settings: |builder| builder,
    },
    Case {
        name: "names-of-two-shards-with-a-limit",
        shared: true,
        same_shard: false,
        settings: |builder| builder.max_names(1000),
    },
];

/// How many lines both threads write.
///
/// # Errors
/// If valgrind cannot be run, or what it prints is not as expected.
pub(crate) fn written_by_both(case: &Case) -> io::Result<usize> {
    let tool = ["--tool=lackey", "--trace-mem=yes", "--basic-counts=no"];
    let output = valgrind(&tool, &["--two-threads", case.name])?.output()?;
    let mark = u64::from_str_radix(String::from_utf8_lossy(&output.stdout).trim(), 16);
    let mark = mark.map_err(|_| io::Error::other("the program under lackey failed"))?;
    let trace = String::from_utf8_lossy(&output.stderr);
    let [_, first, _, second, _] = parts(&trace, mark)
        .try_into()
        .map_err(|parts: Vec<_>| io::Error::other(format!("{} marks", parts.len())))?;
    if first.is_empty() || second.is_empty() {
        return Err(io::Error::other("nothing was written between the marks"));
    }
    Ok(first.intersection(&second).count())
}

/// The lines written before, between and after the stores to the mark.
fn parts(trace: &str, mark: u64) -> Vec<BTreeSet<u64>> {
    const LINE: u64 = 64;
    let mut parts = vec![BTreeSet::new()];
    for (address, size) in trace.lines().filter_map(store) {
        match parts.last_mut() {
            Some(part) if address != mark => {
                part.extend(address / LINE..=(address + size - 1) / LINE);
            }
            _ => parts.push(BTreeSet::new()),
        }
    }
    parts
}

/// The address and the size of a store (" S 1ffe,8") or of a change in place (" M 1ffe,8").
fn store(line: &str) -> Option<(u64, u64)> {
    let place = line.strip_prefix(" S ").or_else(|| line.strip_prefix(" M "))?;
    let (address, size) = place.split_once(',')?;
    Some((u64::from_str_radix(address, 16).ok()?, size.parse().ok()?))
}

/// A line of its own, that nothing else is on.
#[repr(align(128))]
struct Mark(AtomicU64);

static MARK: Mark = Mark(AtomicU64::new(0));

/// The program under lackey: says where the mark is, and does what it is for.
pub(crate) fn two_threads(case: &str) {
    let case = CASES.iter().find(|known| known.name == case).expect("a case that is known");
    println!("{:x}", std::ptr::from_ref(&MARK.0).addr());
    let space = (case.settings)(space()).build();
    let first = "invoice/00000000";
    let second = other_name(&space, first, case.same_shard);
    marked_pair(&space, first);
    // A thread of its own, while this one waits and keeps its stack.
    thread::scope(|scope| {
        scope.spawn(|| marked_pair(&space, &second));
    });
}

fn marked_pair(space: &LockSpace, name: &str) {
    let pair = || drop(at_once(space.acquire(name).into_future()));
    pair();
    MARK.0.store(1, Ordering::SeqCst);
    pair();
    MARK.0.store(2, Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn a_trace_is_cut_at_its_marks() {
        let trace = " S 40,8\nI  04,3\n S ff00,8\n M 7f,2\n L 200,8\n S ff00,8\n S 40,1\n";
        let parts: Vec<Vec<u64>> =
            parts(trace, 0xff00).into_iter().map(|part| part.into_iter().collect()).collect();
        assert_eq!(parts, [vec![1], vec![1, 2], vec![1]]);
    }
}
