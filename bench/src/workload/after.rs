//! What must hold after a slice: acknowledged writes are there.

use super::plan::get_item;
use super::{Plan, Table};
use crate::client::{Caller, Template, scan};
use crate::error::{Error, Result};
use crate::load::Outcome;

/// Counters of larger tables are not summed: it would read the whole table twice per slice.
const SUMMED_ITEMS_MAX: u64 = 100_000;

/// What is checked after a slice.
#[derive(Clone, Copy, Debug)]
pub enum After {
    /// Nothing was written.
    Nothing,
    /// The last item that each connection wrote is there, as this generation wrote it (or a later request of it).
    ReadBack {
        /// Where.
        table: Table,
        /// The generation.
        generation: u64,
    },
    /// The sum of all counters grew by the number of acknowledged updates.
    CountersGrew {
        /// The sum before.
        before: u64,
    },
}

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

/// The check for a slice of counter updates: sums the counters as they are now.
pub fn counters_before(caller: &mut Caller, items: u64) -> Result<After> {
    if items > SUMMED_ITEMS_MAX {
        return Ok(After::Nothing);
    }
    Ok(After::CountersGrew { before: sum_of_counters(caller)? })
}

fn sum_of_counters(caller: &mut Caller) -> Result<u64> {
    let mut sum = Some(0);
    walk(caller, Table::Items, r#","ProjectionExpression":"n""#, |_, page, _| {
        sum = sum.zip(scan::sum_of_numbers(page.body, "n")).map(|(sum, page)| sum + page);
        sum.is_some()
    })?;
    sum.ok_or_else(|| Error::new("a counter is not a whole number"))
}

/// Checks what must hold after these loads of one plan; says what does not.
///
/// # Errors
/// When the server does not answer.
pub fn verify(caller: &mut Caller, plan: &Plan, loads: &[&Outcome]) -> Result<Option<String>> {
    match plan.after {
        After::Nothing => Ok(None),
        After::CountersGrew { before } => {
            let grown = sum_of_counters(caller)?.saturating_sub(before);
            let right: u64 = loads.iter().map(|load| load.right).sum();
            let sent: u64 = loads.iter().map(|load| load.requests()).sum();
            // An update without a right answer may have happened.
            let fits = (right..=sent).contains(&grown);
            Ok((!fits).then(|| format!("{right} counter updates were acknowledged, the counters grew by {grown}")))
        }
        After::ReadBack { table, generation } => read_back(caller, plan, loads, table, generation),
    }
}

fn read_back(
    caller: &mut Caller,
    plan: &Plan,
    loads: &[&Outcome],
    table: Table,
    generation: u64,
) -> Result<Option<String>> {
    let mark = format!(" g-{generation:08} ");
    let lasts = loads.iter().flat_map(|load| &load.last).filter(|last| plan.shapes[last.shape].writes_items);
    let mut template = Template::new(caller.endpoint(), "GetItem", &get_item(table));
    for last in lasts {
        // Of tables with indexes, only the first number is the item's key.
        let keys = if table.rows_per_partition().is_none() && table.numbers() > 1 {
            &last.numbers[..1]
        } else {
            &last.numbers[..]
        };
        for key in keys {
            let (status, body) = caller.send(template.fill(&[*key]))?;
            let stamp = format!("\"v-{key:08}{mark}");
            if status != 200 || !scan::contains(&body, stamp.as_bytes()) {
                let body = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
                return Ok(Some(format!("item {key}: its write was acknowledged, then read back: {status} {body}")));
            }
        }
    }
    Ok(None)
}
