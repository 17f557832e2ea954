//! The TLA+ twin of the protocol (`spec/tla`) has the same distinct states and transitions as the
//! specification, in every configuration beside it.
//!
//! The checker is a program, `cargo install tla-checker`, that may be absent. What then did not run is
//! said on standard error; with `LOCKSPACE_REQUIRE_TLA=1` it is a failure.

use std::collections::HashSet;
use std::io::Write;
use std::mem::{Discriminant, discriminant};
use std::path::{Path, PathBuf};
use std::process::Command;

use lockspace_model::proof::tie::Bounds;
use lockspace_spec::{Action, Env, Limits, Op, State, step};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../spec/tla");

/// Distinct states, and transitions: the distinct triples of a state, a kind of action and a state that
/// it leads to.
type Counts = (usize, usize);

/// Each configuration with its counts.
const COUNTS: [(&str, Counts); 6] = [
    ("2x1", (64, 803)),
    ("2x2", (296, 4_139)),
    ("3x1", (332, 4_699)),
    ("3x1-one-waiter", (202, 2_808)),
    ("3x2", (1_496, 23_431)),
    ("3x2-one-name", (656, 9_979)),
];

/// Changes of the module, each of which must show in the counts or break an invariant.
const CONTROLS: [(&str, &str); 4] = [
    ("queue' = [queue EXCEPT ![n] = Tail(queue[n])]", "UNCHANGED queue"),
    ("/\\ waitTimers' = waitTimers \\ {r}\n", "/\\ UNCHANGED waitTimers\n"),
    ("/\\ ~(phase = \"draining\" /\\ HeldNames = {n})\n", ""),
    ("/\\ Len(queue[n]) < MostWaiters", ""),
];

#[test]
fn every_configuration_is_counted() {
    let files = std::fs::read_dir(FOLDER).expect("the folder is there");
    let paths = files.map(|file| file.expect("the folder can be read").path());
    let configurations =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "cfg"));
    let stem = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let mut names: Vec<String> = configurations.map(stem).collect();
    names.sort();
    assert_eq!(names, COUNTS.map(|(name, _)| name));
}

#[test]
fn the_specification_has_these_counts() {
    for (name, counts) in COUNTS {
        assert_eq!(counted(&Configuration::read(name)), counts, "{name}");
    }
}

#[test]
fn the_twin_has_the_same_counts() {
    if is_installed() {
        for (name, counts) in COUNTS {
            assert_eq!(checked(Path::new(FOLDER), name), Some(counts), "{name}");
        }
        report(format_args!("{} configurations of the twin agree", COUNTS.len()));
    }
}

#[test]
fn a_twin_that_is_wrong_is_found_out() {
    if is_installed() {
        let module =
            std::fs::read_to_string(module(Path::new(FOLDER))).expect("the module is there");
        let (name, counts) = COUNTS[3];
        let folder = std::env::temp_dir().join(format!("lockspace-twin-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("there is room");
        std::fs::copy(configuration(Path::new(FOLDER), name), configuration(&folder, name))
            .expect("the configuration is there");
        for (right, wrong) in CONTROLS {
            assert_eq!(module.matches(right).count(), 1, "{right}");
            std::fs::write(self::module(&folder), module.replace(right, wrong))
                .expect("there is room");
            assert_ne!(checked(&folder, name), Some(counts), "{right}");
        }
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }
}

/// What a configuration file says.
struct Configuration {
    bounds: Bounds,
    grants: u64,
}

impl Configuration {
    fn read(name: &str) -> Self {
        let path = configuration(Path::new(FOLDER), name);
        let text = std::fs::read_to_string(path).expect("the configuration is there");
        let value = |constant: &str| {
            let lines = text.lines().filter_map(|line| line.trim().split_once(" = "));
            let line = lines.into_iter().find(|(name, _)| *name == constant);
            line.expect("every constant has a value").1.to_owned()
        };
        let number = |constant| value(constant).parse::<usize>().expect("a number");
        let members = |constant| value(constant).split(',').count() as u16;
        let limits = Limits { names: number("MostNames"), waiters_per_name: number("MostWaiters") };
        let bounds = Bounds { requests: members("Requests"), names: members("Names"), limits };
        Self { bounds, grants: number("Grants") as u64 }
    }

    /// What can happen in `state`: nobody acquires once as many grants have been made or are waited
    /// for as there may be.
    fn actions(&self, state: &State) -> Vec<Action> {
        let mut actions = self.bounds.actions(state);
        if state.next_token.0 + state.waiters().count() as u64 > self.grants {
            actions.retain(|action| !matches!(action, Action::Op(Op::Acquire { .. })));
        }
        actions
    }
}

/// What the specification's own step makes of a configuration.
fn counted(configuration: &Configuration) -> Counts {
    let mut states = vec![State::new(configuration.bounds.limits)];
    let mut seen: HashSet<State> = states.iter().cloned().collect();
    let mut transitions = 0;
    let mut next = 0;
    while let Some(state) = states.get(next).cloned() {
        next += 1;
        let after = |action: Action| (kind(&action), step(&state, &action).0);
        let ends: HashSet<_> = configuration.actions(&state).into_iter().map(after).collect();
        transitions += ends.len();
        let fresh =
            ends.into_iter().map(|(_, state)| state).filter(|state| seen.insert(state.clone()));
        states.extend(fresh);
    }
    (states.len(), transitions)
}

fn kind(action: &Action) -> (Option<Discriminant<Op>>, Option<Discriminant<Env>>) {
    match action {
        Action::Op(op) => (Some(discriminant(op)), None),
        Action::Env(env) => (None, Some(discriminant(env))),
    }
}

/// What the checker makes of it, if it finds nothing wrong.
fn checked(folder: &Path, name: &str) -> Option<Counts> {
    let mut checker = Command::new("tla");
    checker.arg(module(folder)).arg("--config").arg(configuration(folder, name));
    let output = checker.arg("--symbolic-integers").output().expect("the checker runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |label: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.trim().strip_prefix(label)?.trim().parse().ok())
    };
    let complete = output.status.success() && text.contains("No errors found");
    complete.then_some((number("Reachable states:")?, number("Transitions:")?))
}

fn module(folder: &Path) -> PathBuf {
    folder.join("Lockspace.tla")
}

fn configuration(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.cfg"))
}

/// Whether the checker is installed; if not, that is reported, or fails the test where it is required.
fn is_installed() -> bool {
    let required = std::env::var("LOCKSPACE_REQUIRE_TLA").is_ok_and(|value| value == "1");
    let installed = Command::new("tla").arg("--version").output().is_ok();
    assert!(installed || !required, "tla is required and absent");
    if !installed {
        report(format_args!("SKIPPED (tla absent)"));
    }
    installed
}

/// Says it past the test harness, which keeps what passing tests print to itself.
fn report(line: std::fmt::Arguments<'_>) {
    writeln!(std::io::stderr(), "twin: {line}").expect("standard error takes a line");
}
