//! A way through the state graph as moves of real clients.
//!
//! The model's actions leave open what the real world must settle: how long a timer is set for, so that
//! it is the next to elapse when the way says so; which future a client has, and whether it has seen its
//! grant; and where a guard comes from whose hold has ended. A route settles it: it takes the way once
//! on the specification alone, to see which timers elapse and when, and then once more to write the moves.

use std::collections::BTreeMap;
use std::fmt;

use lockspace_spec::{
    Action, Env, FencingToken, Grace, Lease, Name, Op, RequestId, State, Timer, Wait, apply,
};
use lockspace_tests::{Move, Ms};

use crate::graph::{Graph, Node, Replayed};

/// The timers that elapse do so one after the other, so far apart.
const BEAT: Ms = 1_000;

/// The others are set for later than any way is long.
const FAR: Ms = 1_000_000;

/// The first number of a request that only prepares something.
const HELPERS: u16 = 10_000;

/// A way through the graph as moves.
pub(crate) struct Route {
    pub(crate) stages: Vec<Stage>,
    /// Whether requests have owners.
    pub(crate) owners: bool,
    pub(crate) count: Count,
}

/// One action as moves, and where they must lead.
pub(crate) struct Stage {
    action: Option<Action>,
    pub(crate) moves: Vec<Move>,
    state: State,
    /// The client behind each number of a request.
    clients: BTreeMap<RequestId, RequestId>,
}

/// How many edges a route is for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    /// Edges that were taken by moves.
    pub(crate) driven: usize,
    /// Edges that ask for nothing.
    pub(crate) idle: usize,
}

impl Count {
    pub(crate) fn add(&mut self, other: &Self) {
        self.driven += other.driven;
        self.idle += other.idle;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} edges driven, {} that ask for nothing", self.driven, self.idle)
    }
}

impl Route {
    /// Routes that together take every edge out of a state. Those that lead back to it share one.
    pub(crate) fn through(graph: &Graph<impl Replayed>, node: &Node) -> Vec<Self> {
        let edges = graph.edges(node);
        let (loops, ways): (Vec<_>, Vec<_>) = edges.into_iter().partition(|(_, back)| *back);
        let loops: Vec<Action> = loops.into_iter().map(|(action, _)| action).collect();
        let ways = ways.into_iter().map(|(action, _)| vec![action]);
        let machine = &graph.machine;
        ways.chain([loops]).map(|edges| Self::along(machine, &node.path, &edges)).collect()
    }

    fn along(machine: &impl Replayed, path: &[Action], edges: &[Action]) -> Self {
        let way: Vec<Action> = path.iter().chain(edges).copied().collect();
        let timing = Timing::of(machine, &way);
        let unseen = edges.iter().find_map(|edge| match edge {
            Action::Op(Op::Cancel { request }) => Some(*request),
            _ => None,
        });
        let mut writer = Writer::new(machine, timing, unseen);
        writer.prepare_stale_guards(edges);
        let mut count = Count::default();
        for (index, action) in way.iter().enumerate() {
            let idle = writer.write(index, action);
            if index >= path.len() {
                count.idle += usize::from(idle);
                count.driven += usize::from(!idle);
            }
        }
        let owners = machine.owner_of(RequestId(0)).is_some();
        Self { stages: writer.stages, owners, count }
    }

    pub(crate) fn actions(&self) -> Vec<Action> {
        self.stages.iter().filter_map(|stage| stage.action).collect()
    }
}

impl Stage {
    /// Whether the specification, as the judge has stepped it, is where it is meant to be: the same but
    /// for the numbers of requests and tokens.
    pub(crate) fn is_reached_by(&self, judged: &State) -> bool {
        let client = |request: &RequestId| self.clients.get(request).copied();
        let holds = |state: &State, name: &dyn Fn(&RequestId) -> Option<RequestId>| {
            let mut holds: Vec<_> =
                state.holds.values().map(|h| (h.name, name(&h.request), h.lease)).collect();
            holds.sort_unstable();
            holds
        };
        let queues = |state: &State, name: &dyn Fn(&RequestId) -> Option<RequestId>| {
            let queue = |(entry, queue): (&Name, &std::collections::VecDeque<_>)| {
                let waiters = queue
                    .iter()
                    .map(|w: &lockspace_spec::Waiter| (name(&w.request), w.timed, w.lease));
                (*entry, waiters.collect::<Vec<_>>())
            };
            state.entries.iter().map(queue).collect::<Vec<_>>()
        };
        let same = |request: &RequestId| Some(*request);
        judged.phase == self.state.phase
            && judged.timers.len() == self.state.timers.len()
            && holds(judged, &client) == holds(&self.state, &same)
            && queues(judged, &client) == queues(&self.state, &same)
    }
}

