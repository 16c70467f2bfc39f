//! How values relate: equality, order, containment, size.
//!
//! Two values are equal when they have the same type and the same content; sets compare without order (they are kept
//! sorted), numbers by value. Only strings, numbers and binaries have an order, each within its own type; strings by
//! their UTF-8 bytes. Everything else compares as "false", never as an error, because it depends on data.

use std::cmp::Ordering;

use memchr::memmem;

use dynamo_protocol::size::attribute_bytes;
use dynamo_protocol::value::AttributeValue;

use crate::steps::{LOOKUP, compared};

/// The order of two values, where they have one.
pub fn order(left: &AttributeValue, right: &AttributeValue) -> Option<Ordering> {
    match (left, right) {
        (AttributeValue::S(left), AttributeValue::S(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        (AttributeValue::N(left), AttributeValue::N(right)) => Some(left.cmp(right)),
        (AttributeValue::B(left), AttributeValue::B(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// `begins_with`: strings in strings, binaries in binaries.
pub fn begins_with(value: &AttributeValue, prefix: &AttributeValue) -> bool {
    match (value, prefix) {
        (AttributeValue::S(value), AttributeValue::S(prefix)) => value.as_bytes().starts_with(prefix.as_bytes()),
        (AttributeValue::B(value), AttributeValue::B(prefix)) => value.starts_with(prefix),
        _ => false,
    }
}

/// `contains`: a part of a string or binary, a member of a set, an element of a list.
pub fn contains(value: &AttributeValue, part: &AttributeValue) -> bool {
    match (value, part) {
        (AttributeValue::S(value), AttributeValue::S(part)) => contains_bytes(value.as_bytes(), part.as_bytes()),
        (AttributeValue::B(value), AttributeValue::B(part)) => contains_bytes(value, part),
        (AttributeValue::Ss(members), AttributeValue::S(part)) => members.binary_search(part).is_ok(),
        (AttributeValue::Ns(members), AttributeValue::N(part)) => members.binary_search(part).is_ok(),
        (AttributeValue::Bs(members), AttributeValue::B(part)) => members.binary_search(part).is_ok(),
        (AttributeValue::L(elements), part) => elements.contains(part),
        _ => false,
    }
}

/// Linear in both, whatever they are.
fn contains_bytes(value: &[u8], part: &[u8]) -> bool {
    memmem::find(value, part).is_some()
}

/// `size`: bytes of a binary, members of a set, elements of a list or map, and UTF-16 code units of a string.
///
/// The unit of strings is not in the documentation; that `é𝄞` has size 3 was seen on the service in May 2026. Other
/// types have no size.
pub fn size(value: &AttributeValue) -> Option<u64> {
    let size = match value {
        AttributeValue::S(text) if text.is_ascii() => text.len(),
        AttributeValue::S(text) => text.encode_utf16().count(),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::Ss(members) => members.len(),
        AttributeValue::Ns(members) => members.len(),
        AttributeValue::Bs(members) => members.len(),
        AttributeValue::L(elements) => elements.len(),
        AttributeValue::M(members) => members.len(),
        AttributeValue::N(_) | AttributeValue::Bool(_) | AttributeValue::Null => return None,
    };
    Some(size as u64)
}

/// What looking at values costs, in steps; no less than it takes, and known before it is done. Of values that lie in
/// many pieces every byte counts, of others only what is moved past or compared.
pub(crate) mod cost {
    use super::{AttributeValue, LOOKUP, attribute_bytes, compared};

    /// Equality and order.
    pub fn comparison(left: &AttributeValue, right: &AttributeValue) -> usize {
        use AttributeValue::{B, Bs, L, M, Ns, S, Ss};
        match (left, right) {
            (S(left), S(right)) => compared(left.len().min(right.len())),
            (B(left), B(right)) => compared(left.len().min(right.len())),
            (Ns(left), Ns(right)) if left.len() == right.len() => LOOKUP * left.len(),
            (Ss(_), Ss(_)) | (Bs(_), Bs(_)) | (L(_), L(_)) | (M(_), M(_)) if pieces(left) == pieces(right) => {
                LOOKUP + 8 * pieces(left) + attribute_bytes(left)
            }
            _ => 1,
        }
    }

    /// `begins_with`.
    pub fn begins_with(prefix: &AttributeValue) -> usize {
        match prefix {
            AttributeValue::S(prefix) => compared(prefix.len()),
            AttributeValue::B(prefix) => compared(prefix.len()),
            _ => 1,
        }
    }

    /// `contains`.
    pub fn contains(value: &AttributeValue, part: &AttributeValue) -> usize {
        use AttributeValue::{B, Bs, L, N, Ns, S, Ss};
        let searched = |value: usize, part: usize| if part > value { 1 } else { LOOKUP + value + part };
        match (value, part) {
            (S(value), S(part)) => searched(value.len(), part.len()),
            (B(value), B(part)) => searched(value.len(), part.len()),
            (Ss(_), S(part)) => LOOKUP + part.len(),
            (Bs(_), B(part)) => LOOKUP + part.len(),
            (Ns(_), N(_)) => LOOKUP,
            (L(elements), _) => LOOKUP + 8 * elements.len() + attribute_bytes(value),
            _ => 1,
        }
    }

    /// `size`.
    pub fn size(value: &AttributeValue) -> usize {
        match value {
            AttributeValue::S(text) => text.len() + 1,
            _ => 1,
        }
    }

    fn pieces(value: &AttributeValue) -> usize {
        match value {
            AttributeValue::Ss(members) => members.len(),
            AttributeValue::Bs(members) => members.len(),
            AttributeValue::L(elements) => elements.len(),
            AttributeValue::M(entries) => entries.len(),
            _ => 1,
        }
    }
}
