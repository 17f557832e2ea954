//! The report: every case has a line, in both forms, and what was not looked at is said not to have been.

use std::fs;
use std::process::Command;

use lockspace::store::{Row, Store, StoreError, Swap, Version};
use lockspace_conformance::{CASES, Harness, NotRun, Verdict, run};

/// A store whose server is not installed here.
struct Missing;

/// It is never opened.
enum Nothing {}

impl Store for Nothing {
    async fn load(&self, _: &str) -> Result<Option<(Version, Vec<u8>)>, StoreError> {
        match *self {}
    }

    async fn swap(
        &self,
        _: &str,
        _: Option<Version>,
        _: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        match *self {}
    }

    async fn scan(&self, _: &str) -> Result<Vec<Row>, StoreError> {
        match *self {}
    }
}

impl Harness for Missing {
    const NAME: &str = "a missing store";
    type Store = Nothing;

    async fn start() -> Result<Self, NotRun> {
        Err(NotRun("the server | is not installed".into()))
    }

    async fn open(&self) -> Nothing {
        unreachable!("it could not be started")
    }
}

#[test]
fn what_did_not_run_is_reported_as_not_run() {
    let report = run::<Missing>();
    assert!(report.refuted().is_empty());
    for case in CASES {
        assert!(matches!(report.verdict(case), Some(Verdict::NotRun(_))), "{case}");
    }
    assert_eq!(report.verdict("no_such_case"), None);
}

#[test]
fn a_report_is_written_for_people_and_for_programs() {
    let report = run::<Missing>();
    let folder = std::env::temp_dir().join(format!("lockspace-report-{}", std::process::id()));
    report.write(&folder).unwrap();
    let markdown = fs::read_to_string(folder.join("a-missing-store.md")).unwrap();
    let json = fs::read_to_string(folder.join("a-missing-store.json")).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert!(markdown.starts_with("# Conformance of a missing store\n"), "{markdown}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["store"], "a missing store");
    for (at, case) in CASES.iter().enumerate() {
        let line =
            format!("| {} | NOT RUN: the server \\| is not installed |", case.replace('_', " "));
        assert!(markdown.contains(&line), "{markdown}");
        assert_eq!(json["cases"][at]["case"], *case);
        assert_eq!(json["cases"][at]["verdict"], "not-run");
        assert_eq!(json["cases"][at]["reason"], "the server | is not installed");
    }
}

/// Set in the process that keeps a report.
const KEEPS: &str = "LOCKSPACE_CONFORMANCE_REPORT";

#[test]
fn a_suites_report_is_kept_where_somebody_wants_it_and_grows_with_each_case() {
    if std::env::var_os(KEEPS).is_some_and(|folder| folder.to_string_lossy().contains(KEPT)) {
        let module = module_path!();
        lockspace_conformance::test::<Missing>(CASES[0], module);
        lockspace_conformance::test::<Missing>(CASES[2], module);
        return;
    }
    let folder = std::env::temp_dir().join(format!("{KEPT}-{}", std::process::id()));
    let test = "a_suites_report_is_kept_where_somebody_wants_it_and_grows_with_each_case";
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(KEEPS, &folder)
        .output()
        .unwrap();
    assert!(again.status.success(), "{again:?}");
    let json = fs::read_to_string(folder.join("a-missing-store.json")).unwrap();
    let markdown = fs::read_to_string(folder.join("a-missing-store.md")).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    for (at, case) in CASES.iter().enumerate() {
        let reason = if [0, 2].contains(&at) {
            "the server | is not installed"
        } else {
            "nobody has looked"
        };
        assert_eq!(json["cases"][at]["reason"], reason, "{case}");
    }
    assert!(markdown.contains("| NOT RUN: the server \\| is not installed |"), "{markdown}");
}

/// What the folder's name begins with.
const KEPT: &str = "lockspace-kept-report";
