//! What stops a plan.

use dynamo_expression::ExpressionError;
use dynamo_protocol::error::ApiError;

/// Why a request cannot be carried out, found before any store or lease was touched.
#[derive(Clone, Debug, PartialEq)]
pub enum PlanError {
    /// The client's mistake, with DynamoDB's answer to it. Final.
    Client(ApiError),
    /// No table of this name is installed here. Only the system group can say whether it exists: the caller asks there,
    /// and plans again or answers with [`PlanError::into_api_error`].
    UnknownTable(String),
}

impl PlanError {
    /// The answer to the client, once nobody knows the table.
    pub fn into_api_error(self) -> ApiError {
        match self {
            PlanError::Client(error) => error,
            PlanError::UnknownTable(_) => ApiError::resource_not_found("Requested resource not found"),
        }
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
