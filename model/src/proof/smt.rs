//! Terms as SMT-LIB 2 text, for any solver that reads it.
//!
//! Over an unbounded [`Domain`] requests and names are sorts of which nothing is known, and a
//! quantifier is a quantifier: `unsat` then means for any number of them. Over a finite one, sorts
//! are enumerations and a quantifier is written out: `sat` then means that the solver has found a
//! structure, which with quantifiers it could often not decide.

use super::finite::Universe;
use super::moves::Space;
use super::term::{Node, Part, Sort, Symbol, Term, Variable, When};
use super::vocabulary::{BEFORE, Reads, SYMBOLS, variables};

/// What variables range over.
#[derive(Clone, Copy, Debug)]
pub enum Domain<'a> {
    /// Any number of requests and names; all integers.
    Unbounded,
    /// What is in a universe.
    Finite(&'a Universe),
}

/// Asks of each of the `goals`, one after the other, whether some step that leads to `after` is true
/// of all `premises` and of that goal.
#[must_use]
pub fn inquiry(domain: Domain<'_>, after: &Space, premises: &[Term], goals: &[Term]) -> String {
    let mut page = Page { domain, text: String::from("(set-logic ALL)\n"), bound: Vec::new() };
    page.declare_sorts();
    let given = SYMBOLS.iter().filter(|symbol| symbol.part != Part::Told);
    given.for_each(|symbol| page.declare(symbol));
    let decided = SYMBOLS.iter().filter(|s| matches!(s.part, Part::State | Part::Told));
    decided.for_each(|symbol| page.define(symbol, after));
    for premise in ranges(domain).iter().chain(premises) {
        page.assert(premise);
    }
    for goal in goals {
        page.text += "(push 1)\n";
        page.assert(goal);
        page.text += "(check-sat)\n(pop 1)\n";
    }
    page.text
}

/// Limits are not negative, and a finite universe has all the numbers of a state.
fn ranges(domain: Domain<'_>) -> Vec<Term> {
    let mut ranges = Vec::new();
    for symbol in SYMBOLS.iter().filter(|symbol| symbol.part != Part::Told) {
        let (variables, args) = variables(symbol);
        let value = BEFORE.read(symbol, &args);
        let range = match (domain, symbol.value) {
            (Domain::Unbounded, Sort::Count) if symbol.part == Part::Limit => {
                Term::number(0).at_most(&value)
            }
            (Domain::Finite(universe), sort @ (Sort::Count | Sort::Token)) => {
                let count = Term::number(universe.count(sort) as i64);
                Term::number(0).at_most(&value) & value.below(&count)
            }
            _ => continue,
        };
        ranges.push(Term::for_every(variables, range));
    }
    ranges
}

/// A text being written. Variables whose quantifier is written out are bound to literals.
struct Page<'a> {
    domain: Domain<'a>,
    text: String,
    bound: Vec<(&'static str, String)>,
}

