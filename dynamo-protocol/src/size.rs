//! What values weigh: bytes as billed, and how deep they nest.
//!
//! Source: AWS, *Developer guide: DynamoDB item sizes and formats*. Names and strings by their UTF-8 bytes, numbers by
//! their digits, binaries by their raw bytes, booleans and nulls 1; a list or a map 3, plus 1 for each element, plus
//! the elements (and names) themselves.

use crate::value::{AttributeValue, Item};

/// Bytes of one value as billed, without its name.
pub fn attribute_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number.billed_bytes(),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::Bool(_) | AttributeValue::Null => 1,
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Ns(numbers) => numbers.iter().map(|number| number.billed_bytes()).sum(),
        AttributeValue::Bs(binaries) => binaries.iter().map(Vec::len).sum(),
        AttributeValue::L(elements) => 3 + elements.iter().map(|element| 1 + attribute_bytes(element)).sum::<usize>(),
        AttributeValue::M(entries) => 3 + entries.len() + item_bytes(entries),
    }
}

/// Bytes of an item as billed: names and values.
pub fn item_bytes(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + attribute_bytes(value)).sum()
}

/// How deep a value nests: 0 for a scalar or a set, one more for each list or map around it.
pub fn depth(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::L(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        AttributeValue::M(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// How many levels a value has: 1 for a scalar, a set, an empty list or map; one more for each list or map around it.
/// DynamoDB stores up to [`NESTING_LEVELS_MAX`](crate::limits::NESTING_LEVELS_MAX).
pub fn levels(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::L(elements) => 1 + elements.iter().map(levels).max().unwrap_or(0),
        AttributeValue::M(entries) => 1 + entries.values().map(levels).max().unwrap_or(0),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Number;

    #[test]
    fn sizes_as_billed() {
        let list = AttributeValue::L(vec!["ab".into(), AttributeValue::Null]);
        assert_eq!(attribute_bytes(&list), 3 + (1 + 2) + (1 + 1));
        assert_eq!(depth(&list), 1);
        let mut entries = Item::new();
        entries.insert("k".into(), list);
        entries.insert("n".into(), AttributeValue::N(Number::from_u64(7)));
        assert_eq!(item_bytes(&entries), 1 + 8 + 1 + 2);
        let map = AttributeValue::M(entries);
        assert_eq!(attribute_bytes(&map), 3 + 2 + 12);
        assert_eq!(depth(&map), 2);
        assert_eq!(attribute_bytes(&AttributeValue::M(Item::new())), 3);
    }
}
