//! Laws: the codec gives back what it was given, and evaluation agrees with a naive model.

use std::collections::BTreeMap;

use dynamo_expression::{ExpressionKind, Placeholders};
use dynamo_protocol::number::Number;
use dynamo_protocol::value::{AttributeValue, Item};
use proptest::prelude::*;

use dynamo_expression::{Condition, Projection, Steps, Update};

/// Values of a small world, so that equal and comparable ones meet often.
fn any_value() -> impl Strategy<Value = AttributeValue> {
    let scalar = prop_oneof![
        "[ab]{0,2}".prop_map(AttributeValue::S),
        (-2i64..3).prop_map(|number| AttributeValue::N(Number::from_i64(number))),
        proptest::collection::vec(0u8..2, 0..3).prop_map(AttributeValue::B),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null),
        proptest::collection::btree_set("[ab]", 1..3)
            .prop_map(|members| AttributeValue::Ss(members.into_iter().collect())),
        proptest::collection::btree_set(0i64..3, 1..3)
            .prop_map(|members| AttributeValue::Ns(members.into_iter().map(Number::from_i64).collect())),
    ];
    scalar.prop_recursive(2, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(AttributeValue::L),
            proptest::collection::btree_map("[ab]", inner, 0..3).prop_map(AttributeValue::M),
        ]
    })
}

fn any_item() -> impl Strategy<Value = Item> {
    proptest::collection::btree_map("[abc]", any_value(), 0..4)
}

fn any_path() -> impl Strategy<Value = String> {
    "[abc](\\.[ab]|\\[[0-3]\\]){0,2}"
}

/// A condition as text over the values `:x`, `:y`, together with its naive meaning.
#[derive(Clone, Debug)]
enum Model {
    Compare(&'static str, String, String),
    Exists(String),
    BeginsWith(String, String),
    Contains(String, String),
    Not(Box<Model>),
    And(Box<Model>, Box<Model>),
    Or(Box<Model>, Box<Model>),
}

fn any_model() -> impl Strategy<Value = Model> {
    let leaf = prop_oneof![
        (prop_oneof![Just("="), Just("<>")], any_path(), prop_oneof![Just(":x"), Just(":y")])
            .prop_map(|(operator, path, value)| Model::Compare(operator, path, value.to_owned())),
        (prop_oneof![Just("<"), Just("<="), Just(">"), Just(">=")], any_path())
            .prop_map(|(operator, path)| Model::Compare(operator, path, ":n".to_owned())),
        any_path().prop_map(Model::Exists),
        any_path().prop_map(|path| Model::BeginsWith(path, ":s".to_owned())),
        any_path().prop_map(|path| Model::Contains(path, ":x".to_owned())),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| Model::Not(Box::new(one))),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| Model::And(Box::new(one), Box::new(two))),
            (inner.clone(), inner).prop_map(|(one, two)| Model::Or(Box::new(one), Box::new(two))),
        ]
    })
}

impl Model {
    fn text(&self) -> String {
        match self {
            Model::Compare(operator, left, right) => format!("{left} {operator} {right}"),
            Model::Exists(path) => format!("attribute_exists({path})"),
            Model::BeginsWith(path, value) => format!("begins_with({path}, {value})"),
            Model::Contains(path, value) => format!("contains({path}, {value})"),
            Model::Not(one) => format!("NOT ({})", one.text()),
            Model::And(one, two) => format!("({}) AND ({})", one.text(), two.text()),
            Model::Or(one, two) => format!("({}) or ({})", one.text(), two.text()),
        }
    }

