//! A workload as templates, ready to be sent to one server.

use std::sync::Arc;

use super::check::records;
use super::load::table_name;
use super::walk::{sum_of_counters, walk};
use super::{Check, Dataset, Draw, Kind, Style, Table};
use crate::client::{Body, Caller, Endpoint, Sender, Template, scan};
use crate::error::{Error, Result};
use crate::stats::Zipf;

/// Items of one BatchGetItem or BatchWriteItem (the latter's largest number).
const BATCH: u64 = 25;
/// Items of one transaction.
const TRANSACTION: u64 = 4;

/// Counters of larger tables are not summed: it would read the whole table twice per slice.
const SUMMED_ITEMS_MAX: u64 = 100_000;

/// One form of request.
#[derive(Clone, Debug)]
pub struct Shape {
    /// How often it is sent, relative to the plan's other shapes.
    pub weight: u64,
    /// The operation, for reports of wrong answers.
    pub operation: &'static str,
    /// The request.
    pub template: Template,
    /// Its numbers.
    pub draw: Draw,
    /// Its reply.
    pub check: Check,
    /// Its numbers are keys of items that it wrote, so they can be read back.
    pub writes_items: bool,
}

/// What is sent to one server during one slice.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Forms of request, at least one.
    pub shapes: Vec<Shape>,
    /// What must hold afterwards.
    pub after: After,
    /// Who sends it.
    pub style: Style,
}

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

/// The check for a slice of counter updates: sums the counters as they are now.
fn counters_before(caller: &mut Caller, items: u64) -> Result<After> {
    if items > SUMMED_ITEMS_MAX {
        return Ok(After::Nothing);
    }
    Ok(After::CountersGrew { before: sum_of_counters(caller)? })
}

/// The plan whose requests the calibrator answers: a GetItem's bytes, a fixed reply.
pub fn calibration(endpoint: &Endpoint, reply_bytes: usize, style: Style) -> Plan {
    let template = Template::new(endpoint, "GetItem", &get_item(Table::Items));
    let draw = Draw::Independent { items: 10_000, count: 1 };
    let shapes = vec![read("GetItem", template, draw, Check::Bytes(reply_bytes))];
    Plan { shapes, after: After::Nothing, style }
}

/// The plan whose requests a calibrator that syncs answers: a PutItem's bytes.
pub fn put_calibration(endpoint: &Endpoint, dataset: &Dataset) -> Plan {
    let template = Template::new(endpoint, "PutItem", &put_item(dataset, Table::Items, 0));
    let draw = Draw::Independent { items: 10_000, count: 1 };
    let shapes = vec![read("PutItem", template, draw, Check::Empty)];
    Plan { shapes, after: After::Nothing, style: dataset.style }
}

