//! What the parser makes of a statement: nothing checked but the grammar, parameters not yet put in.

use crate::error::ExpressionError;
use crate::path::Path;

use super::token::Position;
use crate::partiql::{OrderKey, Returning, Target};

/// A statement as written.
#[derive(Debug)]
pub enum Tree {
    Select(SelectTree),
    Insert { target: Target, at: Position, value: Term },
    Update { target: Target, actions: Vec<SetOrRemove>, condition: Option<Term>, returning: Option<Returning> },
    Delete { target: Target, condition: Option<Term>, returning: Option<Returning> },
    Exists(SelectTree),
}

#[derive(Debug)]
pub struct SelectTree {
    pub target: Target,
    /// `None` for `*`.
    pub columns: Option<Vec<Path>>,
    /// What is wrong with the first column that is no path.
    pub mismatch: Option<ExpressionError>,
    pub condition: Option<Term>,
    pub order: Vec<OrderKey>,
}

/// One action of an UPDATE.
#[derive(Debug)]
pub enum SetOrRemove {
    Set(Path, Term),
    Remove(Path),
}

/// A part of a statement that has a value or a truth, and where it begins.
#[derive(Debug)]
pub struct Term {
    pub at: Position,
    pub node: Node,
}

#[derive(Debug)]
pub enum Node {
    Text(String),
    /// As written, with its sign.
    Number(String),
    Bool(bool),
    Null,
    /// `MISSING` as a value.
    Missing,
    /// The number of the question mark, from 0.
    Parameter(usize),
    Path(Path),
    List(Vec<Term>),
    Map(Vec<(String, Term)>),
    /// `<< … >>`
    Bag(Vec<Term>),
    /// A function with its arguments, whether or not there is such a function; its name as written.
    Call(String, Vec<Term>),
    /// At least two operands.
    And(Vec<Term>),
    /// At least two operands.
    Or(Vec<Term>),
    Not(Box<Term>),
    /// A comparison or an arithmetic operator, as written.
    Infix(&'static str, Box<Term>, Box<Term>),
    Between(Box<[Term; 3]>),
    In(Box<Term>, Box<Term>),
    Is(Box<Term>, IsTest),
}

/// What IS asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IsTest {
    Null,
    Missing,
    /// A type of SQL, by its name in capitals; DynamoDB knows them and supports none.
    Type(&'static str),
}