    fn holds(&self, item: &Item, values: &BTreeMap<String, AttributeValue>) -> bool {
        let values = |name: &String| values.get(name).expect("the values of the test").clone();
        match self {
            Model::Compare(operator, left, right) => {
                let left = naive_find(item, left);
                let right = Some(values(right));
                let rank = naive_rank(left.as_ref(), right.as_ref());
                match *operator {
                    "=" => left == right,
                    "<>" => left != right,
                    "<" => rank == Some(-1),
                    "<=" => matches!(rank, Some(-1 | 0)),
                    ">" => rank == Some(1),
                    _ => matches!(rank, Some(0 | 1)),
                }
            }
            Model::Exists(path) => naive_find(item, path).is_some(),
            Model::BeginsWith(path, value) => match (naive_find(item, path), values(value)) {
                (Some(AttributeValue::S(text)), AttributeValue::S(prefix)) => {
                    text.len() >= prefix.len() && text[..prefix.len()] == prefix
                }
                _ => false,
            },
            Model::Contains(path, value) => match (naive_find(item, path), values(value)) {
                (Some(AttributeValue::L(elements)), part) => elements.contains(&part),
                (Some(AttributeValue::S(text)), AttributeValue::S(part)) => text.contains(&part),
                (Some(AttributeValue::Ss(members)), AttributeValue::S(part)) => members.contains(&part),
                (Some(AttributeValue::Ns(members)), AttributeValue::N(part)) => members.contains(&part),
                (Some(AttributeValue::B(bytes)), AttributeValue::B(part)) => {
                    (0..=bytes.len()).any(|start| bytes[start..].starts_with(&part))
                }
                _ => false,
            },
            Model::Not(one) => !one.holds(item, &self.clone_values(values)),
            Model::And(one, two) => {
                let all = self.clone_values(values);
                one.holds(item, &all) && two.holds(item, &all)
            }
            Model::Or(one, two) => {
                let all = self.clone_values(values);
                one.holds(item, &all) || two.holds(item, &all)
            }
        }
    }

    fn clone_values(&self, values: impl Fn(&String) -> AttributeValue) -> BTreeMap<String, AttributeValue> {
        [":x", ":y", ":n", ":s"].into_iter().map(|name| (name.to_owned(), values(&name.to_owned()))).collect()
    }
}

/// Walks a path by its text, piece by piece.
fn naive_find(item: &Item, path: &str) -> Option<AttributeValue> {
    let spaced = path.replace('[', ".#").replace(']', "");
    let mut current = AttributeValue::M(item.clone());
    for piece in spaced.split('.') {
        current = match (current, piece.strip_prefix('#')) {
            (AttributeValue::L(elements), Some(index)) => elements.get(index.parse::<usize>().unwrap())?.clone(),
            (AttributeValue::M(members), None) => members.get(piece)?.clone(),
            _ => return None,
        };
    }
    Some(current)
}

/// The value after `SET path = new` (or `REMOVE path`), made anew from the top; nothing where the path leads nowhere.
fn naive_change(
    value: Option<AttributeValue>,
    pieces: &[&str],
    new: &Option<AttributeValue>,
) -> Option<AttributeValue> {
    let (piece, below) = pieces.split_first()?;
    let last = below.is_empty();
    match (value?, piece.strip_prefix('#')) {
        (AttributeValue::M(mut members), None) => {
            let old = members.remove(*piece);
            let next = if last { new.clone() } else { Some(naive_change(old, below, new)?) };
            members.extend(next.map(|next| ((*piece).to_owned(), next)));
            Some(AttributeValue::M(members))
        }
        (AttributeValue::L(mut elements), Some(index)) => {
            let index = index.parse::<usize>().unwrap().min(elements.len());
            let old = (index < elements.len()).then(|| elements.remove(index));
            let next = if last { new.clone() } else { Some(naive_change(old, below, new)?) };
            let tail = elements.split_off(index);
            elements.extend(next);
            elements.extend(tail);
            Some(AttributeValue::L(elements))
        }
        _ => None,
    }
}

fn naive_rank(left: Option<&AttributeValue>, right: Option<&AttributeValue>) -> Option<i32> {
    let rank = match (left?, right?) {
        (AttributeValue::S(left), AttributeValue::S(right)) => left.bytes().cmp(right.bytes()),
        (AttributeValue::N(left), AttributeValue::N(right)) => left.to_i64().cmp(&right.to_i64()),
        (AttributeValue::B(left), AttributeValue::B(right)) => left.cmp(right),
        _ => return None,
    };
    Some(rank as i32)
}

