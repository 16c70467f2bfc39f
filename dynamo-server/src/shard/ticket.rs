//! A command that waits for its turn, and the one who gets it.
//!
//! Two want it: the sequencer, to put it into an entry, and the request, to take it back once its time is over or its
//! client has gone. Whoever comes first holds the command, and there is no second one to be had: what was withdrawn cannot
//! be proposed, and what was taken for an entry cannot be withdrawn. So a request whose time is over knows which of two
//! things to say: "certainly not done", or "not known".
//!
//! ```text
//!             sequencer takes it ──▶ in an entry: after the deadline, nobody knows
//!   waiting ─┤
//!             request withdraws it ──▶ gone, with its bytes: it was not done
//! ```

use dynamo_engine::command::Command;
use parking_lot::Mutex;

/// A command until somebody takes it.
pub struct Ticket {
    /// Held for a move of some words, never over an await, and wanted by two at most.
    command: Mutex<Option<Command>>,
}

impl Ticket {
    /// A command that nobody has taken.
    pub fn new(command: Command) -> Ticket {
        Ticket { command: Mutex::new(Some(command)) }
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