/// An action of the model on the specification's own state, where tokens have their real numbers.
fn real(state: &State, action: &Action) -> Action {
    let current = |request, token: FencingToken| match state.hold_of(request) {
        Some((real, _)) if token.0 != 0 => real,
        _ => FencingToken(0),
    };
    match *action {
        Action::Op(Op::Release { request, token }) => {
            Op::Release { request, token: current(request, token) }.into()
        }
        Action::Op(Op::Renew { request, token }) => {
            Op::Renew { request, token: current(request, token) }.into()
        }
        Action::Env(Env::LeaseElapsed { token }) => {
            // The model names a current hold's token after its name.
            let name = token.0.checked_sub(1).map(|name| Name(name as u16));
            let hold = name.and_then(|name| state.holder_of(name));
            let token = hold.map_or(FencingToken(0), |(token, _)| token);
            Env::LeaseElapsed { token }.into()
        }
        other => other,
    }
}

/// The timer that an action is the end of.
fn timer_of(action: &Action) -> Option<Timer> {
    match *action {
        Action::Env(Env::WaitElapsed { request }) => Some(Timer::Wait(request)),
        Action::Env(Env::LeaseElapsed { token }) => Some(Timer::Lease(token)),
        Action::Env(Env::GraceElapsed) => Some(Timer::Grace),
        Action::Op(_) => None,
    }
}

/// For how long each timer of a way is set.
struct Timing {
    waits: BTreeMap<usize, Ms>,
    leases: BTreeMap<usize, Ms>,
    renewals: BTreeMap<usize, Ms>,
    graces: BTreeMap<usize, Ms>,
}

impl Timing {
    /// Takes the way on the specification, to see which timers elapse.
    fn of(machine: &impl Replayed, way: &[Action]) -> Self {
        let mut state = State::new(lockspace_spec::Limits::UNLIMITED);
        let mut asked: BTreeMap<RequestId, usize> = BTreeMap::new();
        let mut set: BTreeMap<Timer, (Setting, Ms)> = BTreeMap::new();
        let mut timing = Self {
            waits: BTreeMap::new(),
            leases: BTreeMap::new(),
            renewals: BTreeMap::new(),
            graces: BTreeMap::new(),
        };
        let mut now = 0;
        for (index, action) in way.iter().enumerate() {
            let action = real(&state, action);
            if machine.turns_away(&state, &action) {
                continue;
            }
            let due = timer_of(&action).filter(|timer| state.timers.contains(timer));
            if let Some(timer) = due {
                now += BEAT;
                let (setting, armed) = set[&timer];
                timing.note(setting, now - armed);
            }
            match action {
                Action::Op(Op::Acquire { request, .. }) if state.hold_of(request).is_none() => {
                    asked.insert(request, index);
                }
                Action::Op(Op::Renew { token, .. }) if set.contains_key(&Timer::Lease(token)) => {
                    set.insert(Timer::Lease(token), (Setting::Renewal(index), now));
                }
                _ => {}
            }
            apply(&mut state, &action);
            set.retain(|timer, _| state.timers.contains(timer));
            for timer in &state.timers {
                set.entry(*timer).or_insert_with(|| {
                    let setting = match timer {
                        Timer::Wait(request) => Setting::Wait(asked[request]),
                        Timer::Lease(token) => Setting::Lease(asked[&state.holds[token].request]),
                        Timer::Grace => Setting::Grace(index),
                    };
                    (setting, now)
                });
            }
        }
        timing
    }

    fn note(&mut self, setting: Setting, length: Ms) {
        match setting {
            Setting::Wait(index) => self.waits.insert(index, length),
            Setting::Lease(index) => self.leases.insert(index, length),
            Setting::Renewal(index) => self.renewals.insert(index, length),
            Setting::Grace(index) => self.graces.insert(index, length),
        };
    }
}

/// Where on the way the length of a timer is set.
#[derive(Clone, Copy)]
enum Setting {
    Wait(usize),
    Lease(usize),
    Renewal(usize),
    Grace(usize),
}

/// The length of a timer that elapses when it must, or else of one that does not: no two alike.
fn length(lengths: &BTreeMap<usize, Ms>, index: usize) -> Ms {
    lengths.get(&index).copied().unwrap_or(FAR + index as Ms)
}

/// Somebody asks who only prepares something, and is nobody's.
fn by_helper(request: RequestId, name: Name) -> Move {
    Move::Ask { request, name, wait: None, lease: None, owner: None }
}

/// Writes the moves of a way.
struct Writer<'m, M> {
    machine: &'m M,
    timing: Timing,
    /// Whose grant must not be seen: it is going to be cancelled.
    unseen: Option<RequestId>,
    state: State,
    stages: Vec<Stage>,
    /// The number of each client's present request, and whether its answer has been seen.
    requests: BTreeMap<RequestId, (RequestId, bool)>,
    clients: BTreeMap<RequestId, RequestId>,
    stale_guards: Vec<RequestId>,
    next: u16,
}

impl<'m, M: Replayed> Writer<'m, M> {
    fn new(machine: &'m M, timing: Timing, unseen: Option<RequestId>) -> Self {
        Self {
            machine,
            timing,
            unseen,
            state: State::new(lockspace_spec::Limits::UNLIMITED),
            stages: Vec::new(),
            requests: BTreeMap::new(),
            clients: BTreeMap::new(),
            stale_guards: Vec::new(),
            next: 0,
        }
    }

