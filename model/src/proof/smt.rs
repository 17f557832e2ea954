//! Terms as SMT-LIB 2 text, for any solver that reads it.
//!
//! Over an unbounded [`Domain`] requests and names are sorts of which nothing is known, and a
//! quantifier is a quantifier: `unsat` then means for any number of them. Over a finite one, sorts
//! are enumerations and a quantifier is written out: `sat` then means that the solver has found a
//! structure, which with quantifiers it could often not decide.

use core::fmt::Write;

use super::finite::Universe;
use super::moves::Space;
use super::term::{Node, Part, Sort, Symbol, Term, When};
use super::vocabulary::{BEFORE, Reads, SYMBOLS, Side, variables};

/// What variables range over.
#[derive(Clone, Copy, Debug)]
pub enum Domain<'a> {
    /// Any number of requests and names; all integers.
    Unbounded,
    /// What is in a universe.
    Finite(&'a Universe),
}

/// The question whether some step that leads to `after` satisfies all of `formulas`.
#[must_use]
pub fn question(domain: Domain<'_>, after: &Space, formulas: &[Term]) -> String {
    let mut text = String::from("(set-logic ALL)\n");
    declare_sorts(&mut text, domain);
    for symbol in SYMBOLS {
        match symbol.part {
            Part::State => {
                declare(&mut text, symbol);
                define(&mut text, domain, symbol, after);
            }
            Part::Told => define(&mut text, domain, symbol, after),
            Part::Action | Part::Limit => declare(&mut text, symbol),
        }
    }
    for formula in ranges(domain).iter().chain(formulas) {
        text.push_str("(assert ");
        write(&mut text, domain, formula, &mut Vec::new());
        text.push_str(")\n");
    }
    text.push_str("(check-sat)\n");
    text
}

/// Limits are not negative, and a finite universe has all the numbers of a state.
fn ranges(domain: Domain<'_>) -> Vec<Term> {
    let given = |symbol: &&'static Symbol| symbol.part != Part::Told;
    let mut ranges = Vec::new();
    for symbol in SYMBOLS.iter().copied().filter(given) {
        let variables = variables(symbol);
        let args: Vec<Term> = variables.iter().copied().map(Term::variable).collect();
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
        ranges.push(variables.into_iter().rev().fold(range, |range, v| Term::for_all(v, range)));
    }
    ranges
}

fn declare_sorts(text: &mut String, domain: Domain<'_>) {
    let mut words: Vec<Sort> = Vec::new();
    for symbol in SYMBOLS {
        if matches!(symbol.value, Sort::Word(..)) && !words.contains(&symbol.value) {
            words.push(symbol.value);
        }
    }
    for sort in [Sort::Request, Sort::Name].into_iter().chain(words) {
        let name = sort_name(sort);
        let members: Vec<String> = match (sort, domain) {
            (Sort::Word(_, words), _) => words.iter().map(|word| (*word).to_owned()).collect(),
            (_, Domain::Finite(universe)) => {
                universe.values(sort).map(|value| literal(sort, value)).collect()
            }
            (_, Domain::Unbounded) => {
                put(text, format_args!("(declare-sort {name} 0)\n"));
                continue;
            }
        };
        let members = members.join(") (");
        put(text, format_args!("(declare-datatypes (({name} 0)) ((({members}))))\n"));
    }
}

fn declare(text: &mut String, symbol: &Symbol) {
    let args: Vec<&str> = symbol.args.iter().copied().map(sort_name).collect();
    let (name, args, value) =
        (symbol_name(symbol, When::Before), args.join(" "), sort_name(symbol.value));
    put(text, format_args!("(declare-fun {name} ({args}) {value})\n"));
}

fn define(text: &mut String, domain: Domain<'_>, symbol: &'static Symbol, after: &Space) {
    let variables = variables(symbol);
    let args: Vec<Term> = variables.iter().copied().map(Term::variable).collect();
    put(text, format_args!("(define-fun {} (", symbol_name(symbol, When::After)));
    for (name, sort) in variables {
        put(text, format_args!("({name} {})", sort_name(sort)));
    }
    put(text, format_args!(") {} ", sort_name(symbol.value)));
    write(text, domain, &after.read(symbol, &args), &mut Vec::new());
    text.push_str(")\n");
}

/// Writes `term`; `bound` gives the values of variables whose quantifier is being written out.
fn write(
    text: &mut String,
    domain: Domain<'_>,
    term: &Term,
    bound: &mut Vec<(&'static str, String)>,
) {
    let (head, parts): (&str, &[&Term]) = match term.node() {
        Node::Literal(sort, value) => return text.push_str(&literal(*sort, *value)),
        Node::Variable((name, _)) => {
            let binding = bound.iter().rev().find(|(bound, _)| bound == name);
            return text.push_str(binding.map_or(name, |(_, value)| value));
        }
        Node::Apply(symbol, when, args) => {
            let name = symbol_name(symbol, *when);
            return list(text, domain, &name, args.iter(), bound);
        }
        Node::And(terms) => return junction(text, domain, "and", "true", terms, bound),
        Node::Or(terms) => return junction(text, domain, "or", "false", terms, bound),
        Node::ForAll(variable, body) => {
            return quantifier(text, domain, ("forall", "and"), *variable, body, bound);
        }
        Node::Exists(variable, body) => {
            return quantifier(text, domain, ("exists", "or"), *variable, body, bound);
        }
        Node::Not(term) => ("not", &[term]),
        Node::Equal(left, right) => ("=", &[left, right]),
        Node::Less(left, right) => ("<", &[left, right]),
        Node::Plus(left, right) => ("+", &[left, right]),
        Node::If(condition, then, otherwise) => ("ite", &[condition, then, otherwise]),
    };
    list(text, domain, head, parts.iter().copied(), bound);
}

/// A list of operands; one without any is its head alone.
fn list<'a>(
    text: &mut String,
    domain: Domain<'_>,
    head: &str,
    parts: impl ExactSizeIterator<Item = &'a Term>,
    bound: &mut Vec<(&'static str, String)>,
) {
    if parts.len() == 0 {
        return text.push_str(head);
    }
    put(text, format_args!("({head}"));
    for part in parts {
        text.push(' ');
        write(text, domain, part, bound);
    }
    text.push(')');
}

fn junction(
    text: &mut String,
    domain: Domain<'_>,
    head: &str,
    empty: &str,
    terms: &[Term],
    bound: &mut Vec<(&'static str, String)>,
) {
    let head = if terms.is_empty() { empty } else { head };
    list(text, domain, head, terms.iter(), bound);
}

fn quantifier(
    text: &mut String,
    domain: Domain<'_>,
    (quantifier, junction): (&str, &str),
    (name, sort): (&'static str, Sort),
    body: &Term,
    bound: &mut Vec<(&'static str, String)>,
) {
    match domain {
        Domain::Unbounded => {
            put(text, format_args!("({quantifier} (({name} {})) ", sort_name(sort)));
            write(text, domain, body, bound);
        }
        Domain::Finite(universe) => {
            put(text, format_args!("({junction}"));
            for value in universe.values(sort) {
                bound.push((name, literal(sort, value)));
                text.push(' ');
                write(text, domain, body, bound);
                bound.pop();
            }
        }
    }
    text.push(')');
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

fn put(text: &mut String, arguments: core::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a string takes everything");
}

const _: Side = BEFORE;
