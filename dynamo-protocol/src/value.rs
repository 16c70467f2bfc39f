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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    #[default]
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

impl AttributeValue {
    /// The type's name on the wire, as error messages and `attribute_type` spell it.
    pub fn type_name(&self) -> &'static str {
        match self {
            AttributeValue::S(_) => "S",
            AttributeValue::N(_) => "N",
            AttributeValue::B(_) => "B",
            AttributeValue::Bool(_) => "BOOL",
            AttributeValue::Null => "NULL",
            AttributeValue::Ss(_) => "SS",
            AttributeValue::Ns(_) => "NS",
            AttributeValue::Bs(_) => "BS",
            AttributeValue::L(_) => "L",
            AttributeValue::M(_) => "M",
        }
    }

    /// Whether this is one of the three set types.
    pub fn is_set(&self) -> bool {
        matches!(self, AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_))
    }
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        AttributeValue::S(text.to_owned())
    }
}

impl From<Number> for AttributeValue {
    fn from(number: Number) -> Self {
        AttributeValue::N(number)
    }
}
