//! Formulas: a small typed language that is printed for a solver and evaluated over finite
//! structures.
//!
//! Everything the proof says is a [`Term`]. It has two readers, [`smt`](super::smt) and
//! [`finite`](super::finite), and because both read the same value, what the solvers prove is what
//! the evaluator compares with the specification. This file must not know what any symbol means.

use core::ops::{Add, BitAnd, BitOr, Not, Sub};
use std::sync::Arc;

/// What kind of thing a term stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sort {
    /// True or false.
    Bool,
    /// A request; there are any number of them, told apart by equality alone.
    Request,
    /// A name; likewise.
    Name,
    /// A fencing token: an integer.
    Token,
    /// A number of waiters or names, or a place in a queue: an integer.
    Count,
    /// One of a few words, given by the name of the sort and its members.
    Word(&'static str, &'static [&'static str]),
}

impl Sort {
    const fn is_integer(self) -> bool {
        matches!(self, Self::Token | Self::Count)
    }

    /// Whether terms of the two sorts may be compared.
    fn agrees(self, other: Self) -> bool {
        self == other || self.is_integer() && other.is_integer()
    }
}

/// A function symbol of the vocabulary. A constant is one without arguments.
#[derive(Debug)]
pub struct Symbol {
    /// Its place in the vocabulary.
    pub index: usize,
    /// Its name.
    pub name: &'static str,
    /// What it belongs to.
    pub part: Part,
    /// The sorts of its arguments.
    pub args: &'static [Sort],
    /// The sort of its value.
    pub value: Sort,
}

/// What a symbol belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The state, which there is [`Before`](When::Before) and [`After`](When::After) a step.
    State,
    /// What is told in a step.
    Told,
    /// The action taken.
    Action,
    /// The configuration, which never changes.
    Limit,
}

/// On which side of a step a symbol of the state is read. Other symbols exist once, under `After`
/// if the step decides them and under `Before` if they are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// Before the step.
    Before,
    /// After it.
    After,
}

