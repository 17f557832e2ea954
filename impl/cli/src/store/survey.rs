//! What stands in a store, as somebody reads it who only looks.

use std::collections::BTreeMap;

use lockspace::store::record::{Record, SessionId, SessionRecord};
use lockspace::store::{Key, Store, Version};

use super::Problem;

/// All rows of a lockspace.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) names: Vec<Named>,
    pub(crate) sessions: BTreeMap<SessionId, (Version, SessionRecord)>,
    /// The keys of rows that cannot be read, and why.
    pub(crate) unreadable: Vec<(String, String)>,
}

/// A name that is held.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) token: u64,
    pub(crate) holder: SessionId,
    pub(crate) queue: Vec<SessionId>,
}

/// Whoever has a claim to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claimed<'s> {
    /// A session that has a row, with its label.
    Session(&'s str),
    /// A session that has ended: whoever meets the claim next removes it.
    Gone,
}

impl Survey {
    /// Who has the claim of `session`.
    pub(crate) fn claimed(&self, session: SessionId) -> Claimed<'_> {
        match self.sessions.get(&session) {
            Some((_, record)) => Claimed::Session(record.label()),
            None => Claimed::Gone,
        }
    }
}

/// Reads all rows: first those of names, so that a session without a row is one that has ended.
pub(crate) async fn survey(store: &impl Store) -> Result<Survey, Problem> {
    let mut survey = Survey::default();
    for row in store.scan(Key::LOCKS).await? {
        match (Key::parse(&row.key), Record::read(&row.bytes)) {
            (Some(Key::Lock(name)), Ok(record)) => survey.names.push(Named {
                name: name.to_string(),
                token: record.token_at(row.version).0,
                holder: record.holder.session,
                queue: record.queue.iter().map(|claim| claim.session).collect(),
            }),
            (Some(_), Err(error)) => survey.unreadable.push((row.key, error.to_string())),
            (_, _) => survey.unreadable.push((row.key, "its key is no name's".to_owned())),
        }
    }
    for row in store.scan(Key::SESSIONS).await? {
        match (Key::parse(&row.key), SessionRecord::read(&row.bytes)) {
            (Some(Key::Session(id)), Ok(record)) => {
                survey.sessions.insert(id, (row.version, record));
            }
            (Some(_), Err(error)) => survey.unreadable.push((row.key, error.to_string())),
            (_, _) => survey.unreadable.push((row.key, "its key is no session's".to_owned())),
        }
    }
    survey.names.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(survey)
}
