//! The commands that change the catalog, as they travel in the log.
//!
//! `CreateTable`, `ChangeTable` and `DeleteTable` go to the system group, which decides: the name is free, the version
//! is the one that was planned for. It writes the catalog row and, because it owns ranges as well (on one shard: all
//! of them), installs the result by the same code that `Install` and `Uninstall` run on every other shard. Where there
//! are others it keeps a [`Rollout`](super::Rollout) until it is told by a `Confirm…` that all of them are through.

use crate::codec::{
    DecodeError, get_bool, get_list, get_option, get_str, get_u8, get_u32, get_u64, put_bool, put_list, put_option,
    put_str, put_u64,
};

use super::codec::{
    billing_tag, get_attribute, get_billing, get_class_name, get_index, get_on_demand, get_sse, get_state,
    get_stream_view, get_warm, put_attribute, put_class_name, put_index, put_on_demand, put_sse, put_state,
    put_stream_view, put_warm,
};
use super::{IndexId, TableDescriptor, TableId, TableStep};
use crate::ids::StreamId;

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

impl DdlCommand {
    /// Appends the command; its format is the enclosing entry's.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            DdlCommand::CreateTable(table) => {
                out.push(1);
                table.encode(out);
            }
            DdlCommand::ChangeTable { table, schema_version, steps } => {
                out.push(2);
                put_u64(out, table.0);
                put_u64(out, (*schema_version).into());
                put_list(out, steps, put_step);
            }
            DdlCommand::DeleteTable { table, schema_version } => {
                out.push(3);
                put_u64(out, table.0);
                put_u64(out, (*schema_version).into());
            }
            DdlCommand::Install { era, table } => {
                out.push(4);
                put_u64(out, *era);
                table.encode(out);
            }
            DdlCommand::Uninstall { era, table } => {
                out.push(5);
                put_u64(out, *era);
                put_u64(out, table.0);
            }
            DdlCommand::ConfirmInstalled { table, schema_version } => {
                out.push(6);
                put_u64(out, table.0);
                put_u64(out, (*schema_version).into());
            }
            DdlCommand::ConfirmUninstalled { table } => {
                out.push(7);
                put_u64(out, table.0);
            }
            DdlCommand::ForgetStream { stream } => {
                out.push(8);
                put_u64(out, stream.table.0);
                put_u64(out, stream.since_ms);
            }
        }
    }

    /// Takes a command off the front of `input`.
    ///
    /// # Errors
    ///
    /// Any bytes that [`DdlCommand::encode`] cannot have written.
    pub fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        Ok(match get_u8(input)? {
            1 => DdlCommand::CreateTable(Box::new(TableDescriptor::decode(input)?)),
            2 => DdlCommand::ChangeTable {
                table: TableId(get_u64(input)?),
                schema_version: get_u32(input)?,
                steps: get_list(input, get_step)?,
            },
            3 => DdlCommand::DeleteTable { table: TableId(get_u64(input)?), schema_version: get_u32(input)? },
            4 => DdlCommand::Install { era: get_u64(input)?, table: Box::new(TableDescriptor::decode(input)?) },
            5 => DdlCommand::Uninstall { era: get_u64(input)?, table: TableId(get_u64(input)?) },
            6 => DdlCommand::ConfirmInstalled { table: TableId(get_u64(input)?), schema_version: get_u32(input)? },
            7 => DdlCommand::ConfirmUninstalled { table: TableId(get_u64(input)?) },
            8 => DdlCommand::ForgetStream {
                stream: StreamId { table: TableId(get_u64(input)?), since_ms: get_u64(input)? },
            },
            tag => return Err(DecodeError::Tag { what: "DDL command", tag }),
        })
    }
}

fn put_units(out: &mut Vec<u8>, read_units: u64, write_units: u64) {
    put_u64(out, read_units);
    put_u64(out, write_units);
}

/// Appends a step.
pub(super) fn put_step(out: &mut Vec<u8>, step: &TableStep) {
    out.push(step_tag(step));
    match step {
        TableStep::Billing(mode) => out.push(billing_tag(*mode)),
        TableStep::Throughput { read_units, write_units } => put_units(out, *read_units, *write_units),
        TableStep::IndexThroughput { index, read_units, write_units } => {
            put_u64(out, index.0);
            put_units(out, *read_units, *write_units);
        }
        TableStep::OnDemand(limits) => put_on_demand(out, limits),
        TableStep::IndexOnDemand { index, limits } => {
            put_u64(out, index.0);
            put_on_demand(out, limits);
        }
        TableStep::Warm(warm) => put_warm(out, warm),
        TableStep::IndexWarm { index, warm } => {
            put_u64(out, index.0);
            put_warm(out, warm);
        }
        TableStep::Stream(view) => put_option(out, view.as_ref(), |out, view| put_stream_view(out, *view)),
        TableStep::Sse(sse) => put_option(out, sse.as_ref(), put_sse),
        TableStep::Class(class) => put_class_name(out, *class),
        TableStep::DeletionProtection(on) => put_bool(out, *on),
        TableStep::Tag { key, value } => {
            put_str(out, key);
            put_str(out, value);
        }
        TableStep::Untag { key } => put_str(out, key),
        TableStep::Ttl { attribute, enabled } => {
            put_str(out, attribute);
            put_bool(out, *enabled);
        }
        TableStep::AttributeDefinitions(definitions) => put_list(out, definitions, put_attribute),
        TableStep::CreateIndex(index) => put_index(out, index),
        TableStep::AdvanceIndex { index, to } => {
            put_u64(out, index.0);
            put_state(out, *to);
        }
        TableStep::RemoveIndex { index } => put_u64(out, index.0),
        TableStep::Begin(step) => put_step(out, step),
        TableStep::BillingAgain | TableStep::Finish => {}
    }
}

