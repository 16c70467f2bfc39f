//! PartiQL for DynamoDB: one statement on one table, compiled into what the other expressions are compiled into.
//!
//! ```text
//! text ── token ── parse ──> tree ── lower(parameters) ──> Statement: Condition, Update, Item, columns
//!                              └── print                         └── keys: partitions | primary_key
//! ```
//!
//! A [`Statement`] has no evaluator of its own: a WHERE clause is a [`Condition`], SET and REMOVE are an [`Update`], so
//! that a statement does exactly what the corresponding item operation does. What a statement means for a table (which
//! keys its condition names) is asked of [`partitions`] and [`primary_key`], with the key's attributes as arguments.
//!
//! Mistakes come in the service's order: words ([`token`]), grammar, literals and operand types, all before any table
//! is looked up. The texts carry positions as `line:column:length` of the token that they complain about.
//!
//! Sources: AWS, *Developer Guide: PartiQL, a SQL-compatible query language for Amazon DynamoDB*; answers of the
//! service as recorded by public conformance suites in 2026; the PartiQL specification for the shape of its errors.
//!
//! Left out because the service has none of it: joins, grouping, aggregates, LIMIT, subqueries, Ion literals.

mod keys;
mod lower;
mod parse;
mod print;
mod token;
mod tree;

use dynamo_protocol::value::{AttributeValue, Item};

use crate::condition::Condition;
use crate::error::ExpressionError;
use crate::path::Path;
use crate::update::Update;

pub use keys::{Partition, Partitions, PrimaryKey, partitions, primary_key};

/// Levels of parentheses, literals and operators that a statement may nest. Far above anything written by hand, far
/// below what the parser's stack could hold.
pub(crate) const DEPTH_MAX: usize = 100;

/// The table, or one of its indexes, that a statement names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The table's name or ARN, as written.
    pub table: String,
    /// The index, in `"table"."index"`.
    pub index: Option<String>,
}

/// One statement, its parameters put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// `SELECT … FROM … [WHERE …] [ORDER BY …]`
    Select(Select),
    /// `INSERT INTO … VALUE …`
    Insert(Insert),
    /// `UPDATE … SET … WHERE …`, also in the form that begins with FROM.
    Update(Change),
    /// `DELETE FROM … WHERE …`
    Delete(Delete),
    /// `EXISTS(SELECT …)`: a condition check of a transaction.
    Exists(Select),
}

/// A SELECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// What is read.
    pub target: Target,
    /// The columns in the order of the text; `None` for `*`.
    pub columns: Option<Vec<Column>>,
    /// The WHERE clause.
    pub condition: Option<Condition>,
    /// The ORDER BY clause, empty where there is none.
    pub order: Vec<OrderKey>,
}

/// One column of a SELECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Where the value comes from.
    pub path: Path,
    /// The name under which it is returned: the path's last component with the indexes behind it.
    pub name: String,
}

/// One key of ORDER BY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderKey {
    /// The attribute.
    pub name: String,
    /// `DESC`; ascending is the default.
    pub descending: bool,
}

/// An INSERT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insert {
    /// The table's name or ARN.
    pub table: String,
    /// The item.
    pub item: Item,
}

/// An UPDATE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What is changed; an index is refused when the statement is planned.
    pub target: Target,
    /// SET and REMOVE.
    pub update: Update,
    /// The WHERE clause, key conditions included.
    pub condition: Option<Condition>,
    /// The RETURNING clause.
    pub returning: Option<Returning>,
}

/// A DELETE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// What is deleted from; an index is refused when the statement is planned.
    pub target: Target,
    /// The WHERE clause, key conditions included.
    pub condition: Option<Condition>,
    /// The RETURNING clause.
    pub returning: Option<Returning>,
}

/// `RETURNING (ALL | MODIFIED) (OLD | NEW) *`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returning {
    /// `MODIFIED`: only what the statement changed.
    pub modified: bool,
    /// `NEW`: as it is afterwards.
    pub new: bool,
}

impl Statement {
    /// Parses `text` and puts `parameters` in place of its question marks.
    ///
    /// # Errors
    /// DynamoDB's text for the first mistake, words before grammar before literals and operands.
    pub fn parse(text: &str, parameters: &[AttributeValue]) -> Result<Statement, ExpressionError> {
        let (tree, count) = parse::statement(text)?;
        lower::statement(tree, count, parameters)
    }

    /// The statement as DynamoDB would read it again, in one canonical spelling; parameters stay question marks.
    ///
    /// # Errors
    /// As [`Statement::parse`], but for what only the parameters show.
    pub fn canonical(text: &str) -> Result<String, ExpressionError> {
        parse::statement(text).map(|(tree, _)| tree.to_string())
    }

    /// Whether the statement only reads. EXISTS counts as a write, since only write transactions may have it.
    pub fn is_read(&self) -> bool {
        matches!(self, Statement::Select(_))
    }

    /// What the statement names in its FROM, INTO or UPDATE clause.
    pub fn table(&self) -> &str {
        match self {
            Statement::Select(select) | Statement::Exists(select) => &select.target.table,
            Statement::Insert(insert) => &insert.table,
            Statement::Update(change) => &change.target.table,
            Statement::Delete(delete) => &delete.target.table,
        }
    }
}

/// A statement that is not well formed; `detail` says in which way.
pub(crate) fn malformed(detail: &str) -> ExpressionError {
    ExpressionError::bare(format!("Statement wasn't well formed, can't be processed: {detail}"))
}