    /// For each edge that uses a token of an ended grant, somebody who has a guard with one.
    fn prepare_stale_guards(&mut self, edges: &[Action]) {
        let stale = |edge: &&Action| match edge {
            Action::Op(Op::Release { token, .. } | Op::Renew { token, .. }) => token.0 == 0,
            _ => false,
        };
        let mut moves = Vec::new();
        for helper in 0..edges.iter().filter(stale).count() as u16 {
            let request = RequestId(HELPERS + helper);
            moves.push(by_helper(request, Name(0)));
            moves.push(Move::Force { name: Name(0) });
            self.stale_guards.push(request);
        }
        self.stage(None, moves);
    }

    /// Writes the moves of an action. Answers whether there is nothing to do.
    fn write(&mut self, index: usize, action: &Action) -> bool {
        let action = real(&self.state, action);
        let moves = self.moves_of(index, &action);
        let idle = moves.is_empty();
        if !self.machine.turns_away(&self.state, &action) {
            apply(&mut self.state, &action);
        }
        self.stage(Some(action), moves);
        idle
    }

    fn stage(&mut self, action: Option<Action>, moves: Vec<Move>) {
        let (state, clients) = (self.state.clone(), self.clients.clone());
        self.stages.push(Stage { action, moves, state, clients });
    }

    fn moves_of(&mut self, index: usize, action: &Action) -> Vec<Move> {
        match *action {
            Action::Op(Op::Acquire { request, name, wait, lease }) => {
                self.acquire(index, request, name, wait, lease)
            }
            Action::Op(Op::Cancel { request }) => match self.requests.get(&request) {
                Some((number, false)) => {
                    let request = *number;
                    self.requests.retain(|_, (other, _)| *other != request);
                    vec![Move::Leave { request }]
                }
                // Its answer has been seen, or there is no request: no future is left to be dropped.
                _ => Vec::new(),
            },
            Action::Op(Op::Release { token: FencingToken(0), .. }) => {
                let request = self.stale_guards.pop().expect("one was prepared");
                vec![Move::Release { request }]
            }
            Action::Op(Op::Renew { token: FencingToken(0), .. }) => {
                let request = self.stale_guards.last().copied().expect("one was prepared");
                vec![Move::Renew { request, lease: FAR }]
            }
            Action::Op(Op::Release { request, .. }) => {
                let mut moves = self.look(request);
                let (request, _) = self.requests.remove(&request).expect("it holds");
                moves.push(Move::Release { request });
                moves
            }
            Action::Op(Op::Renew { request, .. }) => {
                let mut moves = self.look(request);
                let (request, _) = self.requests[&request];
                moves.push(Move::Renew { request, lease: length(&self.timing.renewals, index) });
                moves
            }
            Action::Op(Op::ForceRelease { name }) => vec![Move::Force { name }],
            Action::Op(Op::Shutdown { grace: Grace::No }) => vec![Move::ShutDown { grace: 0 }],
            Action::Op(Op::Shutdown { grace: Grace::Bounded }) => {
                vec![Move::ShutDown { grace: length(&self.timing.graces, index) }]
            }
            Action::Env(_) => {
                let armed =
                    timer_of(action).is_some_and(|timer| self.state.timers.contains(&timer));
                Vec::from_iter(armed.then_some(Move::Pass { time: BEAT }))
            }
        }
    }

    fn acquire(
        &mut self,
        index: usize,
        client: RequestId,
        name: Name,
        wait: Wait,
        lease: Lease,
    ) -> Vec<Move> {
        // What was refused to it before it may not have seen yet.
        let mut moves = self.look(client);
        let request = RequestId(self.next);
        self.next += 1;
        let free = !self.state.entries.contains_key(&name);
        let open = self.state.phase == lockspace_spec::Phase::Open;
        let unseen = self.unseen == Some(client) && free && open;
        let ask = |wait| Move::Ask {
            request,
            name,
            wait,
            lease: (lease == Lease::Bounded).then(|| length(&self.timing.leases, index)),
            owner: self.machine.owner_of(client),
        };
        if unseen {
            // Only what was queued can be granted and not see it; so somebody goes first.
            let helper = RequestId(HELPERS + 1_000 + request.0);
            moves.push(by_helper(helper, name));
            moves.push(ask(None));
            moves.push(Move::Release { request: helper });
        } else {
            moves.push(ask(match wait {
                Wait::No => Some(0),
                Wait::Bounded => Some(length(&self.timing.waits, index)),
                Wait::Unbounded => None,
            }));
        }
        let asks = Op::Acquire { request: client, name, wait, lease }.into();
        if self.machine.turns_away(&self.state, &asks) {
            // It has neither a future nor an answer.
            self.requests.remove(&client);
            return moves;
        }
        let answered = !unseen && (free || !open || wait == Wait::No);
        self.requests.insert(client, (request, answered));
        self.clients.insert(request, client);
        moves
    }

    /// Has a client see its answer, if it has one to see.
    fn look(&mut self, client: RequestId) -> Vec<Move> {
        match self.requests.get_mut(&client) {
            Some((request, seen @ false)) => {
                *seen = true;
                vec![Move::Look { request: *request, elsewhere: false }]
            }
            _ => Vec::new(),
        }
    }
}
