//! Properties: specification, document, model and code speak of the same ones, in the same words.

use lockspace_spec::{DEADLOCK, REACHABLE, SAFETY};

use crate::assert_none;
use crate::source::{File, file, files, shipping};

const INVARIANTS: &str = "docs/invariants.md";
const TESTING: &str = "docs/testing.md";
const FAULTS: &str = "impl/lockspace/src/engine/tests/faults";

/// Whether a word has the form of a property's ID.
fn is_id(word: &str) -> bool {
    let number = word.strip_prefix(['S', 'R', 'L', 'D']);
    number.is_some_and(|digits| digits.parse::<u8>().is_ok())
}

/// The cells of each table row that begins with an ID.
fn rows(document: &str) -> Vec<Vec<&str>> {
    let rows = document.lines().filter_map(|line| {
        let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        let cells: Vec<_> = inner.split('|').map(str::trim).collect();
        is_id(cells[0]).then_some(cells)
    });
    rows.collect()
}

/// Each property has exactly one row, which begins with these cells, and no row is of anything else.
fn rows_disagree(document: &str, properties: &[Vec<&str>]) -> Vec<String> {
    let rows = rows(document);
    let mut complaints = Vec::new();
    for cells in properties {
        let of_this: Vec<_> = rows.iter().filter(|row| row[0] == cells[0]).collect();
        match of_this[..] {
            [row] if row.starts_with(cells) => {}
            [row] => complaints.push(format!("{row:?} does not begin with {cells:?}")),
            _ => complaints.push(format!("{} rows for {cells:?}", of_this.len())),
        }
    }
    let known = |id: &str| properties.iter().any(|cells| cells[0] == id);
    let strangers = rows.iter().filter(|row| !known(row[0]));
    complaints.extend(strangers.map(|row| format!("no property is called {}", row[0])));
    complaints
}

/// Each defect (its name, the property it breaks) is named in the row of that property.
fn unnamed_defects(document: &str, defects: &[[String; 2]]) -> Vec<String> {
    let rows = rows(document);
    let named = |[name, breaks]: &&[String; 2]| {
        rows.iter()
            .any(|row| row[0] == breaks && row.iter().any(|cell| cell.contains(name.as_str())))
    };
    let unnamed = defects.iter().filter(|defect| !named(defect));
    unnamed.map(|[name, breaks]| format!("the row of {breaks} does not name {name}")).collect()
}

/// Each fault that a row names is kept.
fn unkept_faults(document: &str, kept: &[String]) -> Vec<String> {
    let named =
        rows(document).into_iter().flatten().flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let unkept = named.filter(|name| !kept.iter().any(|fault| fault == name));
    unkept.map(|name| format!("no fault is called {name}")).collect()
}

/// The values of two fields that follow each other, such as `id: "L1"` and `sentence: "..."`.
fn fields(text: &str, names: [&str; 2]) -> Vec<[String; 2]> {
    fn value<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
        let (_, value) = text.split_once(&format!(" {name}: \""))?;
        value.split_once('"')
    }
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = value(rest, names[0]) {
        let Some((second, after)) = value(after, names[1]) else {
            break;
        };
        found.push([first.to_owned(), second.to_owned()]);
        rest = after;
    }
    found
}

/// The IDs that a file claims to uphold, each with its line.
fn citations(file: &File) -> Vec<(usize, &str)> {
    let mut cited = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for (_, list) in
            line.match_indices("upholds ").map(|(at, word)| line.split_at(at + word.len()))
        {
            let words = list.split([',', ' ', ')', '.', ';']).filter(|word| !word.is_empty());
            cited.extend(words.take_while(|word| is_id(word)).map(|id| (index + 1, id)));
        }
    }
    cited
}

/// Whatever is cited is known.
fn unknown_citations(file: &File, known: &[&str]) -> Vec<String> {
    let unknown = citations(file).into_iter().filter(|(_, id)| !known.contains(id));
    let path = &file.path;
    unknown.map(|(line, id)| format!("{path}:{line}: no property is called {id}")).collect()
}

/// Whatever is known is cited.
fn never_cited(files: &[File], known: &[&str]) -> Vec<String> {
    let cited: Vec<_> = files.iter().flat_map(citations).map(|(_, id)| id).collect();
    let missing = known.iter().filter(|id| !cited.contains(id));
    missing.map(|id| format!("no code says that it upholds {id}")).collect()
}

