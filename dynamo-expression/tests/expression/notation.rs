//! A short notation for values, so that scripts stay readable.
//!
//! ```text
//! 'text'  12.5  0x0aff  true  false  null  <'a' 'b'>  <1 2>  <0x0a>  ['a', 1]  {a: 'x', 'b.c': 1}
//! ```

use dynamo_protocol::number::Number;
use dynamo_protocol::value::{AttributeValue, Item};

/// Reads one value at the beginning of a text and gives the rest.
pub fn value(text: &str) -> (AttributeValue, &str) {
    let text = text.trim_start();
    let first = text.chars().next().expect("a value");
    match first {
        '\'' => {
            let (content, rest) = quoted(text);
            (AttributeValue::S(content), rest)
        }
        '[' => {
            let mut elements = Vec::new();
            let rest = sequence(&text[1..], ']', |text| {
                let (element, rest) = value(text);
                elements.push(element);
                rest
            });
            (AttributeValue::L(elements), rest)
        }
        '{' => {
            let (members, rest) = item(text);
            (AttributeValue::M(members), rest)
        }
        '<' => {
            let mut members = Vec::new();
            let rest = sequence(&text[1..], '>', |text| {
                let (member, rest) = value(text);
                members.push(member);
                rest
            });
            (set(members), rest)
        }
        _ => {
            let end = text.find(|c: char| !c.is_alphanumeric() && !"+-._".contains(c)).unwrap_or(text.len());
            (word(&text[..end]), &text[end..])
        }
    }
}

/// Reads an item.
pub fn item(text: &str) -> (Item, &str) {
    let text = text.trim_start().strip_prefix('{').expect("an item begins with a brace");
    let mut members = Item::new();
    let rest = sequence(text, '}', |text| {
        let (name, rest) = if text.starts_with('\'') {
            quoted(text)
        } else {
            let end = text.find([':', ' ']).expect("a name ends with a colon");
            (text[..end].to_owned(), &text[end..])
        };
        let rest = rest.trim_start().strip_prefix(':').expect("a colon after a name");
        let (member, rest) = value(rest);
        members.insert(name, member);
        rest
    });
    (members, rest)
}

fn sequence<'t>(mut text: &'t str, close: char, mut one: impl FnMut(&'t str) -> &'t str) -> &'t str {
    loop {
        text = text.trim_start_matches([' ', ',']);
        if let Some(rest) = text.strip_prefix(close) {
            return rest;
        }
        text = one(text);
    }
}

fn quoted(text: &str) -> (String, &str) {
    let end = text[1..].find('\'').expect("a closing quote") + 1;
    (text[1..end].to_owned(), &text[end + 1..])
}

fn word(word: &str) -> AttributeValue {
    match word {
        "true" => AttributeValue::Bool(true),
        "false" => AttributeValue::Bool(false),
        "null" => AttributeValue::Null,
        _ => match word.strip_prefix("0x") {
            Some(hex) => AttributeValue::B(
                (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex")).collect(),
            ),
            None => AttributeValue::N(Number::parse(word).expect("a number")),
        },
    }
}

fn set(members: Vec<AttributeValue>) -> AttributeValue {
    let mut strings = Vec::new();
    let mut numbers = Vec::new();
    let mut binaries = Vec::new();
    for member in members {
        match member {
            AttributeValue::S(text) => strings.push(text),
            AttributeValue::N(number) => numbers.push(number),
            AttributeValue::B(bytes) => binaries.push(bytes),
            other => panic!("{other:?} in a set"),
        }
    }
    strings.sort();
    numbers.sort();
    binaries.sort();
    if !numbers.is_empty() {
        AttributeValue::Ns(numbers)
    } else if !binaries.is_empty() {
        AttributeValue::Bs(binaries)
    } else {
        AttributeValue::Ss(strings)
    }
}
