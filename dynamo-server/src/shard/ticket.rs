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

use dynamo_engine::codec::Record as _;
use dynamo_engine::command::{Change, Command, DecodeError};
use parking_lot::Mutex;

/// A command until somebody takes it, and its bytes.
pub struct Ticket {
    /// Held for a move of some words, never over an await, and wanted by two at most.
    command: Mutex<Option<Command>>,
    /// The command as it stands in an entry.
    bytes: Vec<u8>,
}

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
        Ticket { command: Mutex::new(Some(command)), bytes }
    }

    /// Another ticket for the same command.
    ///
    /// # Errors
    /// Where its bytes cannot be read, as never happens.
    pub fn again(&self) -> Result<Ticket, DecodeError> {
        let command = Command::decode(&mut &self.bytes[..])?;
        Ok(Ticket { command: Mutex::new(Some(command)), bytes: self.bytes.clone() })
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