/// A run of the manifest, in the digits that people read.
#[derive(Debug, Default)]
struct Run<'a> {
    name: &'a str,
    quick: bool,
    states: u64,
    transitions: u64,
}

/// Every run of a manifest.
fn runs(manifest: &str) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    for line in manifest.lines() {
        if line == "[[run]]" {
            runs.push(Run::default());
        }
        let (Some(run), Some((field, value))) = (runs.last_mut(), line.split_once(" = ")) else {
            continue;
        };
        let number = || value.replace('_', "").parse().expect("a number");
        match field {
            "name" => run.name = value.trim_matches('"'),
            "level" => run.quick = value == "\"quick\"",
            "states" => run.states = number(),
            "transitions" => run.transitions = number(),
            _ => {}
        }
    }
    runs
}

/// A number in groups of three digits, as the command prints it.
fn grouped(number: u64) -> String {
    let rest = if number < 1000 { String::new() } else { grouped(number / 1000) + " " };
    if rest.is_empty() { number.to_string() } else { format!("{rest}{:03}", number % 1000) }
}

/// What a document quotes of the command's output is what the command prints. Answers how many lines
/// it quotes, and what is wrong with them.
fn misquoted(document: &str, manifest: &str, defects: &[[String; 2]]) -> (usize, Vec<String>) {
    let runs = runs(manifest);
    let quick: Vec<_> = runs.iter().filter(|run| run.quick).collect();
    let (count, sum) = (quick.len(), grouped(quick.iter().map(|run| run.states).sum()));
    let number = defects.len();
    let expected = document.lines().filter_map(|line| {
        let first = line.split_whitespace().next()?;
        let says = if let Some(run) = runs.iter().find(|run| run.name == first) {
            vec![
                format!("  {}  ", grouped(run.states)),
                format!("  {}  ", grouped(run.transitions)),
            ]
        } else if let Some([_, breaks]) = defects.iter().find(|[name, _]| name == first) {
            vec![format!(" breaks {breaks} in ")]
        } else if first == "VERIFIED:" {
            vec![format!("VERIFIED: {count} runs, {sum} states, as the manifest says")]
        } else if line.starts_with("Faulty designs refuted:") {
            vec![format!("refuted: {number} of {number}")]
        } else {
            return None;
        };
        Some((line, says))
    });
    let quoted: Vec<_> = expected.collect();
    let wrong = quoted.iter().filter(|(line, says)| !says.iter().all(|part| line.contains(part)));
    let wrong = wrong.map(|(line, says)| format!("{line:?} should say {says:?}")).collect();
    (quoted.len(), wrong)
}

/// What the model says must happen: ID and sentence.
fn progress() -> Vec<[String; 2]> {
    let progress = fields(&file("model/src/progress.rs").text, ["id", "sentence"]);
    assert_eq!(progress.len(), 4, "L1 to L4: {progress:?}");
    progress
}

fn safety() -> Vec<&'static str> {
    SAFETY.iter().map(|property| property.id).collect()
}

#[test]
fn the_document_and_the_specification_say_the_same() {
    let progress = progress();
    let properties = SAFETY.iter().chain(&REACHABLE);
    let mut cells: Vec<_> = properties.map(|p| vec![p.id, p.name, p.sentence]).collect();
    cells.extend(progress.iter().map(|[id, sentence]| vec![id.as_str(), sentence.as_str()]));
    cells.extend(DEADLOCK.iter().map(|p| vec![p.id, p.name, p.sentence]));
    assert_none(rows_disagree(&file(INVARIANTS).text, &cells));
}

fn defects() -> Vec<[String; 2]> {
    let defects = ["model/src/defects", "model/src/cluster/defects"];
    let defects: Vec<_> = defects.into_iter().flat_map(|folder| files(folder, ".rs")).collect();
    let defects: Vec<_> =
        defects.iter().flat_map(|file| fields(&file.text, ["name", "breaks"])).collect();
    assert!(!defects.is_empty());
    defects
}

#[test]
fn the_document_names_every_defect() {
    assert_none(unnamed_defects(&file(INVARIANTS).text, &defects()));
}

