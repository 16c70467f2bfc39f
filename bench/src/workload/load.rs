//! Creates and fills the tables.

use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use tokio::task::LocalSet;

use super::walk::walk;
use super::{Check, Dataset, Table};
use crate::client::{Body, Caller, Connection, Endpoint, Reply, Template, scan};
use crate::error::{Context, Error, Result};

/// Connections that fill a table.
const CONNECTIONS: usize = 16;
/// Items of one BatchWriteItem.
const BATCH: u64 = 25;
/// Attempts at one batch before the load gives up: peers throttle.
const ATTEMPTS_MAX: u32 = 20;
/// Attempts, 100 ms apart, until a table is active or gone.
const TABLE_STATE_ATTEMPTS_MAX: u32 = 300;

/// Replaces the table and fills it; checks the number of items.
///
/// # Errors
/// When the server refuses, or holds another number of items afterwards.
pub fn load(caller: &mut Caller, dataset: Dataset, table: Table) -> Result<()> {
    recreate(caller, table)?;
    fill(caller.endpoint(), &Filling { dataset, table, rows: dataset.rows(table), one_partition: false })?;
    let (mut found, rows) = (0, dataset.rows(table));
    walk(caller, table, r#","Select":"COUNT""#, |_, page, _| {
        found += page.count;
        // Walking through gigabytes proves little more than their first part does.
        found < rows.min(1_000_000)
    })?;
    if found < rows.min(1_000_000) || (rows <= 1_000_000 && found != rows) {
        return Err(Error::new(format!("{} holds {found} items after loading {rows}", table.name())));
    }
    Ok(())
}

/// Replaces a table with sort keys by one that holds a single partition of so many rows.
///
/// # Errors
/// When the server refuses.
pub fn load_partition(caller: &mut Caller, dataset: Dataset, table: Table, rows: u64) -> Result<()> {
    recreate(caller, table)?;
    fill(caller.endpoint(), &Filling { dataset, table, rows, one_partition: true })
}

