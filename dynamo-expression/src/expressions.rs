//! From the text of an expression to what it means: the ways in.

use crate::check::Checker;
use crate::condition::Condition;
use crate::error::{ExpressionError, ExpressionKind};
use crate::key_condition::KeyCondition;
use crate::parse;
use crate::placeholders::Placeholders;
use crate::projection::Projection;
use crate::update::Update;

impl Placeholders<'_> {
    /// Parses and checks a `ConditionExpression` or `FilterExpression`.
    ///
    /// # Errors
    /// The client's mistake in DynamoDB's words.
    pub fn condition(&self, kind: ExpressionKind, text: &str) -> Result<Condition, ExpressionError> {
        self.report(|| {
            self.check_maps()?;
            let (logic, operators) = parse::condition::parse(text, kind)?;
            Checker::new(self, kind, operators).logic(&logic)
        })
    }

    /// Parses and checks a `KeyConditionExpression`: the language first, then its shape.
    ///
    /// Where a request also has a filter or a projection, their faults of language come before this one's faults of
    /// shape: use [`Placeholders::key_expression`], the others, then [`KeyCondition::from_condition`].
    ///
    /// # Errors
    /// The client's mistake in DynamoDB's words.
    pub fn key_condition(&self, text: &str) -> Result<KeyCondition, ExpressionError> {
        let condition = self.key_expression(text)?;
        self.report(|| KeyCondition::from_condition(condition))
    }

    /// Parses a `KeyConditionExpression` as far as it is like any other condition.
    ///
    /// # Errors
    /// The client's mistake in DynamoDB's words.
    pub fn key_expression(&self, text: &str) -> Result<Condition, ExpressionError> {
        self.condition(ExpressionKind::KeyCondition, text)
    }

    /// Parses and checks a `ProjectionExpression`.
    ///
    /// # Errors
    /// The client's mistake in DynamoDB's words.
    pub fn projection(&self, text: &str) -> Result<Projection, ExpressionError> {
        self.report(|| {
            self.check_maps()?;
            let raw = parse::projection::parse(text)?;
            let paths: Result<Vec<_>, _> = raw.iter().map(|raw| self.path(ExpressionKind::Projection, raw)).collect();
            Projection::checked(paths?)
        })
    }

    /// Parses and checks an `UpdateExpression`.
    ///
    /// # Errors
    /// The client's mistake in DynamoDB's words.
    pub fn update(&self, text: &str) -> Result<Update, ExpressionError> {
        self.report(|| {
            self.check_maps()?;
            let (raw, operators) = parse::update::parse(text)?;
            Checker::new(self, ExpressionKind::Update, operators).update(&raw)
        })
    }
}
