//! A state in one integer, so that hundreds of millions fit into memory and equal keys *are* equal
//! states: the visited set never confuses two of them.
//!
//! A key is a string of bits, read from the top:
//!
//! ```text
//! key    = 1 phase:2 name name ...        (the leading 1 marks where the string begins)
//! name   = 0                              free
//!        | 1 lease:1 [id] waiter... 0     held, then those who wait, first come first
//! waiter = 1 timed:1 lease:1 [id]
//! ```
//!
//! What is not in the string follows from it. Packing *checks* that it does (the timers are those
//! that S6 asks for, the entries those that S5 asks for, every client knows what it was told) and
//! panics otherwise, so that a key never stands for a state that it does not describe.
//!
//! Symmetry costs nothing here. A client is told from others only by its place (holder or waiter of
//! a name, or idle), so leaving the ids out is a perfect canonical form for exchangeable clients; and
//! with the ids gone a name's part speaks of that name alone, so sorting the parts is one for
//! exchangeable names.

use std::collections::VecDeque;

use lockspace_spec::{FencingToken, Hold, Lease, Name, Phase, RequestId, Timer, Waiter};

use crate::protocol::{Protocol, Symmetry};
use crate::world::{Doing, World};

/// The token that stands for the current hold of `name`. See [`Protocol`].
pub(crate) const fn token_of(name: Name) -> FencingToken {
    FencingToken(name.0 as u64 + 1)
}

/// The most bits that a key of `protocol` can have.
pub(crate) const fn width(protocol: &Protocol) -> u32 {
    let clients = protocol.clients as u32;
    3 + protocol.names as u32 + clients * (3 + id_width(protocol))
}

const fn id_width(protocol: &Protocol) -> u32 {
    match protocol.symmetry {
        Symmetry::None => u16::BITS - protocol.clients.saturating_sub(1).leading_zeros(),
        Symmetry::Clients | Symmetry::ClientsAndNames => 0,
    }
}

/// The key of `world`, whatever numbers its tokens have.
///
/// # Panics
/// If `world` is not of the shape that a key describes: no state in which every safety property
/// holds is.
pub(crate) fn pack(protocol: &Protocol, world: &World) -> u64 {
    let mut packer = Packer {
        world,
        id_width: id_width(protocol),
        busy: 0,
        timers: usize::from(world.space.phase == Phase::Draining),
        entries: 0,
    };
    let mut key = Bits::EMPTY;
    key.push(world.space.phase as u64, 2);
    let parts = (0..protocol.names).map(|name| packer.name(Name(name)));
    if protocol.symmetry == Symmetry::ClientsAndNames {
        let mut parts: Vec<Bits> = parts.collect();
        parts.sort_unstable_by_key(|part| core::cmp::Reverse(part.0));
        parts.into_iter().for_each(|part| key.append(part));
    } else {
        parts.for_each(|part| key.append(part));
    }
    packer.check_nothing_else();
    key.0
}

/// The canonical world of `key`.
pub(crate) fn unpack(protocol: &Protocol, key: u64) -> World {
    let mut world = World::new(protocol.clients, protocol.limits);
    let mut unpacker = Unpacker {
        bits: Reader::new(key),
        id_width: id_width(protocol),
        next_id: 0,
        world: &mut world,
    };
    unpacker.phase();
    for name in 0..protocol.names {
        unpacker.name(Name(name));
    }
    world.space.next_token = token_of(Name(protocol.names));
    world
}

struct Packer<'a> {
    world: &'a World,
    id_width: u32,
    busy: usize,
    timers: usize,
    entries: usize,
}

