//! PartiQL for DynamoDB: one statement on one table, compiled into what the other expressions are compiled into.
//!
//! ```text
//! text ── token ── parse ──> tree ── lower(parameters) ──> Statement: Condition, Update, Item, columns
//!                              └── print                         └── keys: partitions | primary_key
//! ```
//!
//! A [`Statement`] has no evaluator of its own: a WHERE clause is a [`Condition`](crate::Condition), SET and REMOVE are an
//! [`Update`](crate::Update), so that a statement does exactly what the corresponding item operation does. What a statement means for a table (which
//! keys its condition names) is asked of [`partitions`] and [`primary_key`], with the key's attributes as arguments.
//!
//! Mistakes come in the service's order: words ([`token`](text::token)), grammar, literals and operand types, all before any table
//! is looked up. The texts carry positions as `line:column:length` of the token that they complain about.
//!
//! Sources: AWS, *Developer Guide: PartiQL, a SQL-compatible query language for Amazon DynamoDB*; answers of the
//! service as recorded by public conformance suites in 2026; the PartiQL specification for the shape of its errors.
//!
//! Left out because the service has none of it: joins, grouping, aggregates, LIMIT, subqueries, Ion literals.

mod keys;
mod lower;
mod statement;
mod text;

use dynamo_protocol::value::AttributeValue;

use crate::error::ExpressionError;

pub use keys::{Naming, Partition, Partitions, PrimaryKey, partitions, primary_key};
pub use statement::{Change, Column, Delete, Insert, NESTED_TOO_DEEP, OrderKey, Returning, Select, Statement, Target};
pub(crate) use statement::{DEPTH_MAX, malformed};

use self::text::tree::{SelectTree, Tree};

impl Statement {
    /// Parses `text` and puts `parameters` in place of its question marks.
    ///
    /// # Errors
    /// DynamoDB's text for the first mistake, words before grammar before literals and operands.
    pub fn parse(text: &str, parameters: &[AttributeValue]) -> Result<Statement, ExpressionError> {
        let (tree, count) = text::parse::statement(text)?;
        lower::statement(tree, count, parameters)
    }

    /// The statement as DynamoDB would read it again, in one canonical spelling; parameters stay question marks.
    ///
    /// # Errors
    /// As [`Statement::parse`], but for what only the parameters show.
    pub fn canonical(text: &str) -> Result<String, ExpressionError> {
        let (tree, _) = text::parse::statement(text)?;
        match &tree {
            Tree::Select(SelectTree { mismatch: Some(error), .. })
            | Tree::Exists(SelectTree { mismatch: Some(error), .. }) => Err(error.clone()),
            _ => Ok(tree.to_string()),
        }
    }
}