impl Plan {
    /// The plan of a workload. `generation` marks what it writes; it must differ from slice to slice.
    ///
    /// # Errors
    /// When the server does not answer the preparatory requests.
    pub fn new(kind: Kind, dataset: Dataset, caller: &mut Caller, generation: u64) -> Result<Plan> {
        let endpoint = caller.endpoint().clone();
        let template = |operation: &str, body: &Body| Template::new(&endpoint, operation, body);
        let (table, items) = (kind.table(), dataset.rows(kind.table()));
        let one = Draw::Distinct { items, count: 1 };
        let put = put_item(&dataset, table, generation);
        let read_back = After::ReadBack { table, generation };
        let style = dataset.style;
        let plan = |shape: Shape, after: After| Plan { shapes: vec![shape], after, style };
        Ok(match kind {
            Kind::GetItem => {
                plan(read("GetItem", template("GetItem", &get_item(table)), one, Check::Items), After::Nothing)
            }
            Kind::PutItem | Kind::PutItemStream => {
                plan(write("PutItem", template("PutItem", &put), one, Check::Empty), read_back)
            }
            Kind::PutItemOneIndex | Kind::PutItemThreeIndexes | Kind::PutItemTtl => {
                let draw = Draw::Independent { items, count: table.numbers() as u64 };
                plan(write("PutItem", template("PutItem", &put), draw, Check::Empty), read_back)
            }
            Kind::UpdateItem => {
                let shape = read("UpdateItem", template("UpdateItem", &add_one()), one, Check::Counter);
                plan(shape, counters_before(caller, items)?)
            }
            Kind::Select => {
                let template = template("ExecuteStatement", &select(table));
                plan(read("ExecuteStatement", template, one, Check::Items), After::Nothing)
            }
            Kind::UpdateStatement => {
                let shape =
                    read("ExecuteStatement", template("ExecuteStatement", &add_one_statement()), one, Check::Counter);
                plan(shape, counters_before(caller, items)?)
            }
            Kind::Query10 | Kind::Query100 => {
                let rows = table.rows_per_partition().expect("the query tables have partitions");
                let draw = Draw::Distinct { items: items / rows, count: 1 };
                plan(read("Query", template("Query", &query(table)), draw, Check::Rows(rows)), After::Nothing)
            }
            Kind::GetRecords => Plan { shapes: record_pages(caller, table)?, after: After::Nothing, style },
            Kind::Scan => Plan { shapes: scan_pages(caller, table)?, after: After::Nothing, style },
            Kind::BatchGetItem => {
                let draw = Draw::Distinct { items, count: BATCH };
                let body = batch_get(table);
                plan(read("BatchGetItem", template("BatchGetItem", &body), draw, Check::Items), After::Nothing)
            }
            Kind::BatchWriteItem => {
                let draw = Draw::Distinct { items, count: BATCH };
                let body = super::load::batch_write(&dataset, table, generation, BATCH);
                plan(write("BatchWriteItem", template("BatchWriteItem", &body), draw, Check::AllWritten), read_back)
            }
            Kind::TransactGetItems => {
                let draw = Draw::Distinct { items, count: TRANSACTION };
                let body = transact_get(table);
                plan(read("TransactGetItems", template("TransactGetItems", &body), draw, Check::Items), After::Nothing)
            }
            Kind::TransactWriteItems => {
                let draw = Draw::Private { items, count: TRANSACTION };
                let body = transact_write(&dataset, table, generation);
                let template = template("TransactWriteItems", &body);
                plan(write("TransactWriteItems", template, draw, Check::Empty), read_back)
            }
            Kind::YcsbA | Kind::YcsbB => {
                let reads_of_hundred = if kind == Kind::YcsbA { 50 } else { 95 };
                let zipf = Draw::Zipf(Arc::new(Zipf::new(items)));
                let reads = read("GetItem", template("GetItem", &get_item(table)), zipf.clone(), Check::Items);
                let update = template("UpdateItem", &set_payload(&dataset, generation));
                let writes = write("UpdateItem", update, zipf, Check::Empty);
                let shapes = vec![
                    Shape { weight: reads_of_hundred, ..reads },
                    Shape { weight: 100 - reads_of_hundred, ..writes },
                ];
                Plan { shapes, after: read_back, style }
            }
        })
    }
}

/// GetItem from one of so many tables, each with so many items.
pub fn get_from_tables(endpoint: &Endpoint, tables: u64, items: u64) -> Plan {
    let draw = Draw::From { first: 0, items };
    let shape = |number| {
        let body = get_item(Table::Items).renamed(Table::Items.name(), &table_name(number));
        read("GetItem", Template::new(endpoint, "GetItem", &body), draw.clone(), Check::Items)
    };
    Plan { shapes: (0..tables).map(shape).collect(), after: After::Nothing, style: Style::Plain }
}

/// PutItem into one of so many tables, each with so many items.
pub fn put_into_tables(endpoint: &Endpoint, dataset: &Dataset, tables: u64, items: u64, generation: u64) -> Plan {
    let draw = Draw::From { first: 0, items };
    let shape = |number| {
        let body = put_item(dataset, Table::Items, generation).renamed(Table::Items.name(), &table_name(number));
        write("PutItem", Template::new(endpoint, "PutItem", &body), draw.clone(), Check::Empty)
    };
    Plan { shapes: (0..tables).map(shape).collect(), after: After::Nothing, style: Style::Plain }
}

