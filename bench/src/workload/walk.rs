//! Scans a table from end to end.

use super::Table;
use crate::client::{Caller, scan};
use crate::error::{Error, Result};

/// What one page of a Scan held.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Number of items.
    pub count: u64,
    /// The reply.
    pub body: &'a [u8],
}

/// Scans a table page by page. `with` is members of the request besides table, key and consistency. `each` gets the
/// request, its page, and whether more follow, and says whether to go on.
pub fn walk(
    caller: &mut Caller,
    table: Table,
    with: &str,
    mut each: impl FnMut(&str, Page<'_>, bool) -> bool,
) -> Result<()> {
    let mut start = String::new();
    loop {
        let request = format!(r#"{{"TableName":"{}"{with}{start},"ConsistentRead":true}}"#, table.name());
        let body = caller.expect("Scan", &request)?;
        let count = scan::whole_number(&body, "Count");
        let count = count.ok_or_else(|| Error::new(format!("Scan of {} gave no Count", table.name())))?;
        let next = scan::value(&body, "LastEvaluatedKey").map(|key| String::from_utf8_lossy(key).into_owned());
        let go_on = each(&request, Page { count, body: &body }, next.is_some());
        match next {
            Some(key) if go_on => start = format!(r#","ExclusiveStartKey":{key}"#),
            _ => return Ok(()),
        }
    }
}

/// The sum of the counters of all items.
pub fn sum_of_counters(caller: &mut Caller) -> Result<u64> {
    let mut sum = Some(0);
    walk(caller, Table::Items, r#","ProjectionExpression":"n""#, |_, page, _| {
        sum = sum.zip(scan::sum_of_numbers(page.body, "n")).map(|(sum, page)| sum + page);
        sum.is_some()
    })?;
    sum.ok_or_else(|| Error::new("a counter is not a whole number"))
}
