//! A world in a few dozen bytes, and back. Every number is small once the world is
//! [canonical](super::canonical), so each takes a byte.

use std::collections::BTreeMap;

use lockspace::LockName;
use lockspace::store::claimant::{self, Claimant, Known};
use lockspace::store::due::Due;
use lockspace::store::member::{Answer, Call, Member, Rows, Sweep};
use lockspace::store::others::{Other, Others, Seen};
use lockspace::store::record::{Claim, Record, SessionId, SessionRecord};
use lockspace::store::session::{Asking, End, Life, Session, Timing};
use lockspace::store::{Ask, Moment, Reply, Version};
use lockspace_spec::FencingToken;

use super::world::{Flight, NOW, Remembered, Seat, Stage, Stored, Users, World, index_of, name};

/// The bytes of a canonical world.
pub(super) fn pack(world: &World) -> Box<[u8]> {
    let mut bytes = Vec::with_capacity(96);
    world.put(&mut bytes);
    bytes.into()
}

/// The world of these bytes, whose sessions have these times.
pub(super) fn unpack(bytes: &[u8], timing: Timing) -> World {
    World::get(&mut Reader { bytes: bytes.iter(), timing })
}

/// Something that is packed.
trait Pack: Sized {
    fn put(&self, to: &mut Vec<u8>);
    fn get(from: &mut Reader<'_>) -> Self;
}

struct Reader<'a> {
    bytes: std::slice::Iter<'a, u8>,
    /// The one thing that is the same in every world.
    timing: Timing,
}

impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        *self.bytes.next().expect("what was packed is read to its end and no further")
    }
}

/// Packs a struct field by field.
macro_rules! fields {
    ($type:ty: $($field:ident)*) => {
        impl Pack for $type {
            fn put(&self, to: &mut Vec<u8>) {
                $(self.$field.put(to);)*
            }

            fn get(from: &mut Reader<'_>) -> Self {
                $(let $field = Pack::get(from);)*
                Self { $($field),* }
            }
        }
    };
}

/// Packs an enum as the number of its variant and what is in it.
macro_rules! variants {
    ($type:ty: $($tag:literal $path:path $(=> $($field:ident)*)?;)*) => {
        impl Pack for $type {
            fn put(&self, to: &mut Vec<u8>) {
                match self {
                    $($path $(($($field),*))? => {
                        to.push($tag);
                        $($($field.put(to);)*)?
                    })*
                }
            }

            fn get(from: &mut Reader<'_>) -> Self {
                match from.byte() {
                    $($tag => {
                        $($(let $field = Pack::get(from);)*)?
                        $path $(($($field),*))?
                    })*
                    tag => unreachable!("no variant has number {tag}"),
                }
            }
        }
    };
}

/// Packs what is, or has, a small number.
macro_rules! bytes {
    ($type:ty: $put:expr, $get:expr) => {
        impl Pack for $type {
            fn put(&self, to: &mut Vec<u8>) {
                let put: fn(&Self) -> u64 = $put;
                to.push(u8::try_from(put(self)).expect("numbers are small in a canonical world"));
            }

            fn get(from: &mut Reader<'_>) -> Self {
                let get: fn(u64) -> Self = $get;
                get(from.byte().into())
            }
        }
    };
}

bytes!(u64: |number| *number, |number| number);
bytes!(bool: |flag| u64::from(*flag), |byte| byte == 1);
bytes!(Version: |version| version.0, Version);
bytes!(FencingToken: |token| token.0, FencingToken);
bytes!(SessionId: |id| id.0 as u64, |id| SessionId(id.into()));
bytes!(LockName: |name| index_of(name) as u64, |index| name(index as usize));
bytes!(Moment: |at| (*at + AROUND - NOW).as_millis() as u64, |ms| NOW + Moment::from_millis(ms) - AROUND);

/// How far from now a moment may lie, before or after.
const AROUND: Moment = Moment::from_millis(100);

impl<T: Pack> Pack for Option<T> {
    fn put(&self, to: &mut Vec<u8>) {
        self.is_some().put(to);
        if let Some(some) = self {
            some.put(to);
        }
    }

    fn get(from: &mut Reader<'_>) -> Self {
        bool::get(from).then(|| T::get(from))
    }
}

impl<T: Pack> Pack for Vec<T> {
    fn put(&self, to: &mut Vec<u8>) {
        (self.len() as u64).put(to);
        self.iter().for_each(|member| member.put(to));
    }

    fn get(from: &mut Reader<'_>) -> Self {
        (0..u64::get(from)).map(|_| T::get(from)).collect()
    }
}

impl<K: Pack + Ord, V: Pack> Pack for BTreeMap<K, V> {
    fn put(&self, to: &mut Vec<u8>) {
        (self.len() as u64).put(to);
        for (key, value) in self {
            key.put(to);
            value.put(to);
        }
    }

    fn get(from: &mut Reader<'_>) -> Self {
        (0..u64::get(from)).map(|_| (K::get(from), V::get(from))).collect()
    }
}

impl<A: Pack, B: Pack> Pack for (A, B) {
    fn put(&self, to: &mut Vec<u8>) {
        self.0.put(to);
        self.1.put(to);
    }

    fn get(from: &mut Reader<'_>) -> Self {
        (A::get(from), B::get(from))
    }
}

impl<A: Pack, B: Pack, C: Pack> Pack for (A, B, C) {
    fn put(&self, to: &mut Vec<u8>) {
        self.0.put(to);
        self.1.put(to);
        self.2.put(to);
    }

    fn get(from: &mut Reader<'_>) -> Self {
        (A::get(from), B::get(from), C::get(from))
    }
}