/// Queries of a hundred rows of partition 0 that go on behind one of `items` rows from `first` on.
pub fn pages_at(endpoint: &Endpoint, table: Table, first: u64, items: u64) -> Plan {
    const LIMIT: u64 = 100;
    let body = Body::new(&in_table(table))
        .text(r#""KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"part-00000000"}}"#)
        .text(&format!(r#","Limit":{LIMIT},"ConsistentRead":true,"ExclusiveStartKey":{{"pk":{{"S":"part-00000000"}}"#))
        .text(r#","sk":{"S":"row-"#)
        .digits(0)
        .text(r#""}}}"#);
    let draw = Draw::From { first, items };
    let shape = read("Query", Template::new(endpoint, "Query", &body), draw, Check::Page(LIMIT));
    Plan { shapes: vec![shape], after: After::Nothing, style: Style::Plain }
}

impl Shape {
    /// The same, sent by this client.
    pub fn sent_by(&self, sender: Sender) -> Shape {
        Shape { template: self.template.sent_by(sender), ..self.clone() }
    }
}

fn read(operation: &'static str, template: Template, draw: Draw, check: Check) -> Shape {
    Shape { weight: 1, operation, template, draw, check, writes_items: false }
}

fn write(operation: &'static str, template: Template, draw: Draw, check: Check) -> Shape {
    Shape { writes_items: true, ..read(operation, template, draw, check) }
}

fn in_table(table: Table) -> String {
    format!(r#"{{"TableName":"{}","#, table.name())
}

/// GetItem, consistent, of number 0.
pub fn get_item(table: Table) -> Body {
    Body::new(&in_table(table)).text(r#""Key":"#).append(&Dataset::key(), 0).text(r#","ConsistentRead":true}"#)
}

fn put_item(dataset: &Dataset, table: Table, generation: u64) -> Body {
    Body::new(&in_table(table)).text(r#""Item":"#).append(&dataset.item(table, generation), 0).text("}")
}

fn add_one() -> Body {
    Body::new(&in_table(Table::Items)).text(r#""Key":"#).append(&Dataset::key(), 0).text(
        r#","UpdateExpression":"SET n = n + :one","ExpressionAttributeValues":{":one":{"N":"1"}},"ReturnValues":"UPDATED_NEW"}"#,
    )
}

/// A SELECT of one item, as consistent as [`get_item`].
fn select(table: Table) -> Body {
    Body::new(&format!(r#"{{"Statement":"SELECT * FROM {} WHERE pk = ?","Parameters":["#, table.name()))
        .append(&Dataset::key_value(), 0)
        .text(r#"],"ConsistentRead":true}"#)
}

/// An UPDATE that does what [`add_one`] does.
fn add_one_statement() -> Body {
    let table = Table::Items.name();
    let statement = format!("UPDATE {table} SET n = n + 1 WHERE pk = ? RETURNING MODIFIED NEW *");
    Body::new(&format!(r#"{{"Statement":"{statement}","Parameters":["#)).append(&Dataset::key_value(), 0).text("]}")
}

fn set_payload(dataset: &Dataset, generation: u64) -> Body {
    Body::new(&in_table(Table::Items))
        .text(r#""Key":"#)
        .append(&Dataset::key(), 0)
        .text(r#","UpdateExpression":"SET payload = :p","ExpressionAttributeValues":{":p":"#)
        .append(&dataset.payload(generation), 0)
        .text("}}")
}

fn query(table: Table) -> Body {
    Body::new(&in_table(table))
        .text(r#""KeyConditionExpression":"pk = :p","ExpressionAttributeValues":{":p":{"S":"part-"#)
        .digits(0)
        .text(r#""}},"ConsistentRead":true}"#)
}

fn batch_get(table: Table) -> Body {
    let keys = list(BATCH, |at| Body::default().append(&Dataset::key(), at));
    let open = format!(r#"{{"RequestItems":{{"{}":{{"Keys":"#, table.name());
    Body::new(&open).append(&keys, 0).text(r#","ConsistentRead":true}}}"#)
}

fn transact_get(table: Table) -> Body {
    let open = format!(r#"{{"Get":{{"TableName":"{}","Key":"#, table.name());
    let gets = list(TRANSACTION, |at| Body::new(&open).append(&Dataset::key(), at).text("}}"));
    Body::new(r#"{"TransactItems":"#).append(&gets, 0).text("}")
}

fn transact_write(dataset: &Dataset, table: Table, generation: u64) -> Body {
    let item = dataset.item(table, generation);
    let open = format!(r#"{{"Put":{{"TableName":"{}","Item":"#, table.name());
    let puts = list(TRANSACTION, |at| Body::new(&open).append(&item, at).text("}}"));
    Body::new(r#"{"TransactItems":"#).append(&puts, 0).text("}")
}

fn list(count: u64, element: impl Fn(usize) -> Body) -> Body {
    let elements = (0..count as usize).fold(Body::new("["), |list, at| {
        let list = if at == 0 { list } else { list.text(",") };
        list.append(&element(at), 0)
    });
    elements.text("]")
}

/// One request per full page from the start of the table on, found by walking it.
fn scan_pages(caller: &mut Caller, table: Table) -> Result<Vec<Shape>> {
    /// Enough different pages to be no single hot one, few enough to walk through a large table's start quickly.
    const PAGES_MAX: usize = 64;
    let mut pages = Vec::new();
    walk(caller, table, "", |request, page, has_more| {
        if has_more {
            pages.push((request.to_owned(), page.count));
        }
        pages.len() < PAGES_MAX
    })?;
    if pages.is_empty() {
        return Err(Error::new(format!("{} is smaller than a page of 1 MB: nothing to scan", table.name())));
    }
    let endpoint = caller.endpoint();
    let shape = |(request, count): (String, u64)| {
        let template = Template::new(endpoint, "Scan", &Body::new(&request));
        read("Scan", template, Draw::Nothing, Check::Page(count))
    };
    Ok(pages.into_iter().map(shape).collect())
}

/// One request per full page of the table's stream, from the beginning of each of its shards on, found by walking them.
fn record_pages(caller: &mut Caller, table: Table) -> Result<Vec<Shape>> {
    /// Pages of one shard.
    const PAGES_MAX: usize = 8;
    let missing = |what: &str| Error::new(format!("{}: the stream has no {what}", table.name()));
    let described = caller.expect("DescribeTable", &format!(r#"{{"TableName":"{}"}}"#, table.name()))?;
    let arn = scan::text(&described, "LatestStreamArn").ok_or_else(|| missing("ARN"))?;
    let described = caller.expect("DescribeStream", &format!(r#"{{"StreamArn":"{arn}"}}"#))?;
    let mut pages = Vec::new();
    for shard in scan::texts(&described, "ShardId") {
        let start = format!(r#"{{"StreamArn":"{arn}","ShardId":"{shard}","ShardIteratorType":"TRIM_HORIZON"}}"#);
        let reply = caller.expect("GetShardIterator", &start)?;
        let mut next = scan::text(&reply, "ShardIterator");
        for _ in 0..PAGES_MAX {
            let Some(iterator) = next else { break };
            let request = format!(r#"{{"ShardIterator":"{iterator}"}}"#);
            let page = caller.expect("GetRecords", &request)?;
            pages.push((request, records(&page)));
            next = scan::text(&page, "NextShardIterator");
        }
    }
    let full = pages.iter().map(|(_, count)| *count).max().filter(|count| *count > 0);
    let full = full.ok_or_else(|| missing("records"))?;
    let endpoint = caller.endpoint();
    let shape = |(request, count): (String, u64)| {
        read(
            "GetRecords",
            Template::new(endpoint, "GetRecords", &Body::new(&request)),
            Draw::Nothing,
            Check::Records(count),
        )
    };
    Ok(pages.into_iter().filter(|(_, count)| *count == full).map(shape).collect())
}
