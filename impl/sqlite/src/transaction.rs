//! Calls, and the transaction in which those that came together are done.
//!
//! What this module must not do: answer a call before its transaction has ended, or try one twice.

use std::time::{SystemTime, UNIX_EPOCH};

use lockspace::store::{Cause, Row, StoreError, Swap, Version};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::error::{Gone, not_done, unknown};
use crate::file::File;

/// What is asked of the file.
#[derive(Debug)]
pub(crate) enum Call {
    Load(String),
    Swap { key: String, expected: Option<Version>, new: Option<Vec<u8>> },
    Scan(String),
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Answer {
    Loaded(Option<(Version, Vec<u8>)>),
    Swap(Swap),
    Scanned(Vec<Row>),
}

/// Does all calls in one transaction, in their order. If it fails it fails for all of them.
pub(crate) fn run(
    file: &mut File,
    namespace: &str,
    calls: &[Call],
) -> Vec<Result<Answer, StoreError>> {
    match attempt(file, namespace, calls) {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(error) => calls.iter().map(|_| Err(again(&error))).collect(),
    }
}

/// One who calls gets the error itself, the others its text; both are the same to them.
fn again(error: &StoreError) -> StoreError {
    let text = |cause: &Cause| Cause::from(cause.to_string());
    match error {
        StoreError::NotDone(cause) => not_done(text(cause)),
        StoreError::Unknown(cause) => unknown(text(cause)),
    }
}

fn attempt(file: &mut File, namespace: &str, calls: &[Call]) -> Result<Vec<Answer>, StoreError> {
    let writes = calls.iter().any(|call| matches!(call, Call::Swap { .. }));
    // A reader that becomes a writer may find that it has read too early, so a writer begins as one.
    let behavior =
        if writes { TransactionBehavior::Immediate } else { TransactionBehavior::Deferred };
    if !file.is_in_place() {
        return Err(not_done(Gone));
    }
    let transaction = file.connection.transaction_with_behavior(behavior).map_err(not_done)?;
    let answers = calls.iter().map(|call| answer(&transaction, namespace, call));
    let answers = answers.collect::<Result<_, _>>().map_err(not_done)?;
    // A commit that fails may have reached the disk, and be found there after a restart.
    transaction.commit().map_err(|error| if writes { unknown(error) } else { not_done(error) })?;
    Ok(answers)
}

fn answer(connection: &Connection, namespace: &str, call: &Call) -> rusqlite::Result<Answer> {
    match call {
        Call::Load(key) => load(connection, namespace, key).map(Answer::Loaded),
        Call::Swap { key, expected, new } => {
            swap(connection, namespace, key, *expected, new.as_deref()).map(Answer::Swap)
        }
        Call::Scan(prefix) => scan(connection, namespace, prefix).map(Answer::Scanned),
    }
}

fn load(
    connection: &Connection,
    namespace: &str,
    key: &str,
) -> rusqlite::Result<Option<(Version, Vec<u8>)>> {
    let sql = "SELECT version, bytes FROM row WHERE namespace = ? AND key = ?";
    let row = |row: &rusqlite::Row<'_>| Ok((version(row.get(0)?), row.get(1)?));
    connection.prepare_cached(sql)?.query_row([namespace, key], row).optional()
}

/// The version of a row, for whoever only wants to know whether it was changed.
pub(crate) fn look(
    connection: &Connection,
    namespace: &str,
    key: &str,
) -> rusqlite::Result<Option<Version>> {
    let sql = "SELECT version FROM row WHERE namespace = ? AND key = ?";
    let row = |row: &rusqlite::Row<'_>| row.get(0).map(version);
    connection.prepare_cached(sql)?.query_row([namespace, key], row).optional()
}

/// In a transaction that has the file's write lock: so the version is drawn in the order in which swaps
/// take effect (upholds S2).
fn swap(
    connection: &Connection,
    namespace: &str,
    key: &str,
    expected: Option<Version>,
    new: Option<&[u8]>,
) -> rusqlite::Result<Swap> {
    if look(connection, namespace, key)? != expected {
        return Ok(Swap::Conflict);
    }
    let draw = "INSERT INTO counter VALUES (?1, ?2)
                ON CONFLICT DO UPDATE SET last = max(last + 1, ?2) RETURNING last";
    let draw = connection
        .prepare_cached(draw)?
        .query_row(params![namespace, microseconds()], |row| row.get::<_, i64>(0))?;
    match new {
        Some(bytes) => connection
            .prepare_cached("INSERT OR REPLACE INTO row VALUES (?, ?, ?, ?)")?
            .execute(params![namespace, key, draw, bytes])?,
        None => connection
            .prepare_cached("DELETE FROM row WHERE namespace = ? AND key = ?")?
            .execute([namespace, key])?,
    };
    Ok(Swap::Swapped(version(draw)))
}

fn scan(connection: &Connection, namespace: &str, prefix: &str) -> rusqlite::Result<Vec<Row>> {
    // Text is compared byte for byte. Keys from the prefix on, as long as they begin with it.
    let sql = "SELECT key, version, bytes FROM row WHERE namespace = ? AND key >= ? ORDER BY key";
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Row { key: row.get(0)?, version: version(row.get(1)?), bytes: row.get(2)? })
    };
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([namespace, prefix], row)?;
    let within =
        |row: &rusqlite::Result<Row>| row.as_ref().map_or(true, |row| row.key.starts_with(prefix));
    rows.take_while(within).collect()
}

/// Versions are stored as SQLite's integers, which are signed. They begin at zero and only grow.
fn version(stored: i64) -> Version {
    Version(stored.unsigned_abs())
}

fn microseconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(0)
}
