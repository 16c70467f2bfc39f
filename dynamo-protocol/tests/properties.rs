//! Laws of numbers, of the binary codec and of JSON, on random values.

use std::cmp::Ordering;

use dynamo_protocol::binary;
use dynamo_protocol::json::JsonWriter;
use dynamo_protocol::number::{Number, NumberError, TEXT_ROOM, write_ordered_text};
use dynamo_protocol::ops::PutItemInput;
use dynamo_protocol::size;
use dynamo_protocol::stored::ItemBody;
use dynamo_protocol::value::{AttributeValue, Item};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

/// The naive model: a decimal as sign and digits around a fixed point far enough away for every number and sum.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Naive {
    negative: bool,
    /// Lowest digit first; place `i` is worth 10^(i - 260).
    digits: Vec<u8>,
}

const PLACES: usize = 520;
const POINT: i32 = 260;

impl Naive {
    fn new(negative: bool, digits: &[u8], exponent: i32) -> Naive {
        let mut places = vec![0; PLACES];
        for (position, digit) in digits.iter().rev().enumerate() {
            places[(POINT + exponent) as usize + position] = *digit;
        }
        let negative = negative && places.iter().any(|&digit| digit != 0);
        Naive { negative, digits: places }
    }

    fn cmp_size(&self, other: &Naive) -> Ordering {
        self.digits.iter().rev().cmp(other.digits.iter().rev())
    }

    fn cmp(&self, other: &Naive) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.cmp_size(other),
            (true, true) => other.cmp_size(self),
        }
    }

    fn add(&self, other: &Naive) -> Naive {
        let mut digits = vec![0u8; PLACES];
        if self.negative == other.negative {
            let mut carry = 0;
            for (place, digit) in digits.iter_mut().enumerate() {
                let sum = self.digits[place] + other.digits[place] + carry;
                *digit = sum % 10;
                carry = sum / 10;
            }
            return Naive { negative: self.negative, digits };
        }
        let (large, small) = if self.cmp_size(other) == Ordering::Less { (other, self) } else { (self, other) };
        let mut borrow = 0i8;
        for (place, digit) in digits.iter_mut().enumerate() {
            let difference = large.digits[place] as i8 - small.digits[place] as i8 - borrow;
            borrow = i8::from(difference < 0);
            *digit = (difference + 10 * borrow) as u8;
        }
        let negative = large.negative && digits.iter().any(|&digit| digit != 0);
        Naive { negative, digits }
    }

    /// The canonical text, or why there is none.
    fn text(&self) -> Result<String, NumberError> {
        let first = self.digits.iter().rposition(|&digit| digit != 0);
        let last = self.digits.iter().position(|&digit| digit != 0);
        let (Some(first), Some(last)) = (first, last) else { return Ok("0".into()) };
        if first as i32 - POINT > 125 {
            return Err(NumberError::Overflow);
        }
        if (first as i32 - POINT) < -130 {
            return Err(NumberError::Underflow);
        }
        if first - last + 1 > 38 {
            return Err(NumberError::TooManyDigits);
        }
        let top = first.max(POINT as usize);
        let bottom = last.min(POINT as usize);
        let mut text = String::from(if self.negative { "-" } else { "" });
        for place in (bottom..=top).rev() {
            text.push((b'0' + self.digits[place]) as char);
            if place == POINT as usize && bottom < place {
                text.push('.');
            }
        }
        Ok(text)
    }
}

/// A written number with its naive value: digits, a point somewhere, an exponent.
fn written() -> impl Strategy<Value = (String, Naive)> {
    (any::<bool>(), vec(0u8..10, 1..42), 0usize..42, prop_oneof![-8i32..8, -135i32..130]).prop_map(
        |(negative, digits, fraction, exponent)| {
            let fraction = fraction.min(digits.len() - 1);
            let text: String = digits.iter().map(|digit| (b'0' + digit) as char).collect();
            let (whole, rest) = text.split_at(text.len() - fraction);
            let sign = if negative { "-" } else { "" };
            let point = if fraction > 0 { "." } else { "" };
            let shown = format!("{sign}{whole}{point}{rest}e{exponent}");
            (shown, Naive::new(negative, &digits, exponent - fraction as i32))
        },
    )
}

fn number() -> impl Strategy<Value = Number> {
    written().prop_filter_map("in range", |(text, _)| Number::parse(&text).ok())
}

fn value() -> impl Strategy<Value = AttributeValue> {
    let text = prop_oneof!["[a-z\"\\\\\u{0}-\u{1f}é😀]{0,12}", "[a-z]{0,40}"];
    let bytes = vec(any::<u8>(), 0..10);
    let leaf = prop_oneof![
        text.clone().prop_map(AttributeValue::S),
        number().prop_map(AttributeValue::N),
        bytes.clone().prop_map(AttributeValue::B),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null),
        btree_set(text, 1..4).prop_map(|set| AttributeValue::Ss(set.into_iter().collect())),
        btree_set(number(), 1..4).prop_map(|set| AttributeValue::Ns(set.into_iter().collect())),
        btree_set(bytes, 1..4).prop_map(|set| AttributeValue::Bs(set.into_iter().collect())),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(AttributeValue::L),
            btree_map("[a-z.# \"]{1,5}", inner, 0..4).prop_map(AttributeValue::M),
        ]
    })
}

