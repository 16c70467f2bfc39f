//! The commands that change the catalog, as they travel in the log.
//!
//! `CreateTable`, `ChangeTable` and `DeleteTable` go to the system group, which decides: the name is free, the version
//! is the one that was planned for. It writes the catalog row and, because it owns ranges as well (on one shard: all
//! of them), installs the result by the same code that `Install` and `Uninstall` run on every other shard. Where there
//! are others it keeps a [`Rollout`](crate::catalog::Rollout) until it is told by a `Confirm…` that all of them are through.

use crate::catalog::{TableDescriptor, TableId, TableStep};
use crate::ids::StreamId;
use crate::record;

/// A change of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DdlCommand {
    /// Creates a table. The descriptor is complete but for what the log gives: its id is 0 and its indexes count from
    /// 1, relative to the counter; its times are 0; it has no UUID.
    CreateTable(Box<TableDescriptor>),
    /// Makes steps on the table, all or none.
    ChangeTable {
        /// Which table.
        table: TableId,
        /// The version that the steps were planned for.
        schema_version: u32,
        /// What to do, in order.
        steps: Vec<TableStep>,
    },
    /// Deletes the table and all its rows.
    DeleteTable {
        /// Which table.
        table: TableId,
        /// The version that was seen (without deletion protection).
        schema_version: u32,
    },
    /// Installs a descriptor in a shard; nothing where the same or a later version is installed. Refused where the
    /// shard has heard of a later era: the table may be gone.
    Install {
        /// The era at which the table was there.
        era: u64,
        /// The table.
        table: Box<TableDescriptor>,
    },
    /// Removes a deleted table's descriptor and rows from a shard.
    Uninstall {
        /// An era at which the table was deleted.
        era: u64,
        /// Which table.
        table: TableId,
    },
    /// Tells the system group that every shard has installed this version.
    ConfirmInstalled {
        /// Which table.
        table: TableId,
        /// The version that all have.
        schema_version: u32,
    },
    /// Tells the system group that no shard has the deleted table any more.
    ConfirmUninstalled {
        /// Which table.
        table: TableId,
    },
    /// Forgets a stream that is over and whose time to be kept has passed; for the system group.
    ForgetStream {
        /// Which stream.
        stream: StreamId,
    },
}

record! {
    enum DdlCommand: "DDL command" {
        1 = CreateTable(table),
        2 = ChangeTable { table, schema_version, steps },
        3 = DeleteTable { table, schema_version },
        4 = Install { era, table },
        5 = Uninstall { era, table },
        6 = ConfirmInstalled { table, schema_version },
        7 = ConfirmUninstalled { table },
        8 = ForgetStream { stream },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{
        BillingMode, IndexId, IndexState, KeyType, OnDemandLimits, Projection, SseSettings, StreamView, TableClass,
        WarmThroughput, fixture,
    };
    use crate::codec::Record;

    fn every_step() -> Vec<TableStep> {
        let index = IndexId(9);
        vec![
            TableStep::Billing(BillingMode::PayPerRequest),
            TableStep::Throughput { read_units: 1, write_units: 2 },
            TableStep::IndexThroughput { index, read_units: 300, write_units: 4 },
            TableStep::OnDemand(OnDemandLimits { read_units_max: Some(-1), write_units_max: Some(5) }),
            TableStep::IndexOnDemand { index, limits: OnDemandLimits::default() },
            TableStep::Warm(WarmThroughput { read_units_per_second: Some(1), write_units_per_second: None }),
            TableStep::IndexWarm { index, warm: WarmThroughput::default() },
            TableStep::Stream(Some(StreamView::OldImage)),
            TableStep::Stream(None),
            TableStep::Sse(Some(SseSettings { key: None })),
            TableStep::Class(TableClass::Standard),
            TableStep::DeletionProtection(true),
            TableStep::Tag { key: "k".to_owned(), value: "v".to_owned() },
            TableStep::Untag { key: "k".to_owned() },
            TableStep::Ttl { attribute: "t".to_owned(), enabled: false },
            TableStep::AttributeDefinitions(vec![fixture::attribute("a", KeyType::N)]),
            TableStep::CreateIndex(fixture::index(
                0,
                "i",
                false,
                fixture::keys(("a", KeyType::N), None),
                Projection::KeysOnly,
            )),
            TableStep::AdvanceIndex { index, to: IndexState::Dropping },
            TableStep::RemoveIndex { index },
            TableStep::Begin(Box::new(TableStep::Stream(None))),
            TableStep::BillingAgain,
            TableStep::Finish,
        ]
    }