impl Packer<'_> {
    fn name(&mut self, name: Name) -> Bits {
        let space = &self.world.space;
        let mut bits = Bits::EMPTY;
        let (Some((token, hold)), Some(queue)) = (space.holder_of(name), space.entries.get(&name))
        else {
            bits.push(0, 1);
            return bits;
        };
        self.entries += 1;
        let leased = hold.lease == Lease::Bounded;
        bits.push(0b10 | u64::from(leased), 2);
        self.client(&mut bits, hold.request, Doing::Inside { name, token });
        self.timer(leased, Timer::Lease(token));
        for waiter in queue {
            let leased = waiter.lease == Lease::Bounded;
            bits.push(0b100 | u64::from(waiter.timed) << 1 | u64::from(leased), 3);
            self.client(&mut bits, waiter.request, Doing::Waiting);
            self.timer(waiter.timed, Timer::Wait(waiter.request));
        }
        bits.push(0, 1);
        bits
    }

    fn client(&mut self, bits: &mut Bits, request: RequestId, doing: Doing) {
        let client = &self.world.clients[usize::from(request.0)];
        assert_eq!(client.doing, doing, "client {request:?} in {:?}", self.world);
        self.busy += 1;
        bits.push(u64::from(request.0) & ((1 << self.id_width) - 1), self.id_width);
    }

    fn timer(&mut self, needed: bool, timer: Timer) {
        let armed = self.world.space.timers.contains(&timer);
        assert_eq!(armed, needed, "{timer:?} in {:?}", self.world);
        self.timers += usize::from(needed);
    }

    /// What was met is everything: no further hold, entry, timer or busy client.
    fn check_nothing_else(&self) {
        let space = &self.world.space;
        let idle = |client: &&crate::world::Client| client.doing == Doing::Idle;
        let idle = self.world.clients.iter().filter(idle).count();
        let all = space.holds.len() == self.entries
            && space.entries.len() == self.entries
            && space.timers.len() == self.timers
            && self.world.clients.len() == self.busy + idle;
        assert!(all, "more than a key describes: {:?}", self.world);
    }
}

struct Unpacker<'a> {
    bits: Reader,
    id_width: u32,
    next_id: u16,
    world: &'a mut World,
}

impl Unpacker<'_> {
    fn phase(&mut self) {
        self.world.space.phase = match self.bits.read(2) {
            0 => Phase::Open,
            1 => {
                self.world.space.timers.insert(Timer::Grace);
                Phase::Draining
            }
            _ => Phase::Closed,
        };
    }

    fn name(&mut self, name: Name) {
        if !self.bits.flag() {
            return;
        }
        let token = token_of(name);
        let lease = self.lease();
        let request = self.client(Doing::Inside { name, token });
        let space = &mut self.world.space;
        if lease == Lease::Bounded {
            space.timers.insert(Timer::Lease(token));
        }
        let hold = Hold { request, name, lease };
        space.holds.insert(token, hold);
        let mut queue = VecDeque::new();
        while self.bits.flag() {
            queue.push_back(self.waiter());
        }
        self.world.space.entries.insert(name, queue);
    }

    fn waiter(&mut self) -> Waiter {
        let timed = self.bits.flag();
        let lease = self.lease();
        let request = self.client(Doing::Waiting);
        if timed {
            self.world.space.timers.insert(Timer::Wait(request));
        }
        Waiter { request, timed, lease }
    }

    fn lease(&mut self) -> Lease {
        if self.bits.flag() { Lease::Bounded } else { Lease::Unbounded }
    }

    /// With exchangeable clients the ids are given out in the order of the places.
    fn client(&mut self, doing: Doing) -> RequestId {
        let id = if self.id_width > 0 {
            self.bits.read(self.id_width) as u16
        } else {
            self.next_id += 1;
            self.next_id - 1
        };
        self.world.clients[usize::from(id)].doing = doing;
        RequestId(id)
    }
}

/// A string of at most 63 bits behind a leading 1.
#[derive(Clone, Copy)]
struct Bits(u64);

impl Bits {
    const EMPTY: Self = Self(1);

    const fn push(&mut self, value: u64, width: u32) {
        self.0 = self.0 << width | value;
    }

    const fn append(&mut self, other: Self) {
        let width = u64::BITS - 1 - other.0.leading_zeros();
        self.push(other.0 ^ 1 << width, width);
    }
}

/// Reads [`Bits`] from the top.
struct Reader {
    bits: u64,
    left: u32,
}

impl Reader {
    const fn new(bits: u64) -> Self {
        let left = u64::BITS - 1 - bits.leading_zeros();
        Self { bits, left }
    }

    const fn read(&mut self, width: u32) -> u64 {
        self.left -= width;
        self.bits >> self.left & ((1 << width) - 1)
    }

    const fn flag(&mut self) -> bool {
        self.read(1) == 1
    }
}