fields!(World: store slots names);
fields!(Remembered: greatest written);
fields!(Users: guard forced behind_the_dead);
fields!(Stored: names sessions removed last);
fields!(Seat: member flights users);
fields!(Flight: call stage awaited drawn);
fields!(Record: holder token queue);
fields!(Claim: session number);
fields!(Claimant: wish told known asking resting looks_ahead);
fields!(Others: sessions);
fields!(Other: seen dead wanted asking swept);
fields!(Rows: names sessions);

variants!(Stage: 0 Self::Sent; 1 Self::Half => rows; 2 Self::Served => answer;);
variants!(Known: 0 Self::Nothing; 1 Self::Changed; 2 Self::Row => row; 3 Self::Unreadable;);
variants!(claimant::Asking: 0 Self::Look; 1 Self::Swap => new;);
variants!(Sweep: 0 Self::Idle; 1 Self::Wanted; 2 Self::Asking;);
variants!(Call: 0 Self::Own => ask; 1 Self::Other => id ask; 2 Self::Name => name ask; 3 Self::Scan;);
variants!(Answer:
    0 Self::Own => reply; 1 Self::Other => id reply; 2 Self::Name => name reply; 3 Self::Scan => rows;);
variants!(Life: 0 Self::Beginning; 1 Self::Alive; 2 Self::Ending => end; 3 Self::Over => end;);
variants!(End:
    0 Self::NotBegun; 1 Self::Outage; 2 Self::Removed; 3 Self::StoreWentBack; 4 Self::Closed;
    5 Self::Unreadable; 6 Self::Copied;);

impl Pack for SessionRecord {
    fn put(&self, _: &mut Vec<u8>) {}

    fn get(from: &mut Reader<'_>) -> Self {
        Self::new(from.timing.ttl(), "")
    }
}

impl Pack for Seen {
    fn put(&self, to: &mut Vec<u8>) {
        self.version.put(to);
        self.since.put(to);
    }

    fn get(from: &mut Reader<'_>) -> Self {
        let (version, since) = (Pack::get(from), Pack::get(from));
        Self { version, ttl: from.timing.ttl(), since }
    }
}

impl Pack for Asking {
    fn put(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { sent } => (0, *sent),
            Self::Look => (1, NOW),
            Self::Remove => (2, NOW),
        }
        .put(to);
    }

    fn get(from: &mut Reader<'_>) -> Self {
        match Pack::get(from) {
            (0_u64, sent) => Self::Write { sent },
            (1, _) => Self::Look,
            _ => Self::Remove,
        }
    }
}

impl Pack for Session {
    fn put(&self, to: &mut Vec<u8>) {
        (self.life, self.version, self.trusted_until).put(to);
        (self.next_ask, self.in_doubt, self.asking).put(to);
        self.unanswered.put(to);
    }

    fn get(from: &mut Reader<'_>) -> Self {
        let (life, version, trusted_until) = Pack::get(from);
        let (next_ask, in_doubt, asking) = Pack::get(from);
        let mut session = Self::new(from.timing, "", NOW);
        (session.life, session.version, session.trusted_until) = (life, version, trusted_until);
        (session.next_ask, session.in_doubt, session.asking) = (next_ask, in_doubt, asking);
        session.unanswered = Pack::get(from);
        session
    }
}

impl Pack for Member {
    fn put(&self, to: &mut Vec<u8>) {
        assert_eq!(self.untold, None, "what there is to tell is told at once");
        assert_eq!(self.due, Due::default(), "and what there is to ask is asked at once");
        (self.id, self.next_number, self.closing).put(to);
        self.session.put(to);
        self.others.put(to);
        self.sweep.put(to);
        self.names.put(to);
    }

    fn get(from: &mut Reader<'_>) -> Self {
        let (id, next_number, closing) = Pack::get(from);
        let session = Pack::get(from);
        let (others, sweep) = (Pack::get(from), Pack::get(from));
        let names: BTreeMap<LockName, Claimant> = Pack::get(from);
        let waiting = names.iter().filter(|(_, own)| own.told.is_none());
        let waiting = waiting.map(|(name, _)| name.clone()).collect();
        let member = Self::new(id, session);
        Self { others, names, waiting, next_number, sweep, closing, ..member }
    }
}

impl<T: Pack> Pack for Ask<T> {
    fn put(&self, to: &mut Vec<u8>) {
        match self {
            Self::Load => to.push(0),
            Self::Swap { expected, new } => {
                to.push(1);
                expected.put(to);
                new.put(to);
            }
        }
    }

    fn get(from: &mut Reader<'_>) -> Self {
        match from.byte() {
            0 => Self::Load,
            _ => Self::Swap { expected: Pack::get(from), new: Pack::get(from) },
        }
    }
}

impl<T: Pack> Pack for Reply<T> {
    fn put(&self, to: &mut Vec<u8>) {
        match self {
            Self::Loaded(row) => {
                to.push(0);
                row.put(to);
            }
            Self::Swapped(version) => {
                to.push(1);
                version.put(to);
            }
            Self::Conflict => to.push(2),
            Self::Unreadable => to.push(3),
            Self::NotDone => to.push(4),
            Self::Unknown => to.push(5),
        }
    }

    fn get(from: &mut Reader<'_>) -> Self {
        match from.byte() {
            0 => Self::Loaded(Pack::get(from)),
            1 => Self::Swapped(Pack::get(from)),
            2 => Self::Conflict,
            3 => Self::Unreadable,
            4 => Self::NotDone,
            _ => Self::Unknown,
        }
    }
}
