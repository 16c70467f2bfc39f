//! What the worst requests cost in the engine, counted: memory, bytes for the log, bytes of the answer. None may take more
//! than a stated multiple of its own size and of an item's (`docs/limits.md`); work that grows with the square of a request
//! would not end within these tests.
//!
//! `cargo test -p dynamo-engine --test engine cost -- --nocapture` prints the table.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use dynamo_engine::apply::{Outcome, Rejection};
use dynamo_engine::cost::{COMMAND_STEPS_MAX, ENTRY_ROWS_BYTES_MAX, OUT_OF_STEPS};
use dynamo_engine::plan;
use dynamo_engine::read::{Execution, ReadError, Run};
use dynamo_protocol::error::{ErrorKind, MESSAGE_BYTES_MAX};
use dynamo_protocol::ops::UpdateItemInput;
use serde_json::{Value, json};

use crate::attacks::{Request, corpus, preparations};
use crate::fixture::plan_bytes;
use crate::node::Node;

/// The system's allocator, counting what each thread holds. What one thread frees of another's is counted as its own,
/// which these tests do not do.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static PIECES: Cell<u64> = const { Cell::new(0) };
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    if bytes > 0 {
        PIECES.with(|pieces| pieces.set(pieces.get() + 1));
        TAKEN.with(|taken| taken.set(taken.get() + bytes as u64));
    }
    HELD.with(|held| {
        held.set(held.get() + bytes);
        PEAK.with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call is passed on unchanged to the system's allocator; the counters themselves allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: `pointer` came from `System.alloc` with this layout, as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: as for the others.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that `work` holds at any time beyond what was held before.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.with(Cell::get);
    PEAK.with(|peak| peak.set(before));
    let result = work();
    let peak = PEAK.with(Cell::get) - before;
    (result, peak.try_into().expect("the peak is not below its beginning"))
}

/// What `work` takes of memory in all, given back or not: pieces, and bytes.
pub fn pieces_and_bytes<T>(work: impl FnOnce() -> T) -> (T, u64, u64) {
    let before = (PIECES.with(Cell::get), TAKEN.with(Cell::get));
    let result = work();
    (result, PIECES.with(Cell::get) - before.0, TAKEN.with(Cell::get) - before.1)
}

/// What a request may take of memory while it is carried out: so many times its own size, and that of items as trees.
const PEAK_FACTOR: usize = 20;
const PEAK_BESIDE: usize = 48 << 20;

/// What an answer has at most beyond a page of items: an error's text, every character of it escaped.
const ANSWER_BYTES_MAX: usize = 6 * MESSAGE_BYTES_MAX + (8 << 20);

/// What a request puts into the log beyond its own size.
const LOG_BESIDE: usize = 4096;

fn filled() -> Node {
    let mut node = Node::new();
    for (operation, body) in preparations() {
        node.send_bytes(operation, body.as_bytes()).expect("what is prepared is right");
    }
    node
}

#[test]
fn the_worst_request_of_each_operation_costs_a_multiple_of_its_size() {
    let mut node = filled();
    println!("{:>9} {:>9} {:>9} {:>9}  operation: attack", "request", "peak", "log", "answer");
    for Request { name, operation, body } in corpus() {
        let log_before = node.log_bytes();
        let (answer, peak) = peak(|| node.send_bytes(operation, body.as_bytes()));
        let answer = answer.map_or_else(|error| error.to_json().len(), |body| body.len());
        let log = node.log_bytes() - log_before;
        println!("{:>9} {peak:>9} {log:>9} {answer:>9}  {operation}: {name}", body.len());
        assert!(peak <= PEAK_FACTOR * body.len() + PEAK_BESIDE, "{operation}, {name}: {peak} bytes of memory");
        assert!(log <= body.len() + LOG_BESIDE, "{operation}, {name}: {log} bytes in the log");
        assert!(answer <= ANSWER_BYTES_MAX, "{operation}, {name}: an answer of {answer} bytes");
        let is_shown = name.contains("control characters");
        assert!(!is_shown || answer > 2 << 20, "{operation}, {name}: shows nothing, in {answer} bytes");
    }
    assert!(node.replica().rows() == node.rows(), "a replica makes the same of all of them");
}

#[test]
fn a_filter_with_much_work_ends_its_page_early() {
    let mut node = filled();
    let filter = vec!["contains(:v,:w)"; 147].join(" OR ");
    let request = |start: Option<&Value>| {
        let mut request = json!({
            "TableName": "attacked",
            "FilterExpression": filter,
            "ExpressionAttributeValues": { ":v": { "S": "a".repeat(40_000) }, ":w": { "S": "b" } },
        });
        if let Some(start) = start {
            request["ExclusiveStartKey"] = start.clone();
        }
        request
    };
    let (mut scanned, mut pages, mut start) = (0, 0, None);
    loop {
        let page = node.send("Scan", &request(start.as_ref())).expect("a page");
        scanned += page["ScannedCount"].as_u64().expect("a number");
        pages += 1;
        start = page.get("LastEvaluatedKey").cloned();
        if start.is_none() || pages == 40 {
            break;
        }
        assert_eq!(page["ScannedCount"], 12, "one row costs 5.9 million steps, a page ends past 67 million");
    }
    assert_eq!((pages, scanned), (40, 480), "and goes on behind it");
}

/// What is read on an event loop is little; the rest is read again where that holds nobody up.
#[test]
fn reads_in_place_are_small() {
    let node = filled();
    let key = |name: &str| json!({ "pk": { "S": name } });
    let filter = vec!["contains(v,:x)"; 147].join(" OR ");
    let query = |name: &str| {
        json!({
            "TableName": "attacked",
            "KeyConditionExpression": "pk = :p",
            "FilterExpression": filter,
            "ExpressionAttributeValues": { ":p": { "S": name }, ":x": { "S": "x" } },
        })
    };
    let batch = |name: &str| json!({ "RequestItems": { "attacked": { "Keys": [key("small0-0"), key(name)] } } });
    let transact = |name: &str| {
        let get = |name: &str| json!({ "Get": { "TableName": "attacked", "Key": key(name) } });
        json!({ "TransactItems": [get("small0-0"), get(name)] })
    };
    let get = |name: &str| json!({ "TableName": "attacked", "Key": key(name) });
    for (operation, small, large) in [
        ("GetItem", get("small1-1"), get("text")),
        ("BatchGetItem", batch("small1-1"), batch("text")),
        ("TransactGetItems", transact("small1-1"), transact("text")),
        ("Query", query("small1-1"), query("list")),
    ] {
        let run = |request: &Value| {
            let plan = plan_bytes(node.catalog(), operation, request.to_string().as_bytes()).expect("a plan");
            plan.execute(&node.reader(), &mut Vec::new(), Run::INLINE)
        };
        assert!(run(&small).is_ok(), "{operation}");
        assert!(matches!(run(&large), Err(ReadError::TooLong)), "{operation}");
    }
}

/// A page whose client has gone away, or whose time is over, ends at the next question.
#[test]
fn a_page_that_nobody_waits_for_ends() {
    let node = filled();
    let request = json!({
        "TableName": "attacked",
        "FilterExpression": vec!["contains(:v,:w)"; 147].join(" OR "),
        "ExpressionAttributeValues": { ":v": { "S": "a".repeat(8_000) }, ":w": { "S": "b" } },
    });
    let plan = plan_bytes(node.catalog(), "Scan", request.to_string().as_bytes()).expect("a plan");
    // A row costs 1.2 million steps, so that it is asked behind each.
    for patience in [0, 1, 5] {
        let asked = Cell::new(0);
        let is_wanted = || asked.replace(asked.get() + 1) < patience;
        let mut read = Execution::new(plan.clone());
        let result = read.advance(&node.reader(), Run::while_wanted(&is_wanted));
        assert!(matches!(result, Err(ReadError::Abandoned)), "{result:?}");
        assert_eq!(asked.get(), patience + 1, "no row is evaluated behind the question that was answered by no");
    }
}

#[test]
fn a_condition_with_too_much_work_is_refused_the_same_everywhere() {
    let mut node = filled();
    let condition = vec!["contains(:v,:w)"; 147].join(" OR ");
    let bytes = COMMAND_STEPS_MAX as usize / 147;
    let request = json!({
        "TableName": "attacked",
        "Item": { "pk": { "S": "refused" } },
        "ConditionExpression": condition,
        "ExpressionAttributeValues": { ":v": { "S": "a".repeat(bytes) }, ":w": { "S": "b" } },
    });
    let error = node.send("PutItem", &request).expect_err("too much");
    assert_eq!((error.kind(), error.message()), (ErrorKind::Validation, OUT_OF_STEPS));
    assert!(node.replica().rows() == node.rows());
}

/// A hundred conditions may meet a hundred items of 400 KB; what is shown of them is no more than a transaction may hold.
#[test]
fn items_that_failed_conditions_met_are_shown_up_to_the_size_of_a_transaction() {
    let mut node = filled();
    let key = |at: usize| json!({ "pk": { "S": format!("large{at}") } });
    for at in 0..12 {
        let item = json!({ "pk": key(at)["pk"], "s": { "S": "x".repeat(400_000) } });
        node.send("PutItem", &json!({ "TableName": "attacked", "Item": item })).expect("a put");
    }
    let check = |at| {
        json!({ "ConditionCheck": {
            "TableName": "attacked", "Key": key(at), "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        } })
    };
    let request = json!({ "TransactItems": (0..12).map(check).collect::<Vec<_>>() });
    let (cancelled, peak) = peak(|| node.send("TransactWriteItems", &request).expect_err("all of them fail"));
    let reasons = cancelled.cancellation_reasons();
    assert!(reasons.iter().all(|reason| reason.code == "ConditionalCheckFailed"));
    assert_eq!(reasons.iter().filter(|reason| reason.item.is_some()).count(), 10, "4 MB hold ten of 400 KB");
    assert!(peak < 16_000_000, "{peak} bytes");
}

#[test]
fn an_entry_that_holds_enough_puts_the_rest_off() {
    let mut node = filled();
    for at in 0..10 {
        let item = json!({ "pk": { "S": format!("large{at}") }, "n": { "N": "0" }, "s": { "S": "x".repeat(409_000) } });
        node.send("PutItem", &json!({ "TableName": "attacked", "Item": item })).expect("a put");
    }
    let update = |at: usize| {
        let request = json!({
            "TableName": "attacked",
            "Key": { "pk": { "S": format!("large{}", at % 10) } },
            "UpdateExpression": "SET n = n + :one",
            "ExpressionAttributeValues": { ":one": { "N": "1" } },
        });
        let input = UpdateItemInput::from_json(request.to_string().as_bytes()).expect("a request");
        let mut plan = plan::update_item::plan(input, node.catalog()).expect("a plan");
        plan.writes.pop().expect("one write").command
    };
    let commands: Vec<_> = (0..400).map(update).collect();
    let (outcomes, peak) = peak(|| node.propose(commands));
    let written = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Written(_))).count();
    let put_off = outcomes.iter().filter(|outcome| **outcome == Outcome::Rejected(Rejection::Crowded)).count();
    assert_eq!(
        written,
        ENTRY_ROWS_BYTES_MAX / (3 * 409_000) + 1,
        "each update holds an old row and a new one, and writes it"
    );
    assert_eq!(written + put_off, 400);
    assert!(matches!(outcomes[0], Outcome::Written(_)), "the first command is always carried out");
    assert!(peak < 2 * ENTRY_ROWS_BYTES_MAX, "{peak} bytes");
    assert!(node.replica().rows() == node.rows(), "a replica puts off the same");
}
