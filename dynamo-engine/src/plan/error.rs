//! The errors of a plan.

use dynamo_expression::ExpressionError;
use dynamo_protocol::error::ApiError;

/// Why a request cannot be carried out, found before any store or lease was touched.
#[derive(Clone, Debug, PartialEq)]
pub enum PlanError {
    /// The client's mistake, with DynamoDB's answer to it. Final.
    Client(ApiError),
    /// No table of this name serves the request here. Only the system group can say whether it exists: the caller asks there,
    /// and plans again or answers with [`PlanError::into_api_error`].
    UnknownTable(Box<UnknownTable>),
    /// The table as it is installed here has no such index to read. A newer catalog may say otherwise: the caller asks, as for
    /// a table.
    UnknownIndex(ApiError),
}

/// A table that was not found, and what the client hears if it does not exist.
#[derive(Clone, Debug, PartialEq)]
pub struct UnknownTable {
    /// The name that was looked up.
    pub name: String,
    /// The answer: each kind of operation words it its own way.
    pub answer: ApiError,
}

impl PlanError {
    /// The answer to the client, once nobody knows the table.
    pub fn into_api_error(self) -> ApiError {
        match self {
            PlanError::Client(error) | PlanError::UnknownIndex(error) => error,
            PlanError::UnknownTable(unknown) => unknown.answer,
        }
    }

    /// No table `name`; `answer` is what the client hears once nobody knows it.
    pub(crate) fn unknown_table(name: &str, answer: ApiError) -> PlanError {
        PlanError::UnknownTable(Box::new(UnknownTable { name: name.to_owned(), answer }))
    }

    /// A ValidationException with this message.
    pub(crate) fn validation(message: impl Into<String>) -> PlanError {
        PlanError::Client(ApiError::validation(message))
    }
}

impl From<ApiError> for PlanError {
    fn from(error: ApiError) -> Self {
        PlanError::Client(error)
    }
}

impl From<ExpressionError> for PlanError {
    fn from(error: ExpressionError) -> Self {
        PlanError::Client(error.into())
    }
}
