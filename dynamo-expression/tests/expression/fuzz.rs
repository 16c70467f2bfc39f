//! The parser on arbitrary texts: it answers, whatever it is given.

use std::collections::BTreeMap;

use dynamo_expression::partiql::Statement;
use dynamo_expression::{Condition, ExpressionError, ExpressionKind, Placeholders, Steps, Update};
use dynamo_protocol::number::Number;
use dynamo_protocol::value::{AttributeValue, Item};

fn parse_as_everything(text: &str) -> Vec<Result<(), ExpressionError>> {
    let placeholders = Placeholders::new(None, None);
    vec![
        placeholders.condition(ExpressionKind::Condition, text).map(drop),
        placeholders.key_condition(text).map(drop),
        placeholders.projection(text).map(drop),
        placeholders.update(text).map(drop),
    ]
}

#[test]
fn arbitrary_bytes() {
    bolero::check!().for_each(|bytes: &[u8]| {
        parse_as_everything(&String::from_utf8_lossy(bytes));
    });
}

/// Words of the grammar in a random order get further than random bytes. What is accepted can be evaluated, written
/// and read back.
#[test]
fn arbitrary_words() {
    const WORDS: &[&str] = &[
        "SET ",
        "REMOVE ",
        "ADD ",
        "DELETE ",
        " AND ",
        " OR ",
        "NOT ",
        " BETWEEN ",
        " IN ",
        "a",
        "b.c",
        "d[0]",
        "#n",
        ":v",
        "(",
        ")",
        ",",
        "=",
        "<>",
        "<",
        "+",
        "-",
        "size(",
        "contains(",
        "if_not_exists(",
        "list_append(",
        "!",
        "é",
        "attribute_exists(a)",
        "a = :v",
        "size(a) < :v",
        "SET a = :v",
        "REMOVE d[0]",
        "ADD e :v",
    ];
    let names = BTreeMap::from([("#n".to_owned(), "n".to_owned())]);
    let values = BTreeMap::from([(":v".to_owned(), AttributeValue::N(Number::from_u64(1)))]);
    let item = Item::from([
        ("a".to_owned(), AttributeValue::N(Number::from_u64(1))),
        ("d".to_owned(), AttributeValue::L(vec![AttributeValue::Null])),
    ]);
    bolero::check!().with_type::<Vec<u8>>().for_each(|choices| {
        let text: String = choices.iter().map(|choice| WORDS[usize::from(*choice) % WORDS.len()]).collect();
        let placeholders = Placeholders::new(Some(&names), Some(&values));
        let mut bytes = Vec::new();
        if let Ok(condition) = placeholders.condition(ExpressionKind::Filter, &text) {
            let _ = condition.eval(&item, &Steps::unlimited());
            condition.encode(&mut bytes);
            assert_eq!(Condition::decode(&mut bytes.as_slice()), Ok(condition));
        } else if let Ok(update) = placeholders.update(&text) {
            let _ = update.apply(&mut item.clone());
            update.encode(&mut bytes);
            assert_eq!(Update::decode(&mut bytes.as_slice()), Ok(update));
        } else {
            parse_as_everything(&text);
        }
    });
}

/// As deep as 4 KB of text can nest, on the small stack of a test thread.
#[test]
fn deep_nesting() {
    for (open, middle, close) in [
        ("(", "a = b", ")"),
        ("(", "a", ")"),
        ("NOT ", "a = b", ""),
        ("NOT (", "a = b", ")"),
        ("(a = b AND ", "a = b", ")"),
        ("size(", "a", ") > b"),
        ("SET a = (", "b", ")"),
        ("(", "", ""),
    ] {
        let levels = 4000 / (open.len() + close.len());
        let text = format!("{}{middle}{}", open.repeat(levels), close.repeat(levels));
        assert!(parse_as_everything(&text).iter().all(Result::is_err), "{text:.40}");
        let text = format!("SET a = {text}");
        assert!(parse_as_everything(&text).iter().all(Result::is_err), "{text:.40}");
    }
}

