//! The stored form of an item: compact, typed, with cheap access to single attributes.
//!
//! ```text
//! row   format version (1) = 01 · codec (1) = 00 · commit timestamp (8, big endian) · body
//! body  billed bytes (4, LE) · count (4, LE) · width (1) · count × end offset (width bytes, LE) · entries
//! entry name length (varint) · name · value            entries stand in the order of the names' bytes
//! value tag (1) · content, see `value`
//! ```
//!
//! The table of end offsets (1, 2 or 4 bytes each, whatever the entries need) lets one attribute be found by binary
//! search without looking at the others; the billed size is stored, so a reader counts capacity in O(1). Nested
//! containers carry their byte length and can be skipped.
//!
//! An item to put is written in this form while its JSON is read (`json`), without a tree in between.
//!
//! Reading is done on borrowed bytes: [`ItemRef`] goes to JSON (`render`), to single values or to a tree. Bytes that are not an
//! item give [`Corrupt`] and never a panic, since what comes from disk is fuzzed like everything else.

mod encode;
mod input;
mod json;
mod reader;
mod render;
mod value;

pub use encode::{ItemBody, row};
pub use reader::ItemRef;
pub use value::{Scalar, ValueRef};

/// First byte of every stored item.
pub const FORMAT_VERSION: u8 = 0x01;
/// Second byte: the body is neither compressed nor encrypted.
pub const CODEC_PLAIN: u8 = 0x00;

const HEADER_BYTES: usize = 10;
const BODY_HEAD_BYTES: usize = 9;

