//! What lies in the tables, as templates.

use crate::client::Body;

/// Rows of a query table are 200 B each, as DynamoDB bills them.
const ROW_BYTES: u64 = 200;
/// `v-00000000 g-00000000 ` in front of the letters.
const STAMPS_BYTES: u64 = 22;
/// The query tables hold at most so many rows; partitions, not rows, are what a Query of one partition sees.
const ROWS_MAX: u64 = 10_000;
/// The tables with indexes, with a stream and with items that expire hold at most so many items.
const INDEXED_ITEMS_MAX: u64 = 10_000;

/// A table of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Table {
    Items,
    Query10,
    Query100,
    OneIndex,
    ThreeIndexes,
    Streamed,
    Expiring,
}

impl Table {
    /// Its name in the server. All begin with `bench_`: the tool deletes and recreates them.
    pub fn name(self) -> &'static str {
        match self {
            Table::Items => "bench_items",
            Table::Query10 => "bench_query_10",
            Table::Query100 => "bench_query_100",
            Table::OneIndex => "bench_one_index",
            Table::ThreeIndexes => "bench_three_indexes",
            Table::Streamed => "bench_streamed",
            Table::Expiring => "bench_expiring",
        }
    }

    /// Number of global indexes.
    pub fn indexes(self) -> usize {
        match self {
            Table::OneIndex => 1,
            Table::ThreeIndexes => 3,
            _ => 0,
        }
    }

    /// Numbers of an item without a sort key: its key, and what each index and the expiry is made of.
    pub fn numbers(self) -> usize {
        1 + self.indexes() + usize::from(self == Table::Expiring)
    }

    /// Rows per partition, for the tables with a sort key.
    pub fn rows_per_partition(self) -> Option<u64> {
        match self {
            Table::Query10 => Some(10),
            Table::Query100 => Some(100),
            _ => None,
        }
    }
}

/// How much data there is.
#[derive(Clone, Copy, Debug)]
pub struct Dataset {
    /// Items of the main table.
    pub items: u64,
    /// Size of each as DynamoDB bills it: names and values.
    pub item_bytes: u64,
}

impl Dataset {
    /// Items or rows of a table.
    pub fn rows(&self, table: Table) -> u64 {
        match table {
            Table::Items => self.items,
            // Whole partitions.
            Table::Query10 | Table::Query100 => self.items.min(ROWS_MAX).next_multiple_of(100),
            Table::OneIndex | Table::ThreeIndexes | Table::Streamed | Table::Expiring => {
                self.items.min(INDEXED_ITEMS_MAX)
            }
        }
    }

    /// Bytes of a table's items as DynamoDB bills them, and again for every index: they hold whole items.
    pub fn payload_bytes(&self, table: Table) -> u64 {
        let row_bytes = if table.rows_per_partition().is_some() { ROW_BYTES } else { self.item_bytes };
        self.rows(table) * row_bytes * (1 + table.indexes() as u64)
    }

    /// The size of an item as text: `1 KB`, `100 B`.
    pub fn item_size(&self) -> String {
        if self.item_bytes.is_multiple_of(1024) {
            format!("{} KB", self.item_bytes / 1024)
        } else {
            format!("{} B", self.item_bytes)
        }
    }

