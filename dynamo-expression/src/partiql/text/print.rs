//! A statement in one canonical spelling: keywords in capitals, every name quoted, every compound term in parentheses.
//! Reading it again gives the same tree.

use std::fmt;

use crate::path::{Path, Step};

use super::tree::{IsTest, Node, SelectTree, SetOrRemove, Term, Tree};
use crate::partiql::{Returning, Target};

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tree::Select(select) => write!(f, "{select}"),
            Tree::Exists(select) => write!(f, "EXISTS({select})"),
            Tree::Insert { target, value, .. } => write!(f, "INSERT INTO {target} VALUE {value}"),
            Tree::Update { target, actions, condition, returning } => {
                write!(f, "UPDATE {target}")?;
                for action in actions {
                    match action {
                        SetOrRemove::Set(path, value) => write!(f, " SET {} = {value}", Shown(path))?,
                        SetOrRemove::Remove(path) => write!(f, " REMOVE {}", Shown(path))?,
                    }
                }
                tail(f, condition.as_ref(), *returning)
            }
            Tree::Delete { target, condition, returning } => {
                write!(f, "DELETE FROM {target}")?;
                tail(f, condition.as_ref(), *returning)
            }
        }
    }
}

impl fmt::Display for SelectTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SELECT ")?;
        match &self.columns {
            None => f.write_str("*")?,
            Some(columns) => separated(f, columns.iter().map(Shown))?,
        }
        write!(f, " FROM {}", self.target)?;
        tail(f, self.condition.as_ref(), None)?;
        for (at, key) in self.order.iter().enumerate() {
            f.write_str(if at == 0 { " ORDER BY " } else { ", " })?;
            quoted(f, '"', &key.name)?;
            f.write_str(if key.descending { " DESC" } else { " ASC" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quoted(f, '"', &self.table)?;
        match &self.index {
            None => Ok(()),
            Some(index) => {
                f.write_str(".")?;
                quoted(f, '"', index)
            }
        }
    }
}

impl fmt::Display for Returning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = if self.modified { "MODIFIED" } else { "ALL" };
        write!(f, "RETURNING {which} {} *", if self.new { "NEW" } else { "OLD" })
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Text(text) => quoted(f, '\'', text),
            Node::Number(digits) => f.write_str(digits),
            Node::Bool(true) => f.write_str("TRUE"),
            Node::Bool(false) => f.write_str("FALSE"),
            Node::Null => f.write_str("NULL"),
            Node::Missing => f.write_str("MISSING"),
            Node::Parameter(_) => f.write_str("?"),
            Node::Path(path) => write!(f, "{}", Shown(path)),
            Node::List(terms) => bracketed(f, "[", terms, "]"),
            Node::Bag(terms) => bracketed(f, "<<", terms, ">>"),
            Node::Map(members) => {
                f.write_str("{")?;
                for (at, (name, value)) in members.iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { ", " })?;
                    quoted(f, '\'', name)?;
                    write!(f, ": {value}")?;
                }
                f.write_str("}")
            }
            Node::Call(name, arguments) => {
                f.write_str(name)?;
                bracketed(f, "(", arguments, ")")
            }
            Node::And(terms) => joined(f, terms, "AND"),
            Node::Or(terms) => joined(f, terms, "OR"),
            Node::Not(term) => write!(f, "(NOT {term})"),
            // To the left they associate by themselves.
            Node::Infix(operator @ ("+" | "-"), left, right) => match right.node {
                Node::Infix("+" | "-", ..) => write!(f, "{left} {operator} ({right})"),
                _ => write!(f, "{left} {operator} {right}"),
            },
            Node::Infix(operator, left, right) => write!(f, "({left} {operator} {right})"),
            Node::Between(parts) => write!(f, "({} BETWEEN {} AND {})", parts[0], parts[1], parts[2]),
            Node::In(value, candidates) => write!(f, "({value} IN {candidates})"),
            Node::Is(value, IsTest::Null) => write!(f, "({value} IS NULL)"),
            Node::Is(value, IsTest::Missing) => write!(f, "({value} IS MISSING)"),
            Node::Is(value, IsTest::Type(name)) => write!(f, "({value} IS {name})"),
        }
    }
}

/// A path as a statement has it.
struct Shown<'a>(&'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quoted(f, '"', self.0.root())?;
        for step in self.0.steps() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Name(name) => {
                    f.write_str(".")?;
                    quoted(f, '"', name)?;
                }
            }
        }
        Ok(())
    }
}

fn tail(f: &mut fmt::Formatter<'_>, condition: Option<&Term>, returning: Option<Returning>) -> fmt::Result {
    if let Some(condition) = condition {
        write!(f, " WHERE {condition}")?;
    }
    match returning {
        Some(returning) => write!(f, " {returning}"),
        None => Ok(()),
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, quote: char, text: &str) -> fmt::Result {
    let doubled = [quote, quote].iter().collect::<String>();
    write!(f, "{quote}{}{quote}", text.replace(quote, &doubled))
}

fn separated<T: fmt::Display>(f: &mut fmt::Formatter<'_>, parts: impl Iterator<Item = T>) -> fmt::Result {
    for (at, part) in parts.enumerate() {
        f.write_str(if at == 0 { "" } else { ", " })?;
        write!(f, "{part}")?;
    }
    Ok(())
}

fn bracketed(f: &mut fmt::Formatter<'_>, open: &str, terms: &[Term], close: &str) -> fmt::Result {
    f.write_str(open)?;
    separated(f, terms.iter())?;
    f.write_str(close)
}

fn joined(f: &mut fmt::Formatter<'_>, terms: &[Term], operator: &str) -> fmt::Result {
    f.write_str("(")?;
    for (at, term) in terms.iter().enumerate() {
        if at > 0 {
            write!(f, " {operator} ")?;
        }
        write!(f, "{term}")?;
    }
    f.write_str(")")
}