/// The bytes are not a stored item: a fault of this node's disk or of the program, never an answer to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stored item is corrupt: {0}")]
pub struct Corrupt(pub &'static str);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::JsonWriter;
    use crate::number::Number;
    use crate::size::item_bytes;
    use crate::value::{AttributeValue, Item};

    fn every_type() -> Item {
        let number = |text: &str| Number::parse(text).unwrap();
        let inner = Item::from([
            ("deep".into(), AttributeValue::L(vec![AttributeValue::S("x".into()), AttributeValue::Null])),
            ("empty".into(), AttributeValue::M(Item::new())),
        ]);
        Item::from([
            ("b".into(), AttributeValue::B(vec![0, 1, 255])),
            ("bool".into(), AttributeValue::Bool(true)),
            ("bs".into(), AttributeValue::Bs(vec![vec![], vec![1]])),
            ("l".into(), AttributeValue::L(vec![])),
            ("m".into(), AttributeValue::M(inner)),
            ("n".into(), AttributeValue::N(number("-12.5"))),
            ("ns".into(), AttributeValue::Ns(vec![number("1"), number("2")])),
            ("null".into(), AttributeValue::Null),
            ("s".into(), AttributeValue::S("text ü".into())),
            ("ss".into(), AttributeValue::Ss(vec!["a".into(), "b".into()])),
        ])
    }

    #[test]
    fn golden_bytes() {
        let item = Item::from([
            ("a".into(), AttributeValue::S("xy".into())),
            ("b".into(), AttributeValue::L(vec![AttributeValue::Bool(false)])),
        ]);
        let row = row(&ItemBody::encode(&item).view(), 0x0102);
        let expected = [
            &[0x01, 0x00, 0, 0, 0, 0, 0, 0, 0x01, 0x02][..], // version, codec, timestamp
            &[9, 0, 0, 0, 2, 0, 0, 0, 1],                    // billed, count, width
            &[6, 15],                                        // ends
            &[1, b'a', 0x01, 2, b'x', b'y'],
            &[1, b'b', 0x0A, 2, 0, 0, 0, 1, 0x04],
        ]
        .concat();
        assert_eq!(row, expected);
    }

    #[test]
    fn every_type_round_trips_as_tree_and_as_json() {
        let item = every_type();
        let row = row(&ItemBody::encode(&item).view(), 7);
        let stored = ItemRef::parse(&row).unwrap();
        assert_eq!(stored.to_item().unwrap(), item);
        assert_eq!((stored.timestamp(), stored.len()), (7, 10));
        assert_eq!(stored.billed_bytes(), item_bytes(&item));
        for (name, value) in &item {
            assert_eq!(stored.attribute(name).unwrap().as_ref(), Some(value));
        }
        assert_eq!(stored.attribute("absent").unwrap(), None);
        let (mut direct, mut by_tree) = (Vec::new(), Vec::new());
        stored.write_json(&mut JsonWriter::new(&mut direct)).unwrap();
        JsonWriter::new(&mut by_tree).item(&item);
        assert_eq!(String::from_utf8(direct), String::from_utf8(by_tree));
    }

    #[test]
    fn an_item_with_another_part_is_as_if_encoded_anew() {
        let old = every_type();
        let row = row(&ItemBody::encode(&old).view(), 1);
        let old_ref = ItemRef::parse(&row).unwrap();
        let mut all: Vec<&str> = old.keys().map(String::as_str).chain(["", "a", "mm", "zz"]).collect();
        all.sort_unstable();
        // Every choice of names; of the chosen ones a third goes, a third comes or changes, a third stays.
        for choice in 0..1_u32 << all.len() {
            let chosen = |at: &usize| choice & (1 << at) != 0;
            let names: Vec<&str> = (0..all.len()).filter(chosen).map(|at| all[at]).collect();
            let (mut whole, mut part) = (old.clone(), old_ref.part(&names).unwrap());
            for (at, name) in names.iter().enumerate() {
                let change = |item: &mut Item| match at % 3 {
                    0 => drop(item.remove(*name)),
                    1 => drop(item.insert((*name).to_owned(), AttributeValue::S("new".into()))),
                    _ => {}
                };
                change(&mut whole);
                change(&mut part);
            }
            let billed_bytes = item_bytes(&whole);
            let made = ItemBody::with_part(&old_ref, &names, &part, billed_bytes).unwrap();
            assert_eq!(made, ItemBody::encode(&whole), "{names:?}");
        }
    }

    #[test]
    fn offsets_widen_with_the_item() {
        for length in [0, 200, 300, 70_000] {
            let item =
                Item::from([("k".into(), AttributeValue::S("x".repeat(length))), ("z".into(), AttributeValue::Null)]);
            let row = row(&ItemBody::encode(&item).view(), 1);
            assert_eq!(ItemRef::parse(&row).unwrap().to_item().unwrap(), item);
            assert_eq!(ItemRef::parse(&row).unwrap().attribute("z").unwrap(), Some(AttributeValue::Null));
        }
    }

    #[test]
    fn nested_values_are_reached_without_a_tree() {
        let row = row(&ItemBody::encode(&every_type()).view(), 1);
        let stored = ItemRef::parse(&row).unwrap();
        let list = stored.get("m").unwrap().unwrap().get("deep").unwrap().unwrap();
        assert_eq!(list.at(1).unwrap().unwrap().to_value().unwrap(), AttributeValue::Null);
        assert!(list.at(2).unwrap().is_none());
        assert!(list.get("x").unwrap().is_none());
    }

    #[test]
    fn arbitrary_bytes_never_panic() {
        bolero::check!().with_iterations(20_000).for_each(|input: &[u8]| {
            let mut row = vec![FORMAT_VERSION, CODEC_PLAIN, 0, 0, 0, 0, 0, 0, 0, 0];
            row.extend_from_slice(input);
            for bytes in [input, &row] {
                if let Ok(stored) = ItemRef::parse(bytes) {
                    let _ = stored.to_item();
                    let _ = stored.attribute("a");
                    let _ = stored.write_json(&mut JsonWriter::new(&mut Vec::new()));
                }
            }
        });
    }

    #[test]
    fn damaged_rows_never_panic() {
        let row = row(&ItemBody::encode(&every_type()).view(), 1);
        for at in 0..row.len() {
            for flip in [1, 0x80, 0xFF] {
                let mut damaged = row.clone();
                damaged[at] ^= flip;
                if let Ok(stored) = ItemRef::parse(&damaged) {
                    let _ = stored.to_item();
                    let _ = stored.attribute("n");
                }
            }
        }
    }
}