fn item() -> impl Strategy<Value = Item> {
    btree_map("[a-z\\\\]{1,6}", value(), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn parsing_agrees_with_the_naive_decimal((text, naive) in written()) {
        let zero = naive.digits.iter().all(|&digit| digit == 0);
        // A written zero is held to the range by its exponent; the naive value has forgotten it.
        prop_assume!(!zero);
        prop_assert_eq!(Number::parse(&text).map(|number| number.to_string()), naive.text());
    }

    #[test]
    fn canonical_text_reads_back(number in number()) {
        prop_assert_eq!(Number::parse(&number.to_string()), Ok(number));
        let (mut bytes, mut text) = (Vec::new(), [0; TEXT_ROOM]);
        number.encode_ordered(&mut bytes);
        bytes.push(0);
        let expected = number.to_string();
        let (length, read) = write_ordered_text(&bytes, &mut text).expect("a number");
        prop_assert_eq!((length.get(), read), (expected.len(), bytes.len() - 1));
        prop_assert_eq!(&text[..expected.len()], expected.as_bytes());
    }

    #[test]
    fn sums_agree_with_the_naive_decimal((left, left_naive) in written(), (right, right_naive) in written()) {
        let (Ok(left), Ok(right)) = (Number::parse(&left), Number::parse(&right)) else { return Ok(()) };
        let sum = left.checked_add(&right).map(|sum| sum.to_string());
        let naive = left_naive.add(&right_naive).text();
        // Overflow and too many digits may both hold; which one is said then is not part of the law.
        prop_assert_eq!(sum.is_ok(), naive.is_ok(), "{} + {}", left, right);
        if sum.is_ok() {
            prop_assert_eq!(sum, naive);
        }
        prop_assert_eq!(left.checked_sub(&left), Ok(Number::ZERO));
    }

    #[test]
    fn order_is_numeric_in_values_and_bytes((left, left_naive) in written(), (right, right_naive) in written()) {
        let (Ok(left), Ok(right)) = (Number::parse(&left), Number::parse(&right)) else { return Ok(()) };
        let expected = left_naive.cmp(&right_naive);
        prop_assert_eq!(left.cmp(&right), expected);
        let bytes = |number: &Number| {
            let mut out = Vec::new();
            number.encode_ordered(&mut out);
            out
        };
        prop_assert_eq!(bytes(&left).cmp(&bytes(&right)), expected);
        let mut followed = bytes(&left);
        followed.extend_from_slice(b"rest");
        prop_assert_eq!(Number::decode_ordered(&followed), Some((left, &b"rest"[..])));
    }

    #[test]
    fn values_survive_the_binary_codec(item in item()) {
        let mut bytes = Vec::new();
        binary::encode_item(&item, &mut bytes);
        let mut rest = &bytes[..];
        prop_assert_eq!(binary::decode_item(&mut rest), Ok(item));
        prop_assert!(rest.is_empty());
        for end in 0..bytes.len() {
            prop_assert!(binary::decode_item(&mut &bytes[..end]).is_err());
        }
    }

    #[test]
    fn values_survive_json(item in item()) {
        let mut body = Vec::new();
        JsonWriter::new(&mut body).begin_object().key("TableName").str("abc").key("Item").item(&item).end_object();
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
        let input = PutItemInput::from_json(&body);
        prop_assert_eq!(input.map(|input| input.item), Ok(ItemBody::encode(&item)));
    }

    #[test]
    fn a_stored_item_is_written_as_its_tree(item in item()) {
        let (mut stored, mut tree) = (Vec::new(), Vec::new());
        let body = ItemBody::encode(&item);
        body.view().write_json(&mut JsonWriter::new(&mut stored)).unwrap();
        JsonWriter::new(&mut tree).item(&item);
        for (name, value) in &item {
            let one = body.view().get(name).unwrap().expect("the item has it");
            one.write_json(&mut JsonWriter::new(&mut stored)).unwrap();
            JsonWriter::new(&mut tree).attribute_value(value);
        }
        prop_assert_eq!(String::from_utf8(stored), String::from_utf8(tree));
    }

    #[test]
    fn levels_are_one_more_than_those_inside(value in value()) {
        let levels = size::levels(&value);
        prop_assert_eq!(size::levels(&AttributeValue::L(vec![value])), levels + 1);
    }
}

#[test]
fn hostile_bytes_are_refused() {
    bolero::check!().with_iterations(5000).for_each(|bytes: &[u8]| {
        let mut rest = bytes;
        if let Ok(value) = binary::decode_value(&mut rest) {
            let mut again = Vec::new();
            binary::encode_value(&value, &mut again);
            assert_eq!(again, bytes[..bytes.len() - rest.len()], "what is read has one spelling");
        }
        let mut text = [0; TEXT_ROOM];
        match (Number::decode_ordered(bytes), write_ordered_text(bytes, &mut text)) {
            (Some((number, rest)), Some((length, read))) => {
                assert_eq!((number.to_string().as_bytes(), rest), (&text[..length.get()], &bytes[read..]));
            }
            (number, text) => assert!(number.is_none() && text.is_none(), "{bytes:?}: {number:?}, {text:?}"),
        }
        let _ = PutItemInput::from_json(bytes);
    });
}

#[test]
fn golden_bytes() {
    let mut entries = Item::new();
    entries.insert("k".into(), AttributeValue::Bool(true));
    let value = AttributeValue::L(vec![
        "ab".into(),
        AttributeValue::N(Number::parse("-1").unwrap()),
        AttributeValue::B(vec![9]),
        AttributeValue::Null,
        AttributeValue::Ss(vec!["x".into()]),
        AttributeValue::Ns(vec![Number::ZERO]),
        AttributeValue::Bs(vec![vec![]]),
        AttributeValue::M(entries),
    ]);
    let mut bytes = Vec::new();
    binary::encode_value(&value, &mut bytes);
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex.join(" "),
        "0a 08 01 02 61 62 02 01 7d f4 ff 03 01 09 06 07 01 01 78 08 01 02 09 01 00 0b 01 01 6b 05"
    );
}
