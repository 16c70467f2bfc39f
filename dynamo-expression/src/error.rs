//! What is wrong with an expression, in DynamoDB's words.
//!
//! The texts are DynamoDB's and are compared byte by byte by clients' tests, so they are made in this crate and nowhere
//! else. One thing the crate cannot know is the operation that carries the expression, and since 2026 it matters: the
//! new validation layer answers PutItem, UpdateItem and DeleteItem inside the envelope
//! `1 validation error detected: `, and everything else bare (captures of October 2026, four regions). So an error
//! that does not depend on data is made *bare* and put into the envelope by [`ExpressionError::enveloped`], which
//! [`crate::Placeholders::enveloped`] does for all errors of one request. Errors that depend on the item (an operand
//! of the wrong type, a path that leads nowhere) are always bare.

use std::fmt;

use dynamo_protocol::error::ApiError;

/// The prefix of the new validation layer.
pub const ENVELOPE: &str = "1 validation error detected: ";

/// What an update is told that would make an item of more than 400 KB.
pub const ITEM_TO_UPDATE_TOO_LARGE: &str = "Item size to update has exceeded the maximum allowed size";

/// Which request member an expression came in; its name is part of most texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpressionKind {
    /// `ConditionExpression`.
    Condition,
    /// `FilterExpression`.
    Filter,
    /// `KeyConditionExpression`.
    KeyCondition,
    /// `ProjectionExpression`.
    Projection,
    /// `UpdateExpression`.
    Update,
}

impl ExpressionKind {
    /// The name of the request member.
    pub fn name(self) -> &'static str {
        match self {
            ExpressionKind::Condition => "ConditionExpression",
            ExpressionKind::Filter => "FilterExpression",
            ExpressionKind::KeyCondition => "KeyConditionExpression",
            ExpressionKind::Projection => "ProjectionExpression",
            ExpressionKind::Update => "UpdateExpression",
        }
    }
}

/// A client's mistake; `Display` is the text DynamoDB answers with, the type is always `ValidationException`.
#[derive(Clone, PartialEq, Eq)]
pub struct ExpressionError {
    /// The text without the envelope.
    text: String,
    /// Whether the text goes into the envelope.
    enveloped: bool,
}

impl ExpressionError {
    /// An error with a text of its own.
    pub fn bare(text: impl Into<String>) -> Self {
        ExpressionError { text: text.into(), enveloped: false }
    }

    /// `Invalid SomeExpression: text`.
    pub(crate) fn invalid(kind: ExpressionKind, text: impl fmt::Display) -> Self {
        Self::bare(format!("Invalid {}: {text}", kind.name()))
    }

    /// `One or more parameter values were invalid: text`.
    pub(crate) fn parameters(text: impl fmt::Display) -> Self {
        Self::bare(format!("One or more parameter values were invalid: {text}"))
    }

    /// The same error as PutItem, UpdateItem and DeleteItem report it: inside `1 validation error detected: `.
    #[must_use]
    pub fn enveloped(mut self) -> Self {
        self.enveloped = true;
        self
    }

    /// The text without the envelope.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.enveloped {
            f.write_str(ENVELOPE)?;
        }
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExpressionError({:?})", self.to_string())
    }
}

impl std::error::Error for ExpressionError {}

impl From<ExpressionError> for ApiError {
    fn from(error: ExpressionError) -> Self {
        ApiError::validation(error.to_string())
    }
}
