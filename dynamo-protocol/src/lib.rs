//! The DynamoDB wire protocol: types, JSON, errors, limits, numbers, sizes; no I/O.
//!
//! Everything a DynamoDB client says or hears passes through this crate, and nothing here reads a clock, a socket or
//! a disk. A request body becomes a typed operation in one pass ([`ops`], [`shapes`]), with DynamoDB's own complaints in
//! DynamoDB's own order; a reply is pushed straight into its bytes ([`json::JsonWriter`]); in between stand the ten
//! attribute types ([`value`]), their numbers ([`number`]), what they weigh ([`size`]) and how they are stored
//! ([`stored`]) and logged
//! ([`binary`]).
//!
//! ```
//! use dynamo_protocol::number::Number;
//! use dynamo_protocol::value::{AttributeValue, Item};
//!
//! let mut item = Item::new();
//! item.insert("pk".into(), AttributeValue::S("user#1".into()));
//! item.insert("age".into(), AttributeValue::N(Number::parse("0042.0").unwrap()));
//!
//! let mut body = Vec::new();
//! dynamo_protocol::json::JsonWriter::new(&mut body).item(&item);
//! assert_eq!(body, br#"{"age":{"N":"42"},"pk":{"S":"user#1"}}"#);
//! ```

/// The README's example runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod value;

pub mod number;

pub mod size;

pub mod error;

pub mod json;

pub mod ops;
pub mod parameters;
pub mod shapes;

pub mod binary;
pub mod stored;
pub mod varint;

pub mod arn;
pub mod limits;
pub mod reserved;
mod short;
pub mod sigv4;
pub mod work;
