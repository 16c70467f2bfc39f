//! Whether a reply can be right, for the price of a search.

use crate::client::{KEY_DIGITS, Reply, scan};
use crate::stats::mix;

/// What a reply must be, besides having status 200.
#[derive(Clone, Debug)]
pub enum Check {
    /// `{}`.
    Empty,
    /// The items with the request's numbers as keys, each with its own payload.
    Items,
    /// The new value of attribute `n`.
    Counter,
    /// So many rows of the partition with the request's number.
    Rows(u64),
    /// So many items, and more behind them.
    Page(u64),
    /// So many records of a stream.
    Records(u64),
    /// Every item of the batch was written.
    AllWritten,
    /// A body of so many bytes.
    Bytes(usize),
}

impl Check {
    /// Whether this can be the reply to a request with these numbers.
    pub fn passes(&self, numbers: &[u64], reply: Reply<'_>) -> bool {
        if reply.status != 200 {
            return false;
        }
        let body = reply.body;
        match self {
            Check::Empty => body.trim_ascii() == b"{}",
            Check::Items => stamps(body) == expected_stamps(numbers),
            Check::Counter => scan::sum_of_numbers(body, "n").is_some_and(|n| n > 0),
            Check::Rows(count) => {
                let own = stamps(body);
                scan::whole_number(body, "Count") == Some(*count) && own == repeated(numbers[0], *count)
            }
            Check::Page(count) => {
                scan::whole_number(body, "Count") == Some(*count) && scan::contains(body, b"\"LastEvaluatedKey\"")
            }
            Check::Records(count) => records(body) == *count,
            Check::AllWritten => scan::value(body, "UnprocessedItems").is_some_and(is_empty_object),
            Check::Bytes(length) => body.len() == *length,
        }
    }
}

/// Number of stream records in a body.
pub fn records(body: &[u8]) -> u64 {
    memchr::memmem::find_iter(body, b"\"eventID\"").count() as u64
}

/// Number of payload stamps (`"v-00000042`) in a body, and the sum of their hashes: one pass, whatever the order.
fn stamps(body: &[u8]) -> (u64, u64) {
    const MARK: &[u8] = b"\"v-";
    let (mut count, mut sum) = (0, 0_u64);
    for at in memchr::memmem::find_iter(body, MARK) {
        let digits = body.get(at + MARK.len()..at + MARK.len() + KEY_DIGITS).unwrap_or_default();
        let number = digits
            .iter()
            .fold(0_u64, |number, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit.wrapping_sub(b'0'))));
        count += 1;
        sum = sum.wrapping_add(mix(number));
    }
    (count, sum)
}

fn expected_stamps(numbers: &[u64]) -> (u64, u64) {
    let sum = numbers.iter().fold(0_u64, |sum, number| sum.wrapping_add(mix(*number)));
    (numbers.len() as u64, sum)
}

fn repeated(number: u64, count: u64) -> (u64, u64) {
    (count, mix(number).wrapping_mul(count))
}

fn is_empty_object(value: &[u8]) -> bool {
    value.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).is_some_and(|inner| inner.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(check: &Check, numbers: &[u64], body: &str) -> bool {
        check.passes(numbers, Reply { status: 200, body: body.as_bytes() })
    }

    #[test]
    fn a_status_other_than_200_never_passes() {
        assert!(!Check::Empty.passes(&[], Reply { status: 400, body: b"{}" }));
        assert!(passes(&Check::Empty, &[], "{}\n"));
        assert!(!passes(&Check::Empty, &[], r#"{"Attributes":{}}"#));
    }

    #[test]
    fn items_must_be_the_ones_asked_for() {
        let body = r#"{"Responses":{"t":[{"payload":{"S":"v-00000002 g"}},{"payload":{"S":"v-00000001 g"}}]}}"#;
        assert!(passes(&Check::Items, &[1, 2], body));
        assert!(!passes(&Check::Items, &[1, 3], body));
        assert!(!passes(&Check::Items, &[1], body));
        assert!(!passes(&Check::Items, &[1], "{}"), "an item that is missing");
    }

    #[test]
    fn rows_pages_counters_batches() {
        let rows =
            r#"{"Count":2,"Items":[{"payload":{"S":"v-00000009 "}},{"payload":{"S":"v-00000009 "}}],"ScannedCount":2}"#;
        assert!(passes(&Check::Rows(2), &[9, 0], rows));
        assert!(!passes(&Check::Rows(2), &[8, 0], rows));
        assert!(!passes(&Check::Rows(3), &[9, 0], rows));
        assert!(passes(&Check::Page(5), &[], r#"{"Items":[],"Count":5,"LastEvaluatedKey":{"pk":{"S":"a"}}}"#));
        assert!(!passes(&Check::Page(5), &[], r#"{"Items":[],"Count":5}"#));
        let records = r#"{"Records":[{"eventID":"1"},{"eventID":"2"}]}"#;
        assert!(passes(&Check::Records(2), &[], records) && !passes(&Check::Records(3), &[], records));
        assert!(passes(&Check::Counter, &[], r#"{"Attributes":{"n":{"N":"3"}}}"#));
        assert!(!passes(&Check::Counter, &[], r#"{"Attributes":{}}"#));
        assert!(passes(&Check::AllWritten, &[], r#"{"UnprocessedItems":{}}"#));
        assert!(!passes(&Check::AllWritten, &[], r#"{"UnprocessedItems":{"t":[]}}"#));
        assert!(!passes(&Check::AllWritten, &[], r#"{}"#));
    }
}
