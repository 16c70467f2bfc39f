//! DynamoDB's expression languages: condition, filter, key condition, projection and update; and the parameters of
//! before there were expressions.
//!
//! The way of an expression:
//!
//! ```text
//! text ── token ── parse ──> tree ── check + placeholders ──> Condition | KeyCondition | Projection | Update
//!                                                                  │ codec              (into a log command)
//! legacy parameters ─────────────────────────────────────────────> │
//!                                                                  └─ eval | plan | project | apply
//! ```
//!
//! [`Placeholders`] is the way in: it holds the names and values of one request and gives out checked expressions.
//! Everything that can be said about an expression without an item is said there, in DynamoDB's words
//! ([`ExpressionError`]); evaluation never fails, except that an update may not fit its item
//! and that it may need more [`Steps`] than it was given. The crate is pure: no
//! clock, no chance, no I/O, and the same input gives the same output everywhere.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use dynamo_expression::{ExpressionKind, Placeholders, Steps};
//! use dynamo_protocol::value::{AttributeValue, Item};
//!
//! let values = BTreeMap::from([(":min".to_owned(), AttributeValue::S("m".to_owned()))]);
//! let placeholders = Placeholders::new(None, Some(&values));
//! let condition = placeholders.condition(ExpressionKind::Filter, "city >= :min AND NOT attribute_exists(gone)").unwrap();
//! placeholders.finish().unwrap();
//!
//! let item = Item::from([("city".to_owned(), AttributeValue::S("oslo".to_owned()))]);
//! assert_eq!(condition.eval(&item, &Steps::unlimited()), Ok(true));
//!
//! let error = placeholders.condition(ExpressionKind::Filter, "city >").unwrap_err();
//! assert_eq!(error.to_string(), r#"Invalid FilterExpression: Syntax error; token: "<EOF>", near: ">""#);
//! ```
//!
//! [`partiql`] is the other way in: a statement compiles into the same conditions and updates.
//!
//! Left out on purpose: everything that needs a table's schema, except that [`KeyCondition::plan`] takes the key as an
//! argument.

mod expressions;
mod placeholders;

mod condition;
mod key_condition;
mod projection;
mod update;

mod name;
mod path;
mod selection;

pub mod compare;

mod attributes;
mod steps;

mod error;

pub mod legacy;

pub mod partiql;

mod codec;

mod check;
mod overlap;
mod parse;
mod token;
mod tree;

pub use attributes::Attributes;
pub use condition::{Comparator, Condition, Operand, TypeName};
pub use dynamo_protocol::varint::DecodeError;
pub use error::{ENVELOPE, ExpressionError, ExpressionKind, ITEM_TO_UPDATE_TOO_LARGE};
pub use key_condition::{KeyClause, KeyColumn, KeyCondition, KeyMatch, KeyTest};
pub use name::Name;
pub use path::{Path, Step};
pub use placeholders::Placeholders;
pub use projection::Projection;
pub use selection::{Selection, Selections};
pub use steps::{OutOfSteps, Steps};
pub use update::{Action, Origin, Update, Value};

/// The README's example runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