impl Page<'_> {
    fn declare_sorts(&mut self) {
        let mut sorts = vec![Sort::Request, Sort::Name];
        for symbol in SYMBOLS {
            if matches!(symbol.value, Sort::Word(..)) && !sorts.contains(&symbol.value) {
                sorts.push(symbol.value);
            }
        }
        for sort in sorts {
            let name = sort_name(sort);
            let members: Vec<String> = match (sort, self.domain) {
                (Sort::Word(_, words), _) => words.iter().map(|word| (*word).to_owned()).collect(),
                (_, Domain::Finite(universe)) => {
                    universe.values(sort).map(|value| literal(sort, value)).collect()
                }
                (_, Domain::Unbounded) => {
                    self.text += &format!("(declare-sort {name} 0)\n");
                    continue;
                }
            };
            let members = members.join(") (");
            self.text += &format!("(declare-datatypes (({name} 0)) ((({members}))))\n");
        }
    }

    fn declare(&mut self, symbol: &Symbol) {
        let args: Vec<&str> = symbol.args.iter().copied().map(sort_name).collect();
        let (name, args) = (symbol_name(symbol, When::Before), args.join(" "));
        self.text += &format!("(declare-fun {name} ({args}) {})\n", sort_name(symbol.value));
    }

    fn define(&mut self, symbol: &'static Symbol, after: &Space) {
        let (variables, args) = variables(symbol);
        let typed = |(name, sort): &Variable| format!("({name} {})", sort_name(*sort));
        let typed: String = variables.iter().map(typed).collect();
        let (name, value) = (symbol_name(symbol, When::After), sort_name(symbol.value));
        self.text += &format!("(define-fun {name} ({typed}) {value} ");
        self.term(&after.read(symbol, &args));
        self.text += ")\n";
    }

    fn assert(&mut self, formula: &Term) {
        self.text += "(assert ";
        self.term(formula);
        self.text += ")\n";
    }

    fn term(&mut self, term: &Term) {
        match term.node() {
            Node::Literal(sort, value) => self.text += &literal(*sort, *value),
            Node::Variable((name, _)) => {
                let binding = self.bound.iter().rev().find(|(bound, _)| bound == name);
                self.text += binding.map_or(*name, |(_, value)| value);
            }
            Node::Apply(symbol, when, args) if args.is_empty() => {
                self.text += &symbol_name(symbol, *when);
            }
            Node::Apply(symbol, when, args) => self.list(&symbol_name(symbol, *when), args),
            Node::And(terms) if terms.is_empty() => self.text += "true",
            Node::Or(terms) if terms.is_empty() => self.text += "false",
            Node::And(terms) => self.list("and", terms),
            Node::Or(terms) => self.list("or", terms),
            Node::Not(term) => self.list("not", [term]),
            Node::Equal(left, right) => self.list("=", [left, right]),
            Node::Less(left, right) => self.list("<", [left, right]),
            Node::Plus(left, right) => self.list("+", [left, right]),
            Node::If(condition, then, otherwise) => self.list("ite", [condition, then, otherwise]),
            Node::ForAll(variable, body) => self.quantifier("forall", "and", *variable, body),
            Node::Exists(variable, body) => self.quantifier("exists", "or", *variable, body),
        }
    }

    fn list<'t>(&mut self, head: &str, parts: impl IntoIterator<Item = &'t Term>) {
        self.text += "(";
        self.text += head;
        for part in parts {
            self.text += " ";
            self.term(part);
        }
        self.text += ")";
    }

    fn quantifier(&mut self, word: &str, written_out: &str, (name, sort): Variable, body: &Term) {
        let Domain::Finite(universe) = self.domain else {
            self.text += &format!("({word} (({name} {})) ", sort_name(sort));
            self.term(body);
            self.text += ")";
            return;
        };
        self.text += "(";
        self.text += written_out;
        for value in universe.values(sort) {
            self.bound.push((name, literal(sort, value)));
            self.text += " ";
            self.term(body);
            self.bound.pop();
        }
        self.text += ")";
    }
}

fn sort_name(sort: Sort) -> &'static str {
    match sort {
        Sort::Bool => "Bool",
        Sort::Request => "Request",
        Sort::Name => "Name",
        Sort::Token | Sort::Count => "Int",
        Sort::Word(name, _) => name,
    }
}

fn symbol_name(symbol: &Symbol, when: When) -> String {
    let part = match (symbol.part, when) {
        (Part::State, When::Before) => "before",
        (Part::State, When::After) => "after",
        (Part::Told, _) => "told",
        (Part::Action, _) => "action",
        (Part::Limit, _) => "limit",
    };
    format!("{part}.{}", symbol.name)
}

fn literal(sort: Sort, value: i64) -> String {
    match sort {
        Sort::Bool => (value == 1).to_string(),
        Sort::Word(_, words) => words[usize::try_from(value).expect("an index")].to_owned(),
        Sort::Request => format!("request{value}"),
        Sort::Name => format!("name{value}"),
        Sort::Token | Sort::Count if value < 0 => format!("(- {})", -value),
        Sort::Token | Sort::Count => value.to_string(),
    }
}
