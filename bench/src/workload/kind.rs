//! The list of workloads.

use super::{Style, Table};

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Kind {
    GetItem,
    PutItem,
    UpdateItem,
    Query10,
    Query100,
    Scan,
    BatchGetItem,
    BatchWriteItem,
    TransactGetItems,
    TransactWriteItems,
    YcsbA,
    YcsbB,
    PutItemOneIndex,
    PutItemThreeIndexes,
    Select,
    UpdateStatement,
    PutItemStream,
    GetRecords,
    PutItemTtl,
}

/// What a durable one-shard server should reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// Server CPU per request over the calibrator's, at most.
    pub cpu_ratio: f64,
    /// Requests a second over the calibrator's, at least; `None` where requests a second count by themselves.
    pub wall_ratio: Option<f64>,
    /// Requests a second, at least.
    pub per_second: Option<f64>,
}

impl Kind {
    /// All, in the order of the table.
    pub const ALL: [Kind; 19] = [
        Kind::GetItem,
        Kind::PutItem,
        Kind::UpdateItem,
        Kind::Query10,
        Kind::Query100,
        Kind::Scan,
        Kind::BatchGetItem,
        Kind::BatchWriteItem,
        Kind::TransactGetItems,
        Kind::TransactWriteItems,
        Kind::YcsbA,
        Kind::YcsbB,
        Kind::PutItemOneIndex,
        Kind::PutItemThreeIndexes,
        Kind::Select,
        Kind::UpdateStatement,
        Kind::PutItemStream,
        Kind::GetRecords,
        Kind::PutItemTtl,
    ];

    /// The name on the command line.
    pub fn slug(self) -> &'static str {
        match self {
            Kind::GetItem => "get",
            Kind::PutItem => "put",
            Kind::UpdateItem => "update",
            Kind::Query10 => "query-10",
            Kind::Query100 => "query-100",
            Kind::Scan => "scan",
            Kind::BatchGetItem => "batch-get",
            Kind::BatchWriteItem => "batch-write",
            Kind::TransactGetItems => "transact-get",
            Kind::TransactWriteItems => "transact-write",
            Kind::YcsbA => "ycsb-a",
            Kind::YcsbB => "ycsb-b",
            Kind::PutItemOneIndex => "put-1-index",
            Kind::PutItemThreeIndexes => "put-3-indexes",
            Kind::Select => "partiql-select",
            Kind::UpdateStatement => "partiql-update",
            Kind::PutItemStream => "put-stream",
            Kind::GetRecords => "get-records",
            Kind::PutItemTtl => "put-ttl",
        }
    }

    /// The kind with this name.
    pub fn from_slug(slug: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.slug() == slug)
    }

    /// The name in tables; `item` is the size of an item as text.
    pub fn title(self, item: &str) -> String {
        match self {
            Kind::GetItem => format!("GetItem, consistent, {item}"),
            Kind::PutItem => format!("PutItem {item}"),
            Kind::UpdateItem => "UpdateItem, counter".to_owned(),
            Kind::Query10 => "Query 10 × 200 B".to_owned(),
            Kind::Query100 => "Query 100 × 200 B".to_owned(),
            Kind::Scan => "Scan, 1 MB page".to_owned(),
            Kind::BatchGetItem => format!("BatchGetItem 25 × {item}"),
            Kind::BatchWriteItem => format!("BatchWriteItem 25 × {item}"),
            Kind::TransactGetItems => format!("TransactGetItems 4 × {item}"),
            Kind::TransactWriteItems => format!("TransactWriteItems 4 × {item}"),
            Kind::YcsbA => "YCSB-A 50/50 zipfian".to_owned(),
            Kind::YcsbB => "YCSB-B 95/5 zipfian".to_owned(),
            Kind::PutItemOneIndex => format!("PutItem {item}, 1 global index"),
            Kind::PutItemThreeIndexes => format!("PutItem {item}, 3 global indexes"),
            Kind::Select => format!("PartiQL SELECT by key, consistent, {item}"),
            Kind::UpdateStatement => "PartiQL UPDATE by key, counter".to_owned(),
            Kind::PutItemStream => format!("PutItem {item}, stream with both images"),
            Kind::GetRecords => format!("GetRecords 1,000 × {item}"),
            Kind::PutItemTtl => format!("PutItem {item}, another expiry each time"),
        }
    }

    /// What we aim at with this load, every write synced to disk; `None` for rows without a goal.
    pub fn goal(self, style: Style) -> Option<Goal> {
        let goal = |plain: (f64, f64), sdk_cpu_ratio| match style {
            Style::Plain => Some(Goal { cpu_ratio: plain.0, wall_ratio: Some(plain.1), per_second: None }),
            Style::Sdk => Some(Goal { cpu_ratio: sdk_cpu_ratio, wall_ratio: None, per_second: None }),
        };
        match self {
            Kind::GetItem => goal((2.5, 0.55), 2.0),
            Kind::PutItem => goal((9.0, 0.17), 5.0),
            Kind::UpdateItem => goal((10.0, 0.16), 5.5),
            Kind::Query10 => goal((5.0, 0.33), 4.0),
            Kind::Query100 => goal((16.0, 0.12), 8.0),
            Kind::Scan => match style {
                Style::Plain => Some(Goal { cpu_ratio: 700.0, wall_ratio: None, per_second: Some(250.0) }),
                Style::Sdk => Some(Goal { cpu_ratio: 300.0, wall_ratio: None, per_second: None }),
            },
            Kind::BatchGetItem => goal((25.0, 0.07), 12.0),
            Kind::BatchWriteItem => goal((120.0, 0.015), 60.0),
            Kind::TransactGetItems => goal((6.0, 0.25), 4.0),
            Kind::TransactWriteItems => goal((25.0, 0.07), 11.0),
            Kind::YcsbA if style == Style::Sdk => Some(Goal { cpu_ratio: 4.5, wall_ratio: None, per_second: None }),
            Kind::YcsbB => goal((3.3, 0.42), 2.6),
            // A quarter more than without a stream.
            Kind::PutItemStream => goal((11.25, 0.14), 6.25),
            Kind::YcsbA
            | Kind::PutItemOneIndex
            | Kind::PutItemThreeIndexes
            | Kind::Select
            | Kind::UpdateStatement
            | Kind::GetRecords
            | Kind::PutItemTtl => None,
        }
    }

    /// The table that it works on.
    pub fn table(self) -> Table {
        match self {
            Kind::Query10 => Table::Query10,
            Kind::Query100 => Table::Query100,
            Kind::PutItemOneIndex => Table::OneIndex,
            Kind::PutItemThreeIndexes => Table::ThreeIndexes,
            Kind::PutItemStream | Kind::GetRecords => Table::Streamed,
            Kind::PutItemTtl => Table::Expiring,
            _ => Table::Items,
        }
    }

    /// Whether requests change anything, and so what fsyncs per write are counted for.
    pub fn writes(self) -> bool {
        matches!(
            self,
            Kind::PutItem
                | Kind::UpdateItem
                | Kind::BatchWriteItem
                | Kind::TransactWriteItems
                | Kind::PutItemOneIndex
                | Kind::PutItemThreeIndexes
                | Kind::UpdateStatement
                | Kind::PutItemStream
                | Kind::PutItemTtl
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_unique() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_slug(kind.slug()), Some(kind));
        }
    }
}
