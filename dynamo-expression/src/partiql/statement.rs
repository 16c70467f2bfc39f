//! Statements, checked and with their parameters put in.

use dynamo_protocol::value::Item;

use crate::condition::Condition;
use crate::error::ExpressionError;
use crate::path::{Path, Step};
use crate::update::Update;

/// Levels of parentheses, literals and operators that a statement may nest. Far above anything written by hand, far
/// below what the parser's stack could hold.
pub(crate) const DEPTH_MAX: usize = 100;

/// What statements say of values with more than 32 levels, and of themselves.
pub const NESTED_TOO_DEEP: &str = "Nesting Levels have exceeded supported limits";

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
    /// What is wrong with the first column that is no path, such as COUNT(*). The service says it when it plans, before
    /// it has looked for the table, but behind what is wrong with the index.
    pub mismatch: Option<ExpressionError>,
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

/// A statement is nested too deeply.
pub fn too_deep() -> ExpressionError {
    ExpressionError::bare(NESTED_TOO_DEEP)
}

/// The name under which a column is returned: the last name of its path, with the indexes behind it.
pub fn column_name(path: &Path) -> String {
    let named = path.steps().iter().rposition(|step| matches!(step, Step::Name(_)));
    let (mut name, rest) = match named.map(|at| (&path.steps()[at], &path.steps()[at + 1..])) {
        Some((Step::Name(name), rest)) => (name.to_string(), rest),
        _ => (path.root().to_owned(), path.steps()),
    };
    for step in rest {
        if let Step::Index(index) = step {
            name.push_str(&format!("[{index}]"));
        }
    }
    name
}
