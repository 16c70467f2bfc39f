//! What stops a plan.

use dynamo_expression::ExpressionError;
use dynamo_protocol::error::{ApiError, ErrorKind};
use dynamo_protocol::ops::Operation;

use super::ddl::resource;
use super::tag_resource;
use crate::context::RequestContext;

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

    /// The answer of `operation` to the client, once nobody knows the table: each kind of operation words it its way.
    ///
    /// The operations on tags carry the resource's ARN in [`PlanError::UnknownTable`], the others the table's name.
    pub fn answer(self, operation: Operation, context: &RequestContext) -> ApiError {
        let name = match self {
            PlanError::Client(error) => return error,
            PlanError::UnknownTable(name) => name,
        };
        match operation {
            Operation::UpdateTable
            | Operation::DeleteTable
            | Operation::DescribeTable
            | Operation::DescribeTimeToLive
            | Operation::UpdateTimeToLive => ApiError::table_not_found(&name),
            Operation::DescribeContinuousBackups | Operation::UpdateContinuousBackups => {
                ApiError::new(ErrorKind::TableNotFound, format!("Table not found: {name}"))
            }
            Operation::TagResource | Operation::UntagResource => resource::not_found(&name),
            Operation::ListTagsOfResource => tag_resource::listing_denied(context, &name),
            _ => PlanError::UnknownTable(name).into_api_error(),
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