    #[test]
    fn everything_comes_back() {
        for command in [
            DdlCommand::CreateTable(Box::new(fixture::orders())),
            DdlCommand::ChangeTable { table: TableId(7), schema_version: 3, steps: every_step() },
            DdlCommand::DeleteTable { table: TableId(7), schema_version: 300 },
            DdlCommand::Install { era: 300, table: Box::new(fixture::orders()) },
            DdlCommand::Uninstall { era: 2, table: TableId(7) },
            DdlCommand::ConfirmInstalled { table: TableId(7), schema_version: 300 },
            DdlCommand::ConfirmUninstalled { table: TableId(7) },
            DdlCommand::ForgetStream { stream: StreamId { table: TableId(7), since_ms: 300 } },
        ] {
            let mut bytes = Vec::new();
            command.encode(&mut bytes);
            let mut rest = &bytes[..];
            assert_eq!(DdlCommand::decode(&mut rest), Ok(command));
            assert!(rest.is_empty());
            for end in 0..bytes.len() {
                assert!(DdlCommand::decode(&mut &bytes[..end]).is_err());
            }
        }
    }

    #[test]
    fn golden_bytes_of_ddl_commands() {
        let bytes = |command: DdlCommand| {
            let mut bytes = Vec::new();
            command.encode(&mut bytes);
            bytes
        };
        let install = bytes(DdlCommand::Install { era: 300, table: Box::new(fixture::orders()) });
        assert_eq!((&install[..3], &install[3..]), (&[4, 0xac, 2][..], &fixture::orders().to_bytes()[..]));
        assert_eq!(bytes(DdlCommand::Uninstall { era: 300, table: TableId(7) }), [5, 0xac, 2, 7]);
        let confirm = DdlCommand::ConfirmInstalled { table: TableId(7), schema_version: 300 };
        assert_eq!(bytes(confirm), [6, 7, 0xac, 2]);
        assert_eq!(bytes(DdlCommand::ConfirmUninstalled { table: TableId(300) }), [7, 0xac, 2]);
        let stream = StreamId { table: TableId(7), since_ms: 300 };
        assert_eq!(bytes(DdlCommand::ForgetStream { stream }), [8, 7, 0xac, 2]);
    }

    /// Golden bytes: logs are replayed by later builds.
    #[test]
    fn steps_have_these_bytes() {
        let mut bytes = Vec::new();
        let command = DdlCommand::ChangeTable { table: TableId(7), schema_version: 3, steps: every_step() };
        command.encode(&mut bytes);
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, include_str!("../golden/steps_2.hex").trim_end());
        // As they were written before there were stream records.
        assert_eq!(
            DdlCommand::decode(&mut &fixture::hex(include_str!("../golden/steps_1.hex"))[..]).as_ref(),
            Ok(&command)
        );
    }

    /// Any bytes are decoded or refused, and what is decoded is encoded as it was meant.
    #[test]
    fn arbitrary_bytes_are_decoded_or_refused() {
        bolero::check!().for_each(|bytes: &[u8]| {
            let mut rest = bytes;
            let Ok(DdlCommand::ChangeTable { table, schema_version, steps }) = DdlCommand::decode(&mut rest) else {
                let _ = TableDescriptor::from_bytes(bytes);
                return;
            };
            let command = DdlCommand::ChangeTable { table, schema_version, steps };
            let mut again = Vec::new();
            command.encode(&mut again);
            assert_eq!(DdlCommand::decode(&mut &again[..]), Ok(command));
        });
    }
}