    /// An item of this table. Number 0 is its key (for query tables: 0 the partition, 1 the row); of tables with
    /// indexes, number *i* is the *i*-th index key; of that with items that expire, number 1 is when, in about 80 years. `generation` tells which slice wrote it.
    pub fn item(&self, table: Table, generation: u64) -> Body {
        if table.rows_per_partition().is_some() {
            let key = Body::new(r#"{"pk":{"S":"part-"#).digits(0).text(r#""},"sk":{"S":"row-"#).digits(1);
            let row = key.text(r#""},"payload":{"S":""#);
            // Names and values: pk 2 + 13, sk 2 + 12, payload 7 + the rest.
            return stamped(row, ROW_BYTES, 2 + 13 + 2 + 12 + 7, 1, generation).text(r#""}}"#);
        }
        let mut item = Body::new(r#"{"pk":{"S":"item-"#).digits(0).text(r#""},"n":{"N":"0"}"#);
        for index in 1..=table.indexes() {
            item = item.text(&format!(r#","g{index}":{{"S":"group-"#)).digits(index).text(r#""}"#);
        }
        if table == Table::Expiring {
            item = item.text(r#","ttl":{"N":"41"#).digits(1).text(r#""}"#);
        }
        // pk 2 + 13, n 1 + 2, payload 7 + the rest, each index key 2 + 14, ttl 3 + 6.
        let expiry = if table == Table::Expiring { 3 + 6 } else { 0 };
        let others = 2 + 13 + 3 + 7 + 16 * table.indexes() as u64 + expiry;
        stamped(item.text(r#","payload":{"S":""#), self.item_bytes, others, 0, generation).text(r#""}}"#)
    }

    /// The key of an item of a table without a sort key, with number 0.
    pub fn key() -> Body {
        Body::new(r#"{"pk":"#).append(&Dataset::key_value(), 0).text("}")
    }

    /// The value of that key's only attribute, with number 0.
    pub fn key_value() -> Body {
        Body::new(r#"{"S":"item-"#).digits(0).text(r#""}"#)
    }

    /// The value of the payload attribute alone, with number 0.
    pub fn payload(&self, generation: u64) -> Body {
        stamped(Body::new(r#"{"S":""#), self.item_bytes, 2 + 13 + 3 + 7, 0, generation).text(r#""}"#)
    }

    /// The UpdateTimeToLive request, for the table that has items that expire.
    pub fn time_to_live(table: Table) -> Option<String> {
        let specification = r#"{"AttributeName":"ttl","Enabled":true}"#;
        let name = table.name();
        (table == Table::Expiring)
            .then(|| format!(r#"{{"TableName":"{name}","TimeToLiveSpecification":{specification}}}"#))
    }

    /// The CreateTable request.
    pub fn create(table: Table) -> String {
        let mut attributes = r#"{"AttributeName":"pk","AttributeType":"S"}"#.to_owned();
        let mut keys = r#"{"AttributeName":"pk","KeyType":"HASH"}"#.to_owned();
        if table.rows_per_partition().is_some() {
            attributes.push_str(r#",{"AttributeName":"sk","AttributeType":"S"}"#);
            keys.push_str(r#",{"AttributeName":"sk","KeyType":"RANGE"}"#);
        }
        let mut indexes = Vec::new();
        for index in 1..=table.indexes() {
            attributes.push_str(&format!(r#",{{"AttributeName":"g{index}","AttributeType":"S"}}"#));
            indexes.push(format!(
                r#"{{"IndexName":"by_g{index}","KeySchema":[{{"AttributeName":"g{index}","KeyType":"HASH"}}],"Projection":{{"ProjectionType":"ALL"}}}}"#
            ));
        }
        let indexes = if indexes.is_empty() {
            String::new()
        } else {
            format!(r#","GlobalSecondaryIndexes":[{}]"#, indexes.join(","))
        };
        let stream = match table {
            Table::Streamed => r#","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}"#,
            _ => "",
        };
        format!(
            r#"{{"TableName":"{}","AttributeDefinitions":[{attributes}],"KeySchema":[{keys}],"BillingMode":"PAY_PER_REQUEST"{indexes}{stream}}}"#,
            table.name()
        )
    }
}

/// The text of a payload: the stamps, and as many letters as bring the item to its size. `others` is what the item's
/// names and other values take; the letters depend on number 0 and number `further`.
fn stamped(item: Body, item_bytes: u64, others: u64, further: usize, generation: u64) -> Body {
    let letters = item_bytes.saturating_sub(others + STAMPS_BYTES) as usize;
    item.text("v-").digits(0).text(&format!(" g-{generation:08} ")).letters(letters, 0, further, generation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Endpoint, Template, scan};

    #[test]
    fn items_have_their_size() {
        let dataset = Dataset { items: 100, item_bytes: 1024 };
        let mut template = Template::new(&Endpoint::local(1), "PutItem", &dataset.item(Table::OneIndex, 3));
        let text = template.fill(&[42, 7]);
        let payload = scan::value(text, "payload").and_then(|value| scan::value(value, "S")).expect("a payload");
        // Names pk, n, g1, payload; values item-00000042 (13), 0 (2 as billed), group-00000007 (14), and the payload.
        let billed = 2 + 13 + 1 + 2 + 2 + 14 + 7 + (payload.len() - 2);
        assert_eq!(billed, 1024);
        assert!(payload.starts_with(b"\"v-00000042 g-00000003 "), "{}", String::from_utf8_lossy(payload));
    }

    #[test]
    fn the_request_to_create_a_table_names_every_key_once() {
        let text = Dataset::create(Table::ThreeIndexes);
        assert_eq!(text.matches(r#""AttributeType":"S""#).count(), 4, "{text}");
        assert_eq!(text.matches("IndexName").count(), 3, "{text}");
    }
}
