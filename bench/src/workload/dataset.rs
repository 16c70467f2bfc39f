//! What lies in the tables, as templates.

use dynamo_protocol::ops::read_item;
use dynamo_protocol::size::item_bytes;

use super::Style;
use crate::client::Body;

/// Rows of a query table are 200 B each, as DynamoDB bills them.
const ROW_BYTES: u64 = 200;
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
    /// What items are made of.
    pub style: Style,
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
        self.rows(table) * self.bytes_of(table) * (1 + table.indexes() as u64)
    }

    /// Size of an item of this table, as DynamoDB bills it.
    fn bytes_of(&self, table: Table) -> u64 {
        if table.rows_per_partition().is_some() { ROW_BYTES } else { self.item_bytes }
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
        let payload = stamped(generation, self.letters(table), further(table));
        self.others(table, generation).text(r#","payload":"#).append(&payload, 0).text("}")
    }

    /// The attributes of an item before its payload.
    fn others(&self, table: Table, generation: u64) -> Body {
        let mut item = match table.rows_per_partition() {
            Some(_) => {
                Body::new(r#"{"pk":{"S":"part-"#).digits(0).text(r#""},"sk":{"S":"row-"#).digits(1).text(r#""}"#)
            }
            None => Body::new(r#"{"pk":{"S":"item-"#).digits(0).text(r#""},"n":{"N":"0"}"#),
        };
        for index in 1..=table.indexes() {
            item = item.text(&format!(r#","g{index}":{{"S":"group-"#)).digits(index).text(r#""}"#);
        }
        if table == Table::Expiring {
            item = item.text(r#","ttl":{"N":"41"#).digits(1).text(r#""}"#);
        }
        match self.style {
            Style::Plain => item,
            Style::Sdk => self.of_all_types(item, table, generation),
        }
    }

    /// Nine attributes more: with keys, counter or row, and payload they are twelve. The long ones share the size evenly.
    fn of_all_types(&self, item: Body, table: Table, generation: u64) -> Body {
        /// What names and short values take of a sixth of the size.
        const FIXED_BYTES: u64 = 28;
        let share = (self.bytes_of(table) / 6).saturating_sub(FIXED_BYTES) as usize;
        // Each attribute has letters of its own, in each generation others.
        let mut seed = generation << 8;
        let mut letters = |body: Body, length: usize| {
            seed += 1;
            body.letters(length, 0, further(table), seed)
        };
        let item = letters(item.text(r#","title":{"S":""#), share);
        // Four letters are three bytes.
        let item = letters(item.text(r#""},"photo":{"B":""#), share / 3 * 4);
        let item = item.text(r#""},"price":{"N":"1"#).digits(0).text(r#"4711.25"},"active":{"BOOL":true}"#);
        let item = letters(item.text(r#","deleted":{"NULL":true},"tags":{"SS":["a-"#), share / 3);
        let item = letters(item.text(r#"","b-"#), share / 3);
        let item = letters(item.text(r#"","c-"#), share / 3);
        // Numbers begin and end in digits other than zero: their size is always the same.
        let item =
            item.text(r#""]},"scores":{"NS":["1"#).digits(0).text(r#"1","2"#).digits(0).text(r#"1","3"#).digits(0);
        let item = letters(item.text(r#"1"]},"history":{"L":[{"S":""#), share);
        let item = item.text(r#""},{"N":"7"}]},"address":{"M":{"zip":{"N":"1"#).digits(0);
        let item = letters(item.text(r#"1"},"street":{"S":""#), share);
        item.text(r#""}}}"#)
    }

    /// The letters of the payload that bring an item to its size.
    fn letters(&self, table: Table) -> usize {
        let least = self.others(table, 0).text(r#","payload":"#).append(&stamped(0, 0, further(table)), 0).text("}");
        let least = item_bytes(&read_item(least.bytes()).expect("an item with zeros for numbers"));
        (self.bytes_of(table) as usize).saturating_sub(least)
    }

    /// The key of an item of a table without a sort key, with number 0.
    pub fn key() -> Body {
        Body::new(r#"{"pk":"#).append(&Dataset::key_value(), 0).text("}")
    }

    /// The value of that key's only attribute, with number 0.
    pub fn key_value() -> Body {
        Body::new(r#"{"S":"item-"#).digits(0).text(r#""}"#)
    }

    /// The value of the payload attribute of the main table's items alone, with number 0.
    pub fn payload(&self, generation: u64) -> Body {
        stamped(generation, self.letters(Table::Items), 0)
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

/// The value of a payload: the stamps, and so many letters that depend on number 0 and number `further`.
fn stamped(generation: u64, letters: usize, further: usize) -> Body {
    let stamps = Body::new(r#"{"S":"v-"#).digits(0).text(&format!(" g-{generation:08} "));
    stamps.letters(letters, 0, further, generation).text(r#""}"#)
}

/// The number behind the first one that the letters of a table's items depend on: rows differ within their partition.
fn further(table: Table) -> usize {
    usize::from(table.rows_per_partition().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Endpoint, Template, scan};

    #[test]
    fn items_have_their_size_and_say_who_they_are() {
        for (style, attributes) in [(Style::Plain, 3), (Style::Sdk, 12)] {
            let dataset = Dataset { items: 100, item_bytes: 1024, style };
            for table in [Table::Items, Table::Query10, Table::OneIndex] {
                let mut template = Template::new(&Endpoint::local(1), "PutItem", &dataset.item(table, 3));
                let text = template.fill(&[42, 7]);
                let body = memchr::memmem::find(text, b"\r\n\r\n").expect("a head") + 4;
                let item = read_item(&text[body..]).expect("an item");
                assert_eq!(item_bytes(&item) as u64, dataset.bytes_of(table), "{table:?} {style:?}");
                let more = table.indexes();
                assert_eq!(item.len(), attributes + more, "{table:?} {style:?}");
                let payload = scan::value(text, "payload").and_then(|value| scan::text(value, "S"));
                let payload = payload.expect("a payload");
                assert!(payload.starts_with("v-00000042 g-00000003 "), "{payload}");
            }
        }
    }

    #[test]
    fn an_item_of_all_types_has_all_types() {
        let dataset = Dataset { items: 100, item_bytes: 1024, style: Style::Sdk };
        let item = dataset.item(Table::Items, 0);
        for name in ["S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS"] {
            assert!(scan::contains(item.bytes(), format!("{{\"{name}\":").as_bytes()), "no {name}");
        }
    }

    #[test]
    fn the_request_to_create_a_table_names_every_key_once() {
        let text = Dataset::create(Table::ThreeIndexes);
        assert_eq!(text.matches(r#""AttributeType":"S""#).count(), 4, "{text}");
        assert_eq!(text.matches("IndexName").count(), 3, "{text}");
    }
}
