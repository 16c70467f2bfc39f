//! What expressions cost, counted: steps, bytes allocated, bytes for the log. Each case is the worst of its kind that was
//! found, and its bound is a small multiple of what came in.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use dynamo_expression::{Condition, ExpressionKind, ITEM_TO_UPDATE_TOO_LARGE, OutOfSteps, Placeholders, Steps, Update};
use dynamo_protocol::value::{AttributeValue, Item};

/// The system's allocator, counting bytes per thread.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    ALLOCATED.with(|allocated| allocated.set(allocated.get() + bytes));
}

// SAFETY: every call is passed on unchanged to the system's allocator; the counter itself allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System.alloc` with this layout, as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.saturating_sub(layout.size()));
        // SAFETY: as for the others.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` allocates in all, freed or not.
fn allocated<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATED.with(Cell::get);
    let result = work();
    (result, ALLOCATED.with(Cell::get) - before)
}

const KB: usize = 1024;
const MB: usize = 1024 * KB;

fn text(bytes: usize) -> AttributeValue {
    AttributeValue::S("a".repeat(bytes))
}

fn values(given: &[(&str, AttributeValue)]) -> BTreeMap<String, AttributeValue> {
    given.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

/// As many repetitions as an expression of 4 KB takes, numbered.
fn repeated(prefix: &str, count: usize, separator: &str, one: impl Fn(usize) -> String) -> String {
    let parts: Vec<String> = (0..count).map(one).collect();
    let text = format!("{prefix}{}", parts.join(separator));
    assert!(text.len() <= 4096, "{} bytes", text.len());
    text
}

#[test]
fn a_value_that_is_used_often_is_copied_and_written_once() {
    let values = values(&[(":v", text(800 * KB)), (":w", text(40))]);
    let expression = repeated("", 147, " OR ", |_| "contains(:v,:w)".to_owned());
    let placeholders = Placeholders::new(None, Some(&values));
    let (condition, bytes) = allocated(|| placeholders.condition(ExpressionKind::Condition, &expression).unwrap());
    assert!(bytes < 2 * MB, "{bytes} bytes allocated");
    let mut encoded = Vec::new();
    condition.encode(&mut encoded);
    assert!(encoded.len() < 802 * KB, "{} bytes for the log", encoded.len());
    let (decoded, bytes) = allocated(|| Condition::decode(&mut encoded.as_slice()).unwrap());
    assert!(bytes < 2 * MB, "{bytes} bytes allocated");
    assert_eq!(decoded, condition);
    let mut again = Vec::new();
    decoded.encode(&mut again);
    assert!(again == encoded, "what was read is written the same");
}

#[test]
fn a_name_that_is_used_often_is_copied_and_written_once() {
    let names = BTreeMap::from([("#n".to_owned(), "n".repeat(65_535))]);
    let values = values(&[(":v", text(800 * KB))]);
    let placeholders = Placeholders::new(Some(&names), Some(&values));
    let expression = repeated("SET ", 290, ",", |at| format!("#n.a{at}=:v"));
    let (update, bytes) = allocated(|| placeholders.update(&expression).unwrap());
    assert!(bytes < 2 * MB, "{bytes} bytes allocated");
    let mut encoded = Vec::new();
    update.encode(&mut encoded);
    assert!(encoded.len() < 900 * KB, "{} bytes for the log", encoded.len());
    assert_eq!(Update::decode(&mut encoded.as_slice()), Ok(update));

    let expression = repeated("", 500, ",", |at| format!("#n.a{at}"));
    let (projection, bytes) = allocated(|| placeholders.projection(&expression).unwrap());
    assert_eq!(projection.paths().len(), 500);
    assert!(bytes < MB, "{bytes} bytes allocated");
    let overlapping = repeated("", 1000, ",", |at| if at == 0 { "#n.z" } else { "#n" }.to_owned());
    let (error, bytes) = allocated(|| placeholders.projection(&overlapping).unwrap_err());
    assert!(error.to_string().contains("Two document paths overlap"), "{error}");
    assert!(bytes < 2 * MB, "{bytes} bytes allocated");
}

#[test]
fn searching_is_linear_in_what_is_searched() {
    let haystack = AttributeValue::B(vec![b'a'; 200 * KB]);
    let mut needle = vec![b'a'; 100 * KB];
    needle[50 * KB] = b'b';
    let values = values(&[(":needle", AttributeValue::B(needle))]);
    let item = Item::from([("h".to_owned(), haystack)]);
    let condition = Placeholders::new(None, Some(&values));
    let condition = condition.condition(ExpressionKind::Filter, "contains(h, :needle)").unwrap();
    let steps = Steps::new(u64::MAX);
    assert_eq!(condition.eval(&item, &steps), Ok(false));
    let spent = u64::MAX - steps.left();
    assert!((300_000..320_000).contains(&spent), "{spent} steps");
}

/// Every operator and function counts what it looks at, and none copies it.
#[test]
fn values_read_are_counted_and_not_copied() {
    let long = "a".repeat(400 * KB);
    let list = AttributeValue::L(vec![AttributeValue::Null; 100_000]);
    let set = AttributeValue::Ss((0..20_000).map(|at| format!("{at:08}")).collect());
    let item = Item::from([
        ("s".to_owned(), AttributeValue::S(long.clone())),
        ("t".to_owned(), AttributeValue::S(long.clone())),
        ("l".to_owned(), list.clone()),
        ("k".to_owned(), list.clone()),
        ("e".to_owned(), set.clone()),
    ]);
    let values = values(&[(":s", AttributeValue::S(long)), (":l", list), (":e", set), (":x", "x".into())]);
    for (expression, at_least) in [
        ("s = :s", 400 * KB / 8),
        ("s <> t", 400 * KB / 8),
        ("s <= :s", 400 * KB / 8),
        ("s BETWEEN t AND :s", 2 * 400 * KB / 8),
        ("s IN (:x, :s)", 400 * KB / 8),
        ("begins_with(s, :s)", 400 * KB / 8),
        ("contains(s, :x)", 400 * KB),
        ("contains(l, :x)", 200_000),
        ("l = k", 200_000),
        ("e = :e", 160_000),
        ("size(s) > size(l)", 400 * KB),
    ] {
        let placeholders = Placeholders::new(None, Some(&values));
        let condition = placeholders.condition(ExpressionKind::Filter, expression).unwrap();
        let steps = Steps::new(u64::MAX);
        let (holds, bytes) = allocated(|| condition.eval(&item, &steps));
        holds.unwrap();
        assert!(bytes < 8 * KB, "{expression}: {bytes} bytes allocated");
        let spent = u64::MAX - steps.left();
        assert!(spent >= at_least as u64, "{expression}: {spent} steps");
        assert!(spent <= 10 * at_least as u64, "{expression}: {spent} steps");
        let too_few = Steps::new(spent - 1);
        assert_eq!(condition.eval(&item, &too_few), Err(OutOfSteps), "{expression}");
    }
}

#[test]
fn an_update_is_weighed_before_values_are_made() {
    let list = AttributeValue::L(vec![AttributeValue::Null; 100_000]);
    let item = Item::from([("v".to_owned(), list.clone()), ("w".to_owned(), text(390 * KB))]);
    let members = AttributeValue::Ss((0..100_000).map(|at| format!("{at:08}")).collect());
    let values = values(&[(":v", list), (":w", text(900 * KB)), (":e", members)]);
    for expression in [
        repeated("SET ", 140, ", ", |at| format!("a{at} = list_append(v, v)")),
        repeated("SET ", 140, ", ", |at| format!("a{at} = list_append(v, :v)")),
        repeated("SET ", 250, ", ", |at| format!("a{at} = w")),
        repeated("SET ", 250, ", ", |at| format!("a{at} = :w")),
        repeated("SET ", 100, ", ", |at| format!("a{at} = if_not_exists(x, w)")),
        repeated("ADD ", 250, ", ", |at| format!("a{at} :e")),
    ] {
        let update = Placeholders::new(None, Some(&values)).update(&expression).unwrap();
        let mut changed = item.clone();
        let (result, bytes) = allocated(|| update.apply(&mut changed));
        assert_eq!(result.unwrap_err().to_string(), ITEM_TO_UPDATE_TOO_LARGE, "{expression}");
        assert!(bytes < 100 * KB, "{bytes} bytes allocated: {expression}");
        assert!(changed == item, "a refused update leaves the item as it was");
    }
}

#[test]
fn a_mistake_comes_before_the_size() {
    let item = Item::from([("v".to_owned(), text(390 * KB))]);
    for (expression, expected) in [
        ("SET a = v, b = v, c = nope", "refers to an attribute that does not exist"),
        ("SET a = v, b = v, c.d = v", "document path provided in the update expression is invalid"),
    ] {
        let update = Placeholders::new(None, None).update(expression).unwrap();
        let error = update.apply(&mut item.clone()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn removing_many_elements_of_a_long_list_keeps_the_others() {
    let elements: Vec<AttributeValue> = (0..200_000).map(|at| AttributeValue::Bool(at % 2 == 0)).collect();
    let mut item = Item::from([("l".to_owned(), AttributeValue::L(elements.clone()))]);
    let expression = repeated("REMOVE ", 450, ",", |at| format!("l[{}]", 2 * at));
    Placeholders::new(None, None).update(&expression).unwrap().apply(&mut item).unwrap();
    let kept = elements.iter().enumerate().filter(|(at, _)| *at >= 900 || at % 2 == 1);
    let expected = AttributeValue::L(kept.map(|(_, element)| element.clone()).collect());
    assert!(item["l"] == expected);
}

/// Words that the search puts together, each with what it adds to a request beyond its own letters.
const WORDS: &[&str] = &[
    "contains(",
    "begins_with(",
    "size(",
    "attribute_type(",
    "attribute_exists(",
    "NOT ",
    " AND ",
    " OR ",
    " = ",
    " <> ",
    " < ",
    " IN (",
    " BETWEEN ",
    "(",
    ")",
    ",",
    ".",
    "[0]",
    "s",
    "l",
    "m",
    "e",
    "#n",
    ":s",
    ":t",
    ":l",
    ":e",
    ":x",
];

/// Those of them that are operands by themselves.
const OPERANDS: &[&str] = &["s", "l", "e", "m.s", "m.l", ":s", ":t", ":l", ":e", ":x"];

/// A generator of its own, so that a search is the same everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// What is searched for: the most steps, and the most bytes allocated, for each byte of expression, names, values and
/// item. A word costs what an operator on the largest operands costs, so the bound is that of 300 operators.
struct Search {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, AttributeValue>,
    item: Item,
    bytes: usize,
}

impl Search {
    fn new() -> Search {
        let names = BTreeMap::from([("#n".to_owned(), "n".repeat(1000))]);
        let list = AttributeValue::L(vec![AttributeValue::Null; 1000]);
        let set = AttributeValue::Ss((0..500).map(|at| format!("{at:04}")).collect());
        let values = values(&[
            (":s", text(4000)),
            (":t", AttributeValue::S(format!("{}b", "a".repeat(2000)))),
            (":l", list.clone()),
            (":e", set.clone()),
            (":x", "x".into()),
        ]);
        let nested = Item::from([("s".to_owned(), text(1000)), ("l".to_owned(), list.clone())]);
        let item = Item::from([
            ("s".to_owned(), text(4000)),
            ("l".to_owned(), list),
            ("e".to_owned(), set),
            ("m".to_owned(), AttributeValue::M(nested)),
        ]);
        let bytes = 1000 + 4000 + 2001 + 2000 + 2000 + 4000 + 2000 + 2000 + 3000;
        Search { names, values, item, bytes }
    }

    /// Steps and bytes allocated from the text to the verdict; `None` where it is no condition.
    fn cost(&self, text: &str) -> Option<(u64, usize)> {
        let steps = Steps::unlimited();
        let (holds, bytes) = allocated(|| {
            let placeholders = Placeholders::new(Some(&self.names), Some(&self.values));
            let condition = placeholders.condition(ExpressionKind::Filter, text).ok()?;
            let mut encoded = Vec::new();
            condition.encode(&mut encoded);
            condition.eval(&self.item, &steps).ok()
        });
        holds.map(|_| (u64::MAX - steps.left(), bytes))
    }
}

/// Climbs from random expressions to ever more expensive ones, first in steps, then in bytes allocated. `COST_ROUNDS` says
/// how long; the most expensive ones are printed.
#[test]
fn search_for_the_most_expensive_expression() {
    let rounds = std::env::var("COST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3_000);
    let search = Search::new();
    let mut chance = Chance(7);
    for (what, measure) in [("steps", 0), ("bytes allocated", 1)] {
        let seed = vec!["contains(", ":s", ",", ":t", ")"];
        let mut best = (0.0, seed);
        for _ in 0..rounds {
            let mut words = best.1.clone();
            for _ in 0..=chance.below(2) {
                let place = chance.below(words.len() + 1);
                let last = words.len().saturating_sub(1);
                match chance.below(8) {
                    0 if !words.is_empty() => drop(words.remove(place.min(last))),
                    1 => words.insert(place, WORDS[chance.below(WORDS.len())]),
                    2..6 if !words.is_empty() => {
                        // An operand for an operand: most others would only be refused.
                        let is_operand = OPERANDS.contains(&words[place.min(last)]);
                        let others = if is_operand { OPERANDS } else { WORDS };
                        words[place.min(last)] = others[chance.below(others.len())];
                    }
                    _ => {
                        let whole = best.1.clone();
                        words.push([" AND ", " OR "][chance.below(2)]);
                        words.extend(whole);
                    }
                }
            }
            let text = words.concat();
            let Some((steps, bytes)) = search.cost(&text) else { continue };
            let cost = [steps as f64, bytes as f64][measure] / (search.bytes + text.len()) as f64;
            if cost > best.0 {
                best = (cost, words);
            }
        }
        let text = best.1.concat();
        println!("{:.1} {what} a byte: {} bytes, {}", best.0, text.len(), &text[..text.len().min(200)]);
        // 147 searches of the longest text; nothing is copied more than a few times.
        let bound = [60.0, 20.0][measure];
        assert!(best.0 < bound, "{} {what} a byte: {text}", best.0);
    }
}