#[test]
fn every_property_has_a_row_of_who_would_notice() {
    let text = file(TESTING).text;
    let progress = progress();
    let mut ids: Vec<_> = safety().into_iter().map(|id| vec![id]).collect();
    ids.extend(progress.iter().map(|[id, _]| vec![id.as_str()]));
    ids.extend(DEADLOCK.iter().map(|property| vec![property.id]));
    assert_none(rows_disagree(&text, &ids));
    let name =
        |file: &File| file.path.trim_end_matches(".patch").rsplit('/').next().map(String::from);
    let kept: Vec<_> = files(FAULTS, ".patch").iter().filter_map(name).collect();
    assert_none(unkept_faults(&text, &kept));
}

#[test]
fn the_readme_quotes_what_the_command_prints() {
    let manifest = file("model/manifest.toml").text;
    let (quoted, wrong) = misquoted(&file("README.md").text, &manifest, &defects());
    assert!(quoted >= 5, "it quotes {quoted} lines");
    assert_none(wrong);
}

#[test]
fn code_cites_what_exists() {
    let progress = progress();
    let mut known = safety();
    known.extend(progress.iter().map(|[id, _]| id.as_str()));
    known.extend(DEADLOCK.iter().map(|property| property.id));
    let complaints = ["spec", "impl", "model"].into_iter().flat_map(|folder| files(folder, ".rs"));
    assert_none(complaints.flat_map(|file| unknown_citations(&file, &known)).collect());
}

#[test]
fn code_cites_every_safety_property() {
    assert_none(never_cited(&shipping(), &safety()));
}

#[test]
fn a_row_that_is_missing_doubled_changed_or_strange_is_found() {
    let s1 = vec!["S1", "exclusion", "at most one"];
    let complaints = |document: &str| rows_disagree(document, std::slice::from_ref(&s1)).len();
    assert_eq!(complaints("| S1 | exclusion | at most one | more |"), 0);
    assert_eq!(complaints("text"), 1);
    assert_eq!(complaints("| S1 | exclusion | at most two |"), 1);
    assert_eq!(complaints("| S1 | exclusion | at most one |\n| S1 | exclusion | at most one |"), 1);
    assert_eq!(complaints("| S1 | exclusion | at most one |\n| S2 | other | it |"), 1);
}

#[test]
fn a_defect_in_the_row_of_another_property_is_found() {
    let defects = fields(r#"X { name: "barging", breaks: "S3" }"#, ["name", "breaks"]);
    assert_eq!(defects.len(), 1);
    assert_none(unnamed_defects("| S3 | FIFO | barging |", &defects));
    assert_eq!(unnamed_defects("| S3 | FIFO | - |\n| S4 | once | barging |", &defects).len(), 1);
}

#[test]
fn a_fault_that_is_not_kept_is_found() {
    let kept = ["a_leak".to_owned()];
    assert_none(unkept_faults("| S5 | M O | `a_leak` | what |", &kept));
    assert_eq!(unkept_faults("| S5 | M O | `a_leak`, `another` | what |", &kept).len(), 1);
}

#[test]
fn a_citation_of_nothing_and_a_property_without_citation_are_found() {
    let file = File::new("a.rs", "fn a() {} // upholds S1, S99\n/// It goes (upholds L1).\n");
    assert_eq!(citations(&file), [(1, "S1"), (1, "S99"), (2, "L1")]);
    assert_eq!(unknown_citations(&file, &["S1", "L1"]).len(), 1);
    assert_eq!(never_cited(&[file], &["S1", "S2"]).len(), 1);
}

#[test]
fn a_wrong_quotation_is_found() {
    let manifest = "[[run]]\nname = \"a-1\"\nlevel = \"quick\"\nstates = 1_234\ntransitions = 56\n\
                    [[run]]\nname = \"a-2\"\nlevel = \"full\"\nstates = 7\ntransitions = 8\n";
    let defects = [["barging".to_owned(), "S3".to_owned()]];
    let wrong = |line: &str| misquoted(line, manifest, &defects).1.len();
    assert_eq!(wrong("a-1  bounds  1 234  56  holds"), 0);
    assert_eq!(wrong("a-1  bounds  1 235  56  holds"), 1);
    assert_eq!(wrong("VERIFIED: 1 runs, 1 234 states, as the manifest says"), 0);
    assert_eq!(wrong("VERIFIED: 2 runs, 1 241 states, as the manifest says"), 1);
    assert_eq!(wrong("  barging   breaks S3 in 4 steps"), 0);
    assert_eq!(wrong("  barging   breaks S4 in 4 steps"), 1);
    assert_eq!(wrong("Faulty designs refuted: 2 of 2"), 1);
}
