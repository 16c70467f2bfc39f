//! How values relate: equality, order, containment, size.
//!
//! Two values are equal when they have the same type and the same content; sets compare without order (they are kept
//! sorted), numbers by value. Only strings, numbers and binaries have an order, each within its own type; strings by
//! their UTF-8 bytes. Everything else compares as "false", never as an error, because it depends on data.

use std::cmp::Ordering;

use dynamo_protocol::value::AttributeValue;

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
        (AttributeValue::S(value), AttributeValue::S(part)) => value.contains(part.as_str()),
        (AttributeValue::B(value), AttributeValue::B(part)) => contains_bytes(value, part),
        (AttributeValue::Ss(members), AttributeValue::S(part)) => members.binary_search(part).is_ok(),
        (AttributeValue::Ns(members), AttributeValue::N(part)) => members.binary_search(part).is_ok(),
        (AttributeValue::Bs(members), AttributeValue::B(part)) => members.binary_search(part).is_ok(),
        (AttributeValue::L(elements), part) => elements.contains(part),
        _ => false,
    }
}

fn contains_bytes(value: &[u8], part: &[u8]) -> bool {
    part.is_empty() || value.windows(part.len()).any(|window| window == part)
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
