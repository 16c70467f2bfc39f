//! What a node writes down before it installs a snapshot, so that a crash in the middle leaves nothing half done.
//!
//! Log and state lie in two stores. Installing a snapshot replaces the state at once and durably, and then drops the log
//! up to there, which the snapshot covers. A node that dies between the two finds a state that is ahead of its log: the
//! same sight as a log that has lost its end, which must stop it (see [`log`](crate::raft::log)). The note, durable in the
//! log before the state changes, tells the two apart, and the start drops the log then. It goes with that purge.
//!
//! ```text
//! note   format (1) · last log id of the snapshot · n leftovers: (start · end) …
//! ```
//!
//! *Leftovers* are rows that the snapshot does not replace although they are not in it: a table that was created here,
//! from the end of the old log, while the snapshot was coming in, and that its leader has dropped again since. They are
//! removed right after the installation, or at the next start.

use dynamo_engine::codec::{DecodeError, finish, get_bytes, get_list, get_u8, put_bytes, put_list};
use dynamo_engine::keyspace::RowRange;
use ordered_kv::{StateStore, StoreError, WriteBatch};
use raft_log::{Batch, Log, LogError};

use crate::raft::codec::{CodecError, LOG_FORMAT, get_log_id, put_log_id};
use crate::raft::log::keys::Value;
use crate::raft::types::LogId;

/// The note of a snapshot that is about to be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Up to where it goes.
    pub upto: LogId,
    /// What is to be removed after it.
    pub leftovers: Vec<RowRange>,
}

impl Incoming {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let is_range = |range: &RowRange| range.end.is_empty() || range.start < range.end;
        debug_assert!(self.leftovers.iter().all(is_range), "what is swept lies between two keys");
        let mut out = vec![LOG_FORMAT];
        put_log_id(&mut out, &self.upto);
        put_list(&mut out, &self.leftovers, put_range);
        out
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When it is cut off or of another format.
    pub fn decode(mut bytes: &[u8]) -> Result<Incoming, CodecError> {
        let input = &mut bytes;
        match get_u8(input)? {
            LOG_FORMAT => {}
            other => return Err(CodecError::Format(other)),
        }
        let incoming = Incoming { upto: get_log_id(input)?, leftovers: get_list(input, get_range)? };
        finish(input)?;
        Ok(incoming)
    }

    /// The note of a group, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(log: &Log, group: u32) -> Result<Option<Incoming>, CodecError> {
        log.value(group, Value::Incoming as u8).map(|bytes| Incoming::decode(&bytes)).transpose()
    }

    /// Removes the leftovers; durable on return.
    ///
    /// # Errors
    /// When the store fails.
    pub fn sweep(&self, state: &dyn StateStore) -> Result<(), StoreError> {
        if self.leftovers.is_empty() {
            return Ok(());
        }
        let mut batch = WriteBatch::new();
        self.leftovers.iter().for_each(|range| batch.delete_range(&range.start, &range.end));
        state.write(&batch)?;
        state.flush()
    }

    /// Drops the whole log of `group`, which ends before the installed snapshot does; durable on return.
    ///
    /// # Errors
    /// When the store fails.
    pub fn drop_log(&self, log: &Log, group: u32) -> Result<(), LogError> {
        let mut batch = Batch::new();
        batch.purge(group, self.upto.committed_leader_id().term, self.upto.index(), &[Value::Incoming as u8]);
        log.write(batch, true)
    }
}

/// Appends a range of rows.
pub fn put_range(out: &mut Vec<u8>, range: &RowRange) {
    put_bytes(out, &range.start);
    put_bytes(out, &range.end);
}

/// Takes a range of rows.
///
/// # Errors
/// When the input is cut off.
pub fn get_range(input: &mut &[u8]) -> Result<RowRange, DecodeError> {
    Ok(RowRange { start: get_bytes(input)?.to_vec(), end: get_bytes(input)?.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::types::CommittedLeaderId;

    #[test]
    fn golden_bytes() {
        let note = Incoming {
            upto: LogId::new(CommittedLeaderId::new(3), 9),
            leftovers: vec![RowRange { start: b"a".to_vec(), end: b"bc".to_vec() }],
        };
        assert_eq!(note.encode(), b"\x01\x03\x09\x01\x01a\x02bc");
        assert_eq!(Incoming::decode(&note.encode()).unwrap(), note);
        assert!(Incoming::decode(&note.encode()[..5]).is_err());
    }
}