/// What is as deep as an expression may be is evaluated, written and read back, too.
#[test]
fn deepest_valid() {
    let levels = 148;
    let deep = format!("{}a <> b{}", "(b <> a AND ".repeat(levels), ")".repeat(levels));
    let negated = format!("{}a <> b", "NOT ".repeat(298));
    for text in [deep, negated] {
        let condition = Placeholders::new(None, None).condition(ExpressionKind::Filter, &text).unwrap();
        assert_eq!(condition.eval(&None::<Item>, &Steps::unlimited()), Ok(true));
        let mut bytes = Vec::new();
        condition.encode(&mut bytes);
        assert_eq!(Condition::decode(&mut bytes.as_slice()), Ok(condition));
    }
    let values = BTreeMap::from([(":v".to_owned(), AttributeValue::Null)]);
    let update = format!("SET a = {}:v{}", "if_not_exists(b, ".repeat(200), ")".repeat(200));
    let update = Placeholders::new(None, Some(&values)).update(&update).unwrap();
    let mut item = Item::new();
    update.apply(&mut item).unwrap();
    assert_eq!(item["a"], AttributeValue::Null);
}

/// Words of PartiQL in a random order: whatever is accepted has a canonical spelling that means the same.
#[test]
fn arbitrary_statements() {
    const WORDS: &[&str] = &[
        "SELECT ",
        "* ",
        "FROM ",
        "\"T\" ",
        "WHERE ",
        "a ",
        "b.\"c d\" ",
        "d[0] ",
        "= ",
        "<> ",
        "< ",
        "AND ",
        "OR ",
        "NOT ",
        "IN ",
        "[",
        "]",
        "(",
        ")",
        ", ",
        "'x''y' ",
        "1 ",
        "-2.50 ",
        "NULL ",
        "TRUE ",
        "MISSING ",
        "IS ",
        "BETWEEN ",
        "<<1>> ",
        "{'k': 1} ",
        "UPDATE ",
        "SET ",
        "REMOVE ",
        "DELETE ",
        "INSERT INTO ",
        "VALUE ",
        "RETURNING ALL OLD * ",
        "+ ",
        "- ",
        "size(a) ",
        "begins_with(a, 'x') ",
        "list_append(a, [1]) ",
        "set_add(a, <<1>>) ",
        "ORDER BY a ",
        "? ",
        "; ",
        "SELECT * FROM \"T\" WHERE ",
        "UPDATE \"T\" SET a = ",
        "DELETE FROM \"T\" WHERE a = 1 AND ",
    ];
    let parameters = vec![AttributeValue::Bool(true); 64];
    bolero::check!().with_type::<Vec<u8>>().for_each(|choices| {
        let text: String = choices.iter().map(|choice| WORDS[*choice as usize % WORDS.len()]).collect();
        let Ok(canonical) = Statement::canonical(&text) else { return };
        assert_eq!(Statement::canonical(&canonical).as_ref(), Ok(&canonical), "{text}");
        let parameters = &parameters[..parameters.len().min(text.matches('?').count())];
        // What is refused names the place in its own text, so that only what is accepted can be compared.
        let (given, printed) =
            (Statement::parse(&text, parameters).ok(), Statement::parse(&canonical, parameters).ok());
        assert_eq!(given, printed, "{text}");
    });
}

/// Deep nesting is refused before it can exhaust the stack.
#[test]
fn deep_statements() {
    for (open, close) in [("(", ")"), ("NOT ", ""), ("[", "]"), ("size(", ")"), ("a - ", "")] {
        let text = format!("SELECT * FROM T WHERE a = {}1{}", open.repeat(8000), close.repeat(8000));
        let with_not = format!("SELECT * FROM T WHERE {}a = 1{}", open.repeat(8000), close.repeat(8000));
        assert!(Statement::parse(&text, &[]).is_err());
        assert!(Statement::parse(&with_not, &[]).is_err());
    }
}
