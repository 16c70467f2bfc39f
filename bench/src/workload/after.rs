//! What must hold after a slice: acknowledged writes are there.

use super::plan::{After, get_item};
use super::walk::sum_of_counters;
use super::{Plan, Table};
use crate::client::{Caller, Template, scan};
use crate::error::Result;
use crate::load::Outcome;

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
