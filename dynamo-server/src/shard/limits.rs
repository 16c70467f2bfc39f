//! The bounds of a shard's queue and of its entries.

/// Commands that wait to be drained. At the rate of a fast disk this is some milliseconds of work; more waiting would
/// only time out later. When it is full the request is told to come back.
pub const QUEUE_COMMANDS_MAX: usize = 8192;

/// Bytes of commands that wait or are under way, since a command may be a transaction of 4 MB.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;

/// Commands in one entry: enough to share a sync widely, few enough to be applied in a few milliseconds.
pub const ENTRY_COMMANDS_MAX: usize = 512;

/// Bytes of commands after which an entry is closed. One command may be larger by itself.
pub const ENTRY_BYTES_MAX: usize = 1 << 20;

/// Bytes of rows that the commands of one entry may be expected to touch when it is applied, going by those before. A
/// small update may read and write a large item.
pub const ENTRY_EFFECT_BYTES_MAX: usize = 8 << 20;

/// Entries under way: one is being written, one waits for the writer, one is being applied. Each further one would only
/// make all of them smaller, and an entry costs as much as several of its commands.
pub const ENTRIES_IN_FLIGHT_MAX: usize = 3;

const _: () = assert!(ENTRY_BYTES_MAX * ENTRIES_IN_FLIGHT_MAX < QUEUE_BYTES_MAX, "entries in flight fit the bound");