fn step_tag(step: &TableStep) -> u8 {
    match step {
        TableStep::Billing(_) => 1,
        TableStep::Throughput { .. } => 2,
        TableStep::IndexThroughput { .. } => 3,
        TableStep::OnDemand(_) => 4,
        TableStep::IndexOnDemand { .. } => 5,
        TableStep::Warm(_) => 6,
        TableStep::IndexWarm { .. } => 7,
        TableStep::Stream(_) => 22,
        TableStep::Sse(_) => 9,
        TableStep::Class(_) => 10,
        TableStep::DeletionProtection(_) => 11,
        TableStep::Tag { .. } => 12,
        TableStep::Untag { .. } => 13,
        TableStep::Ttl { .. } => 14,
        TableStep::AttributeDefinitions(_) => 15,
        TableStep::CreateIndex(_) => 16,
        TableStep::AdvanceIndex { .. } => 17,
        TableStep::RemoveIndex { .. } => 18,
        TableStep::Begin(_) => 19,
        TableStep::BillingAgain => 20,
        TableStep::Finish => 21,
    }
}

fn get_step(input: &mut &[u8]) -> Result<TableStep, DecodeError> {
    match input.first() {
        Some(19) => {
            *input = &input[1..];
            Ok(TableStep::Begin(Box::new(get_plain_step(input)?)))
        }
        Some(21) => {
            *input = &input[1..];
            Ok(TableStep::Finish)
        }
        _ => get_plain_step(input),
    }
}

/// Takes a step that is not about other steps.
pub(super) fn get_plain_step(input: &mut &[u8]) -> Result<TableStep, DecodeError> {
    let index = |input: &mut &[u8]| get_u64(input).map(IndexId);
    Ok(match get_u8(input)? {
        1 => TableStep::Billing(get_billing(input)?),
        2 => TableStep::Throughput { read_units: get_u64(input)?, write_units: get_u64(input)? },
        3 => TableStep::IndexThroughput {
            index: index(input)?,
            read_units: get_u64(input)?,
            write_units: get_u64(input)?,
        },
        4 => TableStep::OnDemand(get_on_demand(input)?),
        5 => TableStep::IndexOnDemand { index: index(input)?, limits: get_on_demand(input)? },
        6 => TableStep::Warm(get_warm(input)?),
        7 => TableStep::IndexWarm { index: index(input)?, warm: get_warm(input)? },
        // 8 is read and no longer written; builds from before there were records stop at 22.
        8 => TableStep::Stream(get_option(input, get_stream_view)?),
        9 => TableStep::Sse(get_option(input, get_sse)?),
        10 => TableStep::Class(get_class_name(input)?),
        11 => TableStep::DeletionProtection(get_bool(input)?),
        12 => TableStep::Tag { key: get_str(input)?, value: get_str(input)? },
        13 => TableStep::Untag { key: get_str(input)? },
        14 => TableStep::Ttl { attribute: get_str(input)?, enabled: get_bool(input)? },
        15 => TableStep::AttributeDefinitions(get_list(input, get_attribute)?),
        16 => TableStep::CreateIndex(get_index(input)?),
        17 => TableStep::AdvanceIndex { index: index(input)?, to: get_state(input)? },
        18 => TableStep::RemoveIndex { index: index(input)? },
        20 => TableStep::BillingAgain,
        22 => TableStep::Stream(get_option(input, get_stream_view)?),
        tag => return Err(DecodeError::Tag { what: "table step", tag }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{
        BillingMode, IndexState, KeyType, OnDemandLimits, Projection, SseSettings, StreamView, TableClass,
        WarmThroughput, fixture,
    };

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
    fn what_other_shards_are_told_has_these_bytes() {
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
        assert_eq!(text, include_str!("golden/steps_2.hex").trim_end());
        // As they were written before there were stream records.
        assert_eq!(
            DdlCommand::decode(&mut &fixture::hex(include_str!("golden/steps_1.hex"))[..]).as_ref(),
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
