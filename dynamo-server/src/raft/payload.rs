//! What an entry carries: the engine's entry, decoded, beside its encoded bytes.
//!
//! A leader encodes once; the bytes go to the disk and to every follower. A follower decodes once, when the entry
//! arrives; apply uses what was decoded. Both sides share one allocation.
//!
//! Bytes that this program does not understand (a newer leader's) are an entry all the same: it is kept and agreed on as any
//! other, and only who has to apply it learns that it cannot, and says so ([`quarantine`](super::machine::quarantine)). A follower
//! that refused to take it would be left behind in silence.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use dynamo_engine::apply::Outcome;
use dynamo_engine::command::{DecodeError, Entry};

/// One engine entry, cheap to clone.
#[derive(Clone)]
pub struct Payload(Arc<Content>);

struct Content {
    /// Decoded; what cannot be read stops the shard when it is applied.
    entry: Result<Entry, DecodeError>,
    /// As in the log.
    bytes: Bytes,
}

impl Payload {
    /// An entry that this node proposes, of whose commands there are the bytes already, in their order.
    pub fn of_parts<'b>(entry: Entry, commands: impl ExactSizeIterator<Item = &'b [u8]> + Clone) -> Self {
        let mut bytes = Vec::with_capacity(entry.byte_len_max(commands.clone()));
        entry.encode_with(commands, &mut bytes);
        debug_assert_eq!(Entry::decode(&bytes).as_ref(), Ok(&entry), "each command has its own bytes");
        Payload(Arc::new(Content { entry: Ok(entry), bytes: bytes.into() }))
    }

    /// Takes an entry from a log or a peer.
    pub fn decode(bytes: Bytes) -> Self {
        Payload(Arc::new(Content { entry: Entry::decode(&bytes), bytes }))
    }

    /// The decoded entry.
    ///
    /// # Errors
    /// When this program does not understand the bytes; the shard must stop on this node then, and never skip it.
    pub fn entry(&self) -> Result<&Entry, &DecodeError> {
        self.0.entry.as_ref()
    }

    /// The encoded entry.
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.entry {
            Ok(entry) => write!(f, "{} commands in {} bytes", entry.commands.len(), self.0.bytes.len()),
            Err(error) => write!(f, "{} bytes that cannot be read: {error}", self.0.bytes.len()),
        }
    }
}

/// What applying one entry gave: one outcome per command, in order. Empty for entries without commands.
#[derive(Debug, Default)]
pub struct Applied(pub Vec<Outcome>);