/// A bound variable: its name and what it ranges over.
pub type Variable = (&'static str, Sort);

/// A formula or expression.
#[derive(Clone, Debug)]
pub struct Term(Arc<Node>);

/// The outermost part of a term.
#[derive(Debug)]
pub enum Node {
    /// A truth value, a number, or the member of a [`Sort::Word`] with that index.
    Literal(Sort, i64),
    /// A bound variable.
    Variable(Variable),
    /// The value of a symbol.
    Apply(&'static Symbol, When, Vec<Term>),
    /// Negation.
    Not(Term),
    /// All of them.
    And(Vec<Term>),
    /// At least one of them.
    Or(Vec<Term>),
    /// Both are the same.
    Equal(Term, Term),
    /// The first number is smaller.
    Less(Term, Term),
    /// The sum of two numbers.
    Plus(Term, Term),
    /// The second if the first is true, else the third.
    If(Term, Term, Term),
    /// True of every value.
    ForAll(Variable, Term),
    /// True of some value.
    Exists(Variable, Term),
}

impl Term {
    fn new(node: Node) -> Self {
        Self(Arc::new(node))
    }

    /// Its outermost part.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.0
    }

    /// What it stands for.
    #[must_use]
    pub fn sort(&self) -> Sort {
        match self.node() {
            Node::Literal(sort, _) | Node::Variable((_, sort)) => *sort,
            Node::Apply(symbol, ..) => symbol.value,
            Node::Plus(left, _) => left.sort(),
            Node::If(_, then, _) => then.sort(),
            _ => Sort::Bool,
        }
    }

    /// A value: a number, or a member of a word sort by its index.
    #[must_use]
    pub fn literal(sort: Sort, value: i64) -> Self {
        Self::new(Node::Literal(sort, value))
    }

    /// A number.
    #[must_use]
    pub fn number(value: i64) -> Self {
        Self::literal(Sort::Count, value)
    }

    /// A variable, bound by a quantifier or by the definition of a function.
    #[must_use]
    pub fn variable(variable: Variable) -> Self {
        Self::new(Node::Variable(variable))
    }

    /// The value of `symbol` at `args`.
    ///
    /// # Panics
    /// If the arguments are not of the sorts that the symbol takes.
    #[must_use]
    pub fn apply(symbol: &'static Symbol, when: When, args: &[Self]) -> Self {
        let fits = symbol.args.len() == args.len()
            && symbol.args.iter().zip(args).all(|(sort, arg)| sort.agrees(arg.sort()));
        assert!(fits, "{} takes {:?}, not {args:?}", symbol.name, symbol.args);
        Self::new(Node::Apply(symbol, when, args.to_vec()))
    }

    /// All of `terms`.
    #[must_use]
    pub fn all(terms: impl IntoIterator<Item = Self>) -> Self {
        Self::new(Node::And(terms.into_iter().map(Self::formula).collect()))
    }

    /// Some of `terms`.
    #[must_use]
    pub fn any(terms: impl IntoIterator<Item = Self>) -> Self {
        Self::new(Node::Or(terms.into_iter().map(Self::formula).collect()))
    }

    /// `self` and `other` are the same.
    ///
    /// # Panics
    /// If they are of different sorts.
    #[must_use]
    pub fn is(&self, other: &Self) -> Self {
        assert!(self.sort().agrees(other.sort()), "{self:?} compared with {other:?}");
        Self::new(Node::Equal(self.clone(), other.clone()))
    }

    /// `self` and `other` differ.
    #[must_use]
    pub fn is_not(&self, other: &Self) -> Self {
        !self.is(other)
    }

    /// `self` is smaller than `other`.
    ///
    /// # Panics
    /// If they are not numbers.
    #[must_use]
    pub fn below(&self, other: &Self) -> Self {
        assert!(self.sort().is_integer() && other.sort().is_integer(), "{self:?} < {other:?}");
        Self::new(Node::Less(self.clone(), other.clone()))
    }

    /// `self` is not greater than `other`.
    #[must_use]
    pub fn at_most(&self, other: &Self) -> Self {
        !other.below(self)
    }

    /// If `self`, then `other`.
    #[must_use]
    pub fn implies(self, other: Self) -> Self {
        !self | other
    }

    /// `then` if `self`, else `otherwise`.
    ///
    /// # Panics
    /// If the two are of different sorts.
    #[must_use]
    pub fn choose(self, then: Self, otherwise: Self) -> Self {
        assert!(then.sort().agrees(otherwise.sort()), "{then:?} or {otherwise:?}");
        Self::new(Node::If(self.formula(), then, otherwise))
    }

    /// True of every value of `variable`.
    #[must_use]
    pub fn for_all(variable: Variable, body: Self) -> Self {
        Self::new(Node::ForAll(variable, body.formula()))
    }

    /// True of every value of all `variables`.
    #[must_use]
    pub fn for_every(variables: Vec<Variable>, body: Self) -> Self {
        variables.into_iter().rev().fold(body, |body, variable| Self::for_all(variable, body))
    }

    /// True of some value of `variable`.
    #[must_use]
    pub fn exists(variable: Variable, body: Self) -> Self {
        Self::new(Node::Exists(variable, body.formula()))
    }

    fn formula(self) -> Self {
        assert_eq!(self.sort(), Sort::Bool, "not a formula: {self:?}");
        self
    }
}

impl Not for Term {
    type Output = Self;

    fn not(self) -> Self {
        Self::new(Node::Not(self.formula()))
    }
}

impl BitAnd for Term {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self::all([self, other])
    }
}

impl BitOr for Term {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self::any([self, other])
    }
}

impl Add<i64> for Term {
    type Output = Self;

    fn add(self, number: i64) -> Self {
        let number = Self::literal(self.sort(), number);
        self + number
    }
}

impl Sub<i64> for Term {
    type Output = Self;

    fn sub(self, number: i64) -> Self {
        self + -number
    }
}

impl Add for Term {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        assert!(self.sort().is_integer() && other.sort().is_integer(), "{self:?} + {other:?}");
        Self::new(Node::Plus(self, other))
    }
}

impl From<bool> for Term {
    fn from(value: bool) -> Self {
        Self::literal(Sort::Bool, i64::from(value))
    }
}
