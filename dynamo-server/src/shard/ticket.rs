//! A ticket: one command that waits for an entry, and that either the sequencer or its request takes.
//!
//! The sequencer takes it to put it into an entry; the request takes it back once its time is over or its client has gone.
//! The first of them gets the command and the other gets nothing: a withdrawn command cannot be proposed, and one that was
//! taken for an entry cannot be withdrawn. So a request whose time is over knows which of two
//! things to say: "certainly not done", or "not known".
//!
//! ```text
//!             sequencer takes it ──▶ in an entry: after the deadline, nobody knows
//!   waiting ─┤
//!             request withdraws it ──▶ gone, with its bytes: it was not done
//! ```
//!
//! The command is encoded when its ticket is made: its bytes are its weight, go into the log as they are, and are what a
//! request has left of it that must propose it once more.

use std::sync::Arc;

use dynamo_engine::catalog::{TableDescriptor, TableId};
use dynamo_engine::codec::Record as _;
use dynamo_engine::command::{Change, Command, DecodeError};
use parking_lot::Mutex;

use super::demand::{Demand, DiskUse};
use super::room::Reserved;
use crate::memory::Taken;

/// A command until somebody takes it, and its bytes.
pub struct Ticket {
    /// Held for a move of some words, never over an await, and wanted by two at most.
    command: Mutex<Option<Command>>,
    /// The command as it stands in an entry.
    bytes: Vec<u8>,
    /// What it has been given.
    _permits: Permits,
}

/// What a command is given of what the node has, until it has an outcome and nobody holds its bytes any more.
#[derive(Debug, Default)]
pub struct Permits {
    /// Memory.
    pub memory: Option<Taken>,
    /// Room on the disk.
    pub room: Option<Reserved>,
}

/// A ticket takes so many times the bytes of its command in memory: decoded and encoded.
const COPIES: usize = 2;

/// Room for a command's bytes, beside its item's; most commands need no more.
const ROOM: usize = 256;

impl Ticket {
    /// A command that nobody has taken.
    pub fn new(command: Command) -> Ticket {
        let body_bytes = match &command {
            Command::Write(write) => match &write.change {
                Change::Put(body) => body.as_bytes().len(),
                _ => 0,
            },
            _ => 0,
        };
        let mut bytes = Vec::with_capacity(body_bytes + ROOM);
        command.encode(&mut bytes);
        Ticket { command: Mutex::new(Some(command)), bytes, _permits: Permits::default() }
    }

    /// The same, which holds what it was given.
    pub fn with(self, permits: Permits) -> Ticket {
        Ticket { _permits: permits, ..self }
    }

    /// Bytes of memory that it takes until it has an outcome.
    pub fn memory_bytes(&self) -> usize {
        COPIES * self.bytes.len()
    }

    /// What the command may need of the disk; `table` gives the tables of its shard.
    pub fn demand(&self, table: impl Fn(TableId) -> Option<Arc<TableDescriptor>>) -> Demand {
        match &*self.command.lock() {
            Some(command) => Demand::of(command, self.bytes.len(), table),
            // Somebody has taken it, with what it was given.
            None => Demand { disk_use: DiskUse::Completes, bytes: 0 },
        }
    }

    /// Another ticket for the same command, which is given nothing yet.
    ///
    /// # Errors
    /// Where its bytes cannot be read, as never happens.
    pub fn again(&self) -> Result<Ticket, DecodeError> {
        let command = Command::decode(&mut &self.bytes[..])?;
        Ok(Ticket { command: Mutex::new(Some(command)), bytes: self.bytes.clone(), _permits: Permits::default() })
    }

    /// The command as it stands in an entry.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the command begins something, and may therefore be refused without leaving anything half done. `false` once
    /// somebody has taken it.
    pub fn is_new_work(&self) -> bool {
        matches!(
            &*self.command.lock(),
            Some(Command::Write(_) | Command::Transact(_) | Command::Prepare(_) | Command::Expire(_))
        )
    }

    /// The command, for the first who asks.
    pub fn take(&self) -> Option<Command> {
        self.command.lock().take()
    }

    /// Whether somebody has taken it.
    pub fn is_taken(&self) -> bool {
        self.command.lock().is_none()
    }
}

#[cfg(test)]
mod tests;
