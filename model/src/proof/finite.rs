//! Finite structures, and the value of a term in one.
//!
//! A [`Universe`] says how many requests, names, tokens and places there are; a quantifier ranges
//! over them. A structure gives each symbol a value at each argument. This is the reading of
//! [`Term`] that can be compared with the executable specification, step by step.

use super::moves::Space;
use super::term::{Node, Part, Sort, Symbol, Term, When};
use super::vocabulary::{Reads, SYMBOLS, variables};

/// How many things of each sort there are. They are numbered from zero.
#[derive(Clone, Debug)]
pub struct Universe {
    requests: i64,
    names: i64,
    tokens: i64,
    counts: i64,
    offsets: Vec<usize>,
    size: usize,
}

impl Universe {
    /// So many requests, names and tokens, and places enough for all requests.
    #[must_use]
    pub fn new(requests: i64, names: i64, tokens: i64) -> Self {
        let counts = requests + 1;
        let mut universe = Self { requests, names, tokens, counts, offsets: Vec::new(), size: 0 };
        for symbol in SYMBOLS {
            universe.offsets.push(universe.size);
            universe.size +=
                symbol.args.iter().map(|sort| universe.count(*sort)).product::<usize>();
        }
        universe
    }

    /// How many values there are of a sort.
    #[must_use]
    pub fn count(&self, sort: Sort) -> usize {
        let count = match sort {
            Sort::Bool => 2,
            Sort::Request => self.requests,
            Sort::Name => self.names,
            Sort::Token => self.tokens,
            Sort::Count => self.counts,
            Sort::Word(_, words) => return words.len(),
        };
        usize::try_from(count).expect("a universe has no fewer than no things")
    }

    /// The values of a sort.
    pub fn values(&self, sort: Sort) -> impl Iterator<Item = i64> + use<> {
        0..self.count(sort) as i64
    }

    /// Every list of arguments of `symbol`.
    #[must_use]
    pub fn arguments(&self, symbol: &Symbol) -> Vec<Vec<i64>> {
        let longer = |lists: Vec<Vec<i64>>, sort: &Sort| {
            let with = |list: &Vec<i64>| {
                let list = list.clone();
                self.values(*sort).map(move |value| [list.as_slice(), &[value]].concat())
            };
            lists.iter().flat_map(with).collect()
        };
        symbol.args.iter().fold(vec![Vec::new()], longer)
    }

    /// Where a structure keeps the value of `symbol` at `args`, unless an argument is not there.
    fn cell(&self, symbol: &Symbol, args: impl Iterator<Item = i64>) -> Option<usize> {
        let mut place = 0;
        for (sort, arg) in symbol.args.iter().zip(args) {
            let count = self.count(*sort);
            let arg = usize::try_from(arg).ok().filter(|arg| *arg < count)?;
            place = place * count + arg;
        }
        Some(self.offsets[symbol.index] + place)
    }
}

/// The values of symbols: of a state with the action taken in it, or of a state with what was told.
/// What has not been set is the first of its sort: false, zero, idle, nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure(Vec<i64>);

impl Structure {
    /// The structure in which nothing has been set.
    #[must_use]
    pub fn new(universe: &Universe) -> Self {
        Self(vec![0; universe.size])
    }

    /// Sets the value of `symbol` at `args`.
    ///
    /// # Panics
    /// If the universe does not have the arguments.
    pub fn set(&mut self, universe: &Universe, symbol: &Symbol, args: &[i64], value: i64) {
        let cell = universe.cell(symbol, args.iter().copied());
        self.0[cell.expect("the universe is large enough")] = value;
    }

    fn get(&self, universe: &Universe, symbol: &Symbol, args: impl Iterator<Item = i64>) -> i64 {
        universe.cell(symbol, args).map_or(0, |cell| self.0[cell])
    }
}

/// A step: the state before with the action, and the state after with what was told.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// What there is.
    pub universe: &'a Universe,
    /// The state before, the action and the limits.
    pub before: &'a Structure,
    /// The state after, and what was told.
    pub after: &'a Structure,
}

impl Step<'_> {
    /// Whether `formula` is true of the step.
    #[must_use]
    pub fn satisfies(&self, formula: &Term) -> bool {
        self.value(formula, &mut Vec::new()) == 1
    }

    /// The value of a term; `bound` gives the values of its free variables.
    fn value(&self, term: &Term, bound: &mut Vec<(&'static str, i64)>) -> i64 {
        match term.node() {
            Node::Literal(_, value) => *value,
            Node::Variable((name, _)) => {
                let binding = bound.iter().rev().find(|(bound, _)| bound == name);
                binding.expect("every variable is bound").1
            }
            Node::Apply(symbol, when, args) => {
                let side = if *when == When::Before { self.before } else { self.after };
                side.get(self.universe, symbol, args.iter().map(|arg| self.value(arg, bound)))
            }
            Node::Not(term) => 1 - self.value(term, bound),
            Node::And(terms) => i64::from(terms.iter().all(|term| self.value(term, bound) == 1)),
            Node::Or(terms) => i64::from(terms.iter().any(|term| self.value(term, bound) == 1)),
            Node::Equal(left, right) => {
                i64::from(self.value(left, bound) == self.value(right, bound))
            }
            Node::Less(left, right) => {
                i64::from(self.value(left, bound) < self.value(right, bound))
            }
            Node::Plus(left, right) => self.value(left, bound) + self.value(right, bound),
            Node::If(condition, then, _) if self.value(condition, bound) == 1 => {
                self.value(then, bound)
            }
            Node::If(_, _, otherwise) => self.value(otherwise, bound),
            Node::ForAll(variable, body) => {
                let mut values = self.universe.values(variable.1);
                i64::from(values.all(|value| self.with(variable.0, value, body, bound) == 1))
            }
            Node::Exists(variable, body) => {
                let mut values = self.universe.values(variable.1);
                i64::from(values.any(|value| self.with(variable.0, value, body, bound) == 1))
            }
        }
    }

    fn with(
        &self,
        name: &'static str,
        value: i64,
        body: &Term,
        bound: &mut Vec<(&'static str, i64)>,
    ) -> i64 {
        bound.push((name, value));
        let result = self.value(body, bound);
        bound.pop();
        result
    }
}

/// What a step written as moves leads to: the values that `space` has over the state `before`.
#[must_use]
pub fn take(universe: &Universe, before: &Structure, space: &Space) -> Structure {
    let step = Step { universe, before, after: before };
    let mut after = Structure::new(universe);
    for symbol in SYMBOLS {
        if !matches!(symbol.part, Part::State | Part::Told) {
            continue;
        }
        let (variables, terms) = variables(symbol);
        let body = space.read(symbol, &terms);
        for args in universe.arguments(symbol) {
            let names = variables.iter().map(|(name, _)| *name);
            let value = step.value(&body, &mut names.zip(args.iter().copied()).collect());
            after.set(universe, symbol, &args, value);
        }
    }
    after
}