/// Makes so many tables, named by [`table_name`], each with so many items of the main table's form.
///
/// # Errors
/// When the server refuses.
pub fn load_tables(caller: &mut Caller, dataset: Dataset, tables: u64, items: u64) -> Result<()> {
    let named = |number| format!(r#"{{"TableName":"{}"}}"#, table_name(number));
    for number in 0..tables {
        caller
            .expect("CreateTable", &Dataset::create(Table::Items).replace(Table::Items.name(), &table_name(number)))?;
    }
    let endpoint = caller.endpoint().clone();
    for number in 0..tables {
        await_state(caller, &named(number), |_, reply| scan::value(reply, "TableStatus") == Some(b"\"ACTIVE\""))?;
        for first in (0..items).step_by(BATCH as usize) {
            let numbers: Vec<u64> = (first..items.min(first + BATCH)).collect();
            let body = batch_write(&dataset, Table::Items, 0, numbers.len() as u64);
            let body = body.renamed(Table::Items.name(), &table_name(number));
            let (status, reply) = caller.send(Template::new(&endpoint, "BatchWriteItem", &body).fill(&numbers))?;
            if !Check::AllWritten.passes(&[], Reply { status, body: &reply }) {
                let reply = String::from_utf8_lossy(&reply).into_owned();
                return Err(Error::new(format!("filling {}: {status} {reply}", table_name(number))));
            }
        }
    }
    Ok(())
}

/// The name of one of many tables: as long as the main table's, so that one can stand in for the other.
pub fn table_name(number: u64) -> String {
    format!("bench_t{number:04}")
}

/// BatchWriteItem of `count` items of a table, with as many sets of numbers.
pub fn batch_write(dataset: &Dataset, table: Table, generation: u64, count: u64) -> Body {
    let item = dataset.item(table, generation);
    let open = format!(r#"{{"RequestItems":{{"{}":["#, table.name());
    let puts = (0..count as usize).fold(Body::new(&open), |body, at| {
        let body = body.text(if at == 0 { "" } else { "," });
        body.text(r#"{"PutRequest":{"Item":"#).append(&item, at * item.numbers()).text("}}")
    });
    puts.text("]}}")
}

fn recreate(caller: &mut Caller, table: Table) -> Result<()> {
    let named = format!(r#"{{"TableName":"{}"}}"#, table.name());
    let (status, reply) = caller.post("DeleteTable", &named)?;
    if status != 200 && !scan::contains(&reply, b"ResourceNotFoundException") {
        return Err(Error::new(format!("DeleteTable {named}: {status} {}", String::from_utf8_lossy(&reply))));
    }
    await_state(caller, &named, |status, _| status != 200)?;
    caller.expect("CreateTable", &Dataset::create(table))?;
    await_state(caller, &named, |_, reply| scan::value(reply, "TableStatus") == Some(b"\"ACTIVE\""))?;
    if let Some(request) = Dataset::time_to_live(table) {
        caller.expect("UpdateTimeToLive", &request)?;
    }
    Ok(())
}

fn await_state(caller: &mut Caller, named: &str, reached: impl Fn(u16, &[u8]) -> bool) -> Result<()> {
    for _ in 0..TABLE_STATE_ATTEMPTS_MAX {
        let (status, reply) = caller.post("DescribeTable", named)?;
        if reached(status, &reply) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Err(Error::new(format!("{named} does not reach its state")))
}

/// What is to be filled in.
#[derive(Clone, Copy)]
struct Filling {
    dataset: Dataset,
    table: Table,
    rows: u64,
    /// All rows in partition 0, instead of as many in each as the table's name says.
    one_partition: bool,
}

impl Filling {
    /// The numbers of a row, as [`Dataset::item`] wants them.
    fn numbers(&self, row: u64) -> Vec<u64> {
        match self.table.rows_per_partition() {
            Some(_) if self.one_partition => vec![0, row],
            Some(rows) => vec![row / rows, row % rows],
            None => vec![row; self.table.numbers()],
        }
    }
}

fn fill(endpoint: &Endpoint, filling: &Filling) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    runtime.block_on(local.run_until(async {
        let next = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..CONNECTIONS)
            .map(|_| tokio::task::spawn_local(fill_on_one(endpoint.clone(), *filling, Rc::clone(&next))))
            .collect();
        for task in tasks {
            task.await.context(|| "a loading task".to_owned())??;
        }
        Ok(())
    }))
}

/// Takes batch after batch until none is left.
async fn fill_on_one(endpoint: Endpoint, filling: Filling, next: Rc<Cell<u64>>) -> Result<()> {
    let Filling { dataset, table, rows, .. } = filling;
    let mut connection = Connection::open(&endpoint).await?;
    let mut whole = Template::new(&endpoint, "BatchWriteItem", &batch_write(&dataset, table, 0, BATCH));
    loop {
        let first = next.get();
        if first >= rows {
            return Ok(());
        }
        next.set(first + BATCH);
        let count = BATCH.min(rows - first);
        let numbers: Vec<u64> = (first..first + count).flat_map(|row| filling.numbers(row)).collect();
        if count == BATCH {
            write_batch(&mut connection, whole.fill(&numbers)).await?;
        } else {
            let body = batch_write(&dataset, table, 0, count);
            write_batch(&mut connection, Template::new(&endpoint, "BatchWriteItem", &body).fill(&numbers)).await?;
        }
    }
}

async fn write_batch(connection: &mut Connection, request: &[u8]) -> Result<()> {
    let mut last = String::new();
    for attempt in 0..ATTEMPTS_MAX {
        let reply = connection.exchange(request).await.context(|| "BatchWriteItem".to_owned())?;
        if Check::AllWritten.passes(&[], reply) {
            return Ok(());
        }
        last = format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body[..reply.body.len().min(300)]));
        tokio::time::sleep(Duration::from_millis(10_u64 << attempt.min(6))).await;
    }
    Err(Error::new(format!("BatchWriteItem is refused again and again: {last}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Style;

    #[test]
    fn rows_fill_partitions_in_turn() {
        let dataset = Dataset { items: 100, item_bytes: 200, style: Style::Plain };
        let filling = |table| Filling { dataset, table, rows: 100, one_partition: false };
        assert_eq!(filling(Table::Query10).numbers(37), [3, 7]);
        assert_eq!(Filling { one_partition: true, ..filling(Table::Query10) }.numbers(37), [0, 37]);
        assert_eq!(filling(Table::Items).numbers(37), [37]);
        assert_eq!(filling(Table::ThreeIndexes).numbers(37), [37; 4]);
        assert_eq!(table_name(7).len(), Table::Items.name().len());
    }

    #[test]
    fn a_batch_has_places_for_all_its_items() {
        let dataset = Dataset { items: 100, item_bytes: 200, style: Style::Plain };
        assert_eq!(batch_write(&dataset, Table::Query10, 0, 25).numbers(), 50);
        assert_eq!(batch_write(&dataset, Table::Items, 0, 25).numbers(), 25);
    }
}
