//! What a command wants of the disk: whether it may be refused where there is little, and the most that it may take.
//!
//! A command is not what it leaves behind. A delete in a table whose stream keeps old images leaves a record as large as the
//! item; a put is in the log, the table, its indexes (those of other shards pass through a queue) and the stream; a small
//! update may write a large item. Near a full disk the most that each may take is counted, so that clients are refused
//! before they have used up what is kept for commands that must never be.

use std::sync::Arc;

use dynamo_engine::catalog::{DdlCommand, StreamView, TableDescriptor, TableId, TableStep};
use dynamo_engine::command::{Change, Command, ItemWrite};
use dynamo_engine::cost::ENTRY_ROWS_BYTES_MAX;
use dynamo_protocol::limits::ITEM_BYTES_MAX;

/// The largest item.
const ITEM_BYTES: u64 = ITEM_BYTES_MAX as u64;

/// What a step that fills an index or a queue may take: a megabyte of rows and one more, in a queue and in the index.
const FILL_BYTES: u64 = 4 << 20;

/// Whether a command may be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskUse {
    /// It ends something that was begun, and is never refused.
    Completes,
    /// It leaves less behind than it found, or as much.
    Frees,
    /// It adds something.
    Grows,
}

/// What a command wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Whether it may be refused.
    pub disk_use: DiskUse,
    /// The most that it may take of the disk, in bytes, before anything is merged.
    pub bytes: u64,
}

/// What writes to a table leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Traces {
    /// How often an item that is written is stored, beside the log.
    copies: u64,
    /// Whether what an item was before is kept.
    keeps_old: bool,
}

impl Traces {
    /// Of a table that is not known here nothing will be written.
    fn of(table: Option<Arc<TableDescriptor>>) -> Traces {
        let Some(table) = table else { return Traces::default() };
        // Entries of global indexes wait in a queue.
        let in_indexes: u64 = table.indexes.iter().map(|index| if index.local { 1 } else { 2 }).sum();
        let view = table.live_stream().map(|stream| stream.view);
        let has_new = matches!(view, Some(StreamView::NewImage | StreamView::NewAndOldImages));
        let keeps_old = matches!(view, Some(StreamView::OldImage | StreamView::NewAndOldImages));
        Traces { copies: 1 + in_indexes + u64::from(has_new), keeps_old }
    }
}

impl Demand {
    /// What `command` wants, which takes so many bytes in the log; `table` gives the tables of its shard.
    pub fn of(command: &Command, log_bytes: usize, table: impl Fn(TableId) -> Option<Arc<TableDescriptor>>) -> Demand {
        let log_bytes = log_bytes as u64;
        let completes = Demand { disk_use: DiskUse::Completes, bytes: log_bytes };
        match command {
            Command::Write(write) => Demand::of_writes(std::slice::from_ref(write), log_bytes, table),
            Command::Transact(transaction) => Demand::of_writes(&transaction.actions, log_bytes, table),
            // What is prepared is kept until it is resolved.
            Command::Prepare(prepare) => Demand::of_writes(&prepare.actions, 2 * log_bytes, table),
            Command::Ddl(ddl) => match ddl {
                DdlCommand::CreateTable(_) => Demand { disk_use: DiskUse::Grows, ..completes },
                DdlCommand::ChangeTable { steps, .. } if steps.iter().any(step_grows) => {
                    Demand { disk_use: DiskUse::Grows, ..completes }
                }
                DdlCommand::ChangeTable { .. }
                | DdlCommand::DeleteTable { .. }
                | DdlCommand::Install { .. }
                | DdlCommand::Uninstall { .. }
                | DdlCommand::ConfirmInstalled { .. }
                | DdlCommand::ConfirmUninstalled { .. }
                | DdlCommand::ForgetStream { .. } => completes,
            },
            // Nobody waits for the next rows of what is being filled; it goes on when there is room.
            Command::BackfillStep(_) | Command::FillTtlQueue(_) => {
                Demand { disk_use: DiskUse::Grows, bytes: log_bytes + FILL_BYTES }
            }
            Command::Expire(expire) => match Traces::of(table(expire.table)).keeps_old {
                true => {
                    // What would be more is put off when it is applied.
                    let kept = (expire.items.len() as u64 * ITEM_BYTES).min(ENTRY_ROWS_BYTES_MAX as u64 + ITEM_BYTES);
                    Demand { disk_use: DiskUse::Grows, bytes: log_bytes + kept }
                }
                false => Demand { disk_use: DiskUse::Frees, bytes: log_bytes },
            },
            Command::Noop
            | Command::RaiseCeiling
            | Command::Decide(_)
            | Command::Resolve(_)
            | Command::Forget(_)
            | Command::ApplyOutbox(_)
            | Command::TrimOutbox(_)
            | Command::TendStreams(_)
            | Command::AgeTokens(_) => completes,
        }
    }

    fn of_writes(
        writes: &[ItemWrite],
        log_bytes: u64,
        table: impl Fn(TableId) -> Option<Arc<TableDescriptor>>,
    ) -> Demand {
        let mut demand = Demand { disk_use: DiskUse::Frees, bytes: log_bytes };
        for write in writes {
            let traces = Traces::of(table(write.table));
            let (is_growth, written) = match &write.change {
                Change::Put(body) => (true, body.as_bytes().len() as u64),
                Change::Update(_) => (true, ITEM_BYTES),
                Change::Delete => (traces.keeps_old, 0),
                Change::Check => continue,
            };
            if is_growth {
                demand.disk_use = DiskUse::Grows;
            }
            demand.bytes += written * traces.copies + if traces.keeps_old { ITEM_BYTES } else { 0 };
        }
        demand
    }
}

/// Only a new index takes room worth speaking of; the other steps are some bytes, and one of them lets a table be deleted.
fn step_grows(step: &TableStep) -> bool {
    matches!(step, TableStep::CreateIndex(_))
}

#[cfg(test)]
mod tests;
