//! The ten attribute types of DynamoDB as one tree type.

use std::collections::BTreeMap;

use crate::number::Number;

/// An item, or the content of a map attribute: attribute names to values, walked in the order of the names' UTF-8
/// bytes so that everything that is encoded or compared comes out the same everywhere.
pub type Item = BTreeMap<String, AttributeValue>;

/// One attribute value.
///
/// Sets keep these invariants from the moment they are parsed: not empty, no duplicates, sorted (strings and binaries
/// by their bytes, numbers by value). So two equal sets are equal as Rust values.
///
/// Source: AWS, *API Reference: AttributeValue*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// `S`: a string, possibly empty.
    S(String),
    /// `N`: a number of up to 38 significant digits.
    N(Number),
    /// `B`: bytes, possibly empty; base64 on the wire.
    B(Vec<u8>),
    /// `BOOL`.
    Bool(bool),
    /// `NULL`, whose only legal content is `true`.
    Null,
    /// `SS`: a set of strings.
    Ss(Vec<String>),
    /// `NS`: a set of numbers.
    Ns(Vec<Number>),
    /// `BS`: a set of binaries.
    Bs(Vec<Vec<u8>>),
    /// `L`: a list.
    L(Vec<AttributeValue>),
    /// `M`: a map.
    M(Item),
}
