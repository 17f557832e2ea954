//! What stands in a store, as a table for people and as JSON for programs: the same for `ls` and `top`.

use std::collections::BTreeMap;
use std::time::Duration;

use lockspace::FencingToken;
use lockspace::store::{Claimed, Survey, SurveyedName};
use serde_json::{Value, json};

use crate::age::{ago, brief};

/// For how long each hold has been seen, by the clock of whoever watches: it lasts for at least so long.
#[derive(Default)]
pub(crate) struct Watched(BTreeMap<String, (FencingToken, Duration)>);

impl Watched {
    /// `found` was seen at `now`, by a clock that is never set.
    pub(crate) fn look(&mut self, found: &Survey, now: Duration) {
        let before = std::mem::take(&mut self.0);
        for named in &found.names {
            let known = before.get(named.name.as_str()).filter(|known| known.0 == named.token);
            let seen = known.copied().unwrap_or((named.token, now));
            self.0.insert(named.name.to_string(), seen);
        }
    }

    fn held(&self, named: &SurveyedName, now: Duration) -> Option<Duration> {
        Some(now.saturating_sub(self.0.get(named.name.as_str())?.1))
    }
}

/// When a survey was shown.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'w> {
    /// The time since the beginning of 1970.
    pub(crate) today: Duration,
    /// Who has watched, and what its clock says now.
    pub(crate) watched: Option<(&'w Watched, Duration)>,
}

impl Shown<'_> {
    fn held(&self, named: &SurveyedName) -> Option<Duration> {
        self.watched.and_then(|(watched, now)| watched.held(named, now))
    }
}

/// How many names are held, how many sessions wait, and how many there are.
pub(crate) fn counts(found: &Survey) -> (usize, usize, usize) {
    let waiting = found.names.iter().map(|named| named.queue.len()).sum();
    (found.names.len(), waiting, found.sessions.len())
}

/// One document.
pub(crate) fn as_json(found: &Survey, shown: Shown<'_>) -> Value {
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let who = |claimed: &Claimed| {
        json!({
            "session": claimed.session.to_string(),
            "label": claimed.label,
            "gone": claimed.gone,
            "asked_at": seconds(claimed.asked),
            "asked_seconds_ago": seconds(ago(claimed.asked, shown.today)),
        })
    };
    let names = found.names.iter().map(|named| {
        let waiting: Vec<Value> = named.queue.iter().map(who).collect();
        let mut name = json!({
            "name": named.name.as_str(),
            "token": named.token.0,
            "holder": who(&named.holder),
            "waiting": waiting,
        });
        if shown.watched.is_some() {
            name["held_for_at_least_seconds"] = json!(seconds(shown.held(named)));
        }
        name
    });
    let unreadable =
        found.unreadable.iter().map(|(key, why)| json!({ "key": key, "problem": why.to_string() }));
    json!({ "names": names.collect::<Value>(), "unreadable": unreadable.collect::<Value>() })
}

/// One line for each holder and each waiter, and one for each row that cannot be read.
pub(crate) fn lines(found: &Survey, shown: Shown<'_>) -> Vec<String> {
    let held = if shown.watched.is_some() { "HELD" } else { "" };
    let mut rows = vec![["NAME", "TOKEN", "", held, "ASKED", "WHO"].map(str::to_owned)];
    let asked =
        |claimed: &Claimed| ago(claimed.asked, shown.today).map_or_else(|| "?".into(), brief);
    for named in &found.names {
        let name = named.name.as_str().escape_debug().to_string();
        let held = shown.held(named).map(|held| brief(held) + "+").unwrap_or_default();
        let (holder, token) = (&named.holder, named.token.to_string());
        rows.push([name.clone(), token, "holds".into(), held, asked(holder), who(holder)]);
        for (place, waits) in named.queue.iter().enumerate() {
            let does = format!("waits {}", place + 1);
            let nothing = String::new;
            rows.push([name.clone(), nothing(), does, nothing(), asked(waits), who(waits)]);
        }
    }
    let mut lines = aligned(&rows);
    for (key, why) in &found.unreadable {
        lines.push(format!("{}: {why}", key.escape_debug()));
    }
    lines
}

/// What is not seen in a label is shown by its number.
fn who(claimed: &Claimed) -> String {
    match claimed.label.as_deref() {
        Some("") => "(no label)".to_owned(),
        Some(label) => label.escape_debug().to_string(),
        None if claimed.gone => "(its session has ended)".to_owned(),
        None => "(the row of its session cannot be read)".to_owned(),
    }
}

/// Tokens and times stand at the right of their columns. A column of nothing is left out.
fn aligned(rows: &[[String; 6]]) -> Vec<String> {
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let line = |row: &[String; 6]| {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate().filter(|(column, _)| widths[*column] > 0) {
            let width = widths[column];
            line += &match column {
                1 | 3 | 4 => format!("{cell:>width$}  "),
                5 => cell.clone(),
                _ => format!("{cell:<width$}  "),
            };
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
