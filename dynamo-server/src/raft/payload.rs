//! What an entry carries: the engine's entry, decoded, beside its encoded bytes.
//!
//! A leader encodes once; the bytes go to the disk and to every follower. A follower decodes once, when the entry
//! arrives; apply uses what was decoded. Both sides share one allocation.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use dynamo_engine::apply::Outcome;
use dynamo_engine::command::{DecodeError, Entry};

/// One engine entry, cheap to clone.
#[derive(Clone)]
pub struct Payload(Arc<Content>);

struct Content {
    entry: Entry,
    bytes: Bytes,
}

impl Payload {
    /// Encodes an entry that this node proposes.
    pub fn encode(entry: Entry) -> Self {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        Payload(Arc::new(Content { entry, bytes: bytes.into() }))
    }

    /// Decodes an entry from a log or a peer.
    ///
    /// # Errors
    /// When this program does not understand the bytes; the group must stop on this node then.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let entry = Entry::decode(&bytes)?;
        Ok(Payload(Arc::new(Content { entry, bytes })))
    }

    /// The decoded entry.
    pub fn entry(&self) -> &Entry {
        &self.0.entry
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
        write!(f, "{} commands in {} bytes", self.0.entry.commands.len(), self.0.bytes.len())
    }
}

/// What applying one entry gave: one outcome per command, in order. Empty for entries without commands.
#[derive(Debug, Default)]
pub struct Applied(pub Vec<Outcome>);
