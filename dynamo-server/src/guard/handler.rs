//! Who passes the guard, for the metrics.

use dynamo_engine::read::{ReadKind, ReadPlan};

/// What a check of a shard is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Handler {
    /// GetItem.
    GetItem,
    /// BatchGetItem.
    BatchGetItem,
    /// Query.
    Query,
    /// Scan.
    Scan,
    /// TransactGetItems.
    TransactGetItems,
    /// The catalog, which a node confirms before it says that a table does not exist; and whatever else only asks who
    /// leads.
    Catalog,
    /// ExecuteStatement.
    ExecuteStatement,
    /// BatchExecuteStatement.
    BatchExecuteStatement,
    /// DescribeStream.
    DescribeStream,
    /// GetShardIterator.
    GetShardIterator,
    /// GetRecords.
    GetRecords,
}

impl Handler {
    /// All of them, in the order of their numbers.
    pub const ALL: [Handler; 11] = [
        Handler::GetItem,
        Handler::BatchGetItem,
        Handler::Query,
        Handler::Scan,
        Handler::TransactGetItems,
        Handler::Catalog,
        Handler::ExecuteStatement,
        Handler::BatchExecuteStatement,
        Handler::DescribeStream,
        Handler::GetShardIterator,
        Handler::GetRecords,
    ];

    /// The handler that runs this plan.
    pub fn of(plan: &ReadPlan) -> Handler {
        match plan.kind() {
            ReadKind::GetItem => Handler::GetItem,
            ReadKind::BatchGetItem => Handler::BatchGetItem,
            ReadKind::Query => Handler::Query,
            ReadKind::Scan => Handler::Scan,
            ReadKind::TransactGetItems => Handler::TransactGetItems,
            ReadKind::ExecuteStatement => Handler::ExecuteStatement,
            ReadKind::BatchExecuteStatement => Handler::BatchExecuteStatement,
        }
    }

    /// The handler with this number in a message of a peer.
    pub fn from_number(number: u8) -> Option<Handler> {
        Handler::ALL.get(usize::from(number)).copied()
    }

    /// As the metrics page calls it.
    pub fn name(self) -> &'static str {
        match self {
            Handler::GetItem => "GetItem",
            Handler::BatchGetItem => "BatchGetItem",
            Handler::Query => "Query",
            Handler::Scan => "Scan",
            Handler::TransactGetItems => "TransactGetItems",
            Handler::Catalog => "Catalog",
            Handler::ExecuteStatement => "ExecuteStatement",
            Handler::BatchExecuteStatement => "BatchExecuteStatement",
            Handler::DescribeStream => "DescribeStream",
            Handler::GetShardIterator => "GetShardIterator",
            Handler::GetRecords => "GetRecords",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_back() {
        for (number, handler) in Handler::ALL.into_iter().enumerate() {
            assert_eq!(handler as usize, number);
            assert_eq!(Handler::from_number(number as u8), Some(handler));
        }
        assert_eq!(Handler::from_number(Handler::ALL.len() as u8), None);
    }
}
