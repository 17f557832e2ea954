//! What the row of a name becomes: the whole of the locking protocol, as one pure function.
//!
//! A record is a line of claims; the first one holds the name. Whatever somebody intends leaves some
//! claims out and may add one at the end. If the first one goes, the next one is first from then on, in
//! the same swap: no name is ever free while somebody waits for it (upholds S7), and nobody is
//! overtaken (upholds S3). If none is left, the row goes too (upholds S5).
//!
//! Nothing here knows time or which calls are under way; that a decision was made upon an old record does
//! no harm, because the swap that carries it out names the version of that record (upholds S8).

use lockspace_spec::FencingToken;

use super::Version;
use super::record::{Claim, Record, SessionId};

/// What somebody intends with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// To hold it, now or when its turn comes, by this claim and no other one of its session.
    Hold(Claim),
    /// To have no claim of this session in it: to release the name, or to leave its queue.
    Leave(SessionId),
    /// To take it from whoever holds it: an operator's order.
    Force,
}

/// What is to be done about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// To swap its row for this one; for none, to remove it.
    Swap(Option<Record>),
    /// Nothing: it is as intended, or will be when somebody before it goes.
    Stand(Standing),
}

/// How an intent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its claim holds the name, with this token.
    Holds(FencingToken),
    /// Its claim waits.
    Waits,
    /// There is no claim of it.
    Out,
}

/// What is to be done about a name whose row was `found` so, for somebody who knows of some sessions that
/// they are dead.
///
/// ```
/// use lockspace::store::Version;
/// use lockspace::store::decide::{Decision, Intent, Standing, decide};
/// use lockspace::store::record::{Claim, Record, SessionId};
///
/// let [mine, theirs] = [1, 2].map(|id| Claim { session: SessionId(id), number: 1 });
/// let nobody_is_dead = |_| false;
///
/// // Nobody holds the name: hold it.
/// let held = Record::held_by(mine);
/// let decision = decide(None, Intent::Hold(mine), nobody_is_dead);
/// assert_eq!(decision, Decision::Swap(Some(held.clone())));
///
/// // Somebody else comes, and waits. The token of the hold is written down.
/// let joined = Record { token: Some(Version(5).into()), queue: vec![theirs], ..held.clone() };
/// let decision = decide(Some((Version(5), &held)), Intent::Hold(theirs), nobody_is_dead);
/// assert_eq!(decision, Decision::Swap(Some(joined.clone())));
///
/// // The holder releases, and the next one holds the name by the same swap.
/// let found = Some((Version(8), &joined));
/// let handed_over = Decision::Swap(Some(Record::held_by(theirs)));
/// assert_eq!(decide(found, Intent::Leave(mine.session), nobody_is_dead), handed_over);
///
/// // So it does if the holder died.
/// let dead = |session| session == mine.session;
/// assert_eq!(decide(found, Intent::Hold(theirs), dead), handed_over);
/// assert_eq!(
///     decide(found, Intent::Hold(theirs), nobody_is_dead),
///     Decision::Stand(Standing::Waits),
/// );
/// ```
#[must_use]
pub fn decide(
    found: Option<(Version, &Record)>,
    intent: Intent,
    is_dead: impl Fn(SessionId) -> bool,
) -> Decision {
    let Some((version, record)) = found else {
        return match intent {
            Intent::Hold(claim) => Decision::Swap(Some(Record::held_by(claim))),
            Intent::Leave(_) | Intent::Force => Decision::Stand(Standing::Out),
        };
    };
    let stays = |claim: &Claim| {
        let unwanted = match intent {
            Intent::Hold(wanted) => claim.session == wanted.session && *claim != wanted,
            Intent::Leave(session) => claim.session == session,
            Intent::Force => *claim == record.holder,
        };
        !unwanted && !is_dead(claim.session)
    };
    let mut line: Vec<Claim> = record.line().filter(stays).collect();
    match intent {
        Intent::Hold(claim) if !line.contains(&claim) => line.push(claim),
        _ => {}
    }
    if record.line().eq(line.iter().copied()) {
        return Decision::Stand(standing(version, record, intent));
    }
    let mut line = line.into_iter();
    Decision::Swap(line.next().map(|holder| Record {
        holder,
        token: (holder == record.holder).then(|| record.token_at(version)),
        queue: line.collect(),
    }))
}

fn standing(version: Version, record: &Record, intent: Intent) -> Standing {
    match intent {
        Intent::Hold(claim) if record.holder == claim => Standing::Holds(record.token_at(version)),
        Intent::Hold(_) => Standing::Waits,
        Intent::Leave(_) | Intent::Force => Standing::Out,
    }
}