fn round_trip<T: PartialEq + std::fmt::Debug>(
    thing: &T,
    encode: impl Fn(&T, &mut Vec<u8>),
    decode: impl Fn(&mut &[u8]) -> Result<T, dynamo_expression::DecodeError>,
) {
    let mut bytes = Vec::new();
    encode(thing, &mut bytes);
    let mut rest = bytes.as_slice();
    assert_eq!(decode(&mut rest).as_ref(), Ok(thing));
    assert!(rest.is_empty());
    for end in 0..bytes.len() {
        assert!(decode(&mut &bytes[..end]).is_err(), "a prefix of {end} bytes was accepted");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn conditions_mean_what_the_model_says(
        model in any_model(), item in any_item(), x in any_value(), y in any_value(), n in -2i64..3, s in "[ab]{0,2}"
    ) {
        let values = BTreeMap::from([
            (":x".to_owned(), x),
            (":y".to_owned(), y),
            (":n".to_owned(), AttributeValue::N(Number::from_i64(n))),
            (":s".to_owned(), AttributeValue::S(s)),
        ]);
        let text = model.text();
        let condition = Placeholders::new(None, Some(&values)).condition(ExpressionKind::Filter, &text).unwrap();
        prop_assert_eq!(condition.eval(&item, &Steps::unlimited()), Ok(model.holds(&item, &values)), "{}", text);
        round_trip(&condition, Condition::encode, Condition::decode);
    }

    #[test]
    fn a_projection_gives_what_its_paths_lead_to(item in any_item(), path in any_path()) {
        let projection = Placeholders::new(None, None).projection(&path).unwrap();
        let projected = projection.project(&item, &Steps::unlimited()).unwrap();
        // Under the projection, the value stands at the same path with every index made 0.
        let closed_up = path.replace(['1', '2', '3'], "0");
        prop_assert_eq!(naive_find(&projected, &closed_up), naive_find(&item, &path));
        round_trip(&projection, Projection::encode, Projection::decode);
    }

    #[test]
    fn updates_do_one_after_the_other_what_they_do_at_once(item in any_item(), x in any_value(), n in -2i64..3) {
        // Actions on different top-level attributes do not see each other.
        let values = BTreeMap::from([
            (":x".to_owned(), x),
            (":n".to_owned(), AttributeValue::N(Number::from_i64(n))),
        ]);
        let placeholders = Placeholders::new(None, Some(&values));
        let actions = ["SET a = :x", "REMOVE b", "ADD d :n", "SET e = if_not_exists(e, :x)"];
        let together = placeholders.update("SET a = :x, e = if_not_exists(e, :x) REMOVE b ADD d :n").unwrap();
        let mut at_once = item.clone();
        together.apply(&mut at_once).unwrap();
        let mut in_turn = item.clone();
        for action in actions {
            placeholders.update(action).unwrap().apply(&mut in_turn).unwrap();
        }
        prop_assert_eq!(at_once, in_turn);
        round_trip(&together, Update::encode, Update::decode);
    }

    #[test]
    fn one_change_is_what_the_model_makes_anew(item in any_item(), path in any_path(), x in any_value()) {
        let values = BTreeMap::from([(":x".to_owned(), x.clone())]);
        let spaced = path.replace('[', ".#").replace(']', "");
        let pieces: Vec<&str> = spaced.split('.').collect();
        for (text, new) in [(format!("SET {path} = :x"), Some(x)), (format!("REMOVE {path}"), None)] {
            let update = Placeholders::new(None, Some(&values)).update(&text).unwrap();
            let mut changed = item.clone();
            let result = update.apply(&mut changed).map(|()| AttributeValue::M(changed)).ok();
            prop_assert_eq!(result, naive_change(Some(AttributeValue::M(item.clone())), &pieces, &new), "{}", text);
            round_trip(&update, Update::encode, Update::decode);
        }
    }

    #[test]
    fn removing_elements_keeps_the_others(list in proptest::collection::vec(any_value(), 0..6), gone in proptest::collection::btree_set(0usize..8, 1..4)) {
        let indexes: Vec<String> = gone.iter().map(|index| format!("l[{index}]")).collect();
        let update = Placeholders::new(None, None).update(&format!("REMOVE {}", indexes.join(", "))).unwrap();
        let mut item = Item::from([("l".to_owned(), AttributeValue::L(list.clone()))]);
        update.apply(&mut item).unwrap();
        let kept: Vec<_> = list.into_iter().enumerate().filter(|(i, _)| !gone.contains(i)).map(|(_, v)| v).collect();
        prop_assert_eq!(item.get("l"), Some(&AttributeValue::L(kept)));
    }

    #[test]
    fn decoding_arbitrary_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Condition::decode(&mut bytes.as_slice());
        let _ = Projection::decode(&mut bytes.as_slice());
        if let Ok(update) = Update::decode(&mut bytes.as_slice()) {
            let _ = update.apply(&mut Item::new());
        }
    }
}
