//! How much work and memory one request may cost where neither its own size nor the item's bounds it.
//!
//! Evaluating an expression costs the product of its operators and what they look at, and one entry holds hundreds of
//! commands that each rewrite an item of 400 KB. What is here bounds both. Budgets that decide results are equal on all
//! replicas and part of what applying an entry means, so they are constants: a change of one is a change of behaviour.
//! They are far above anything real. A step is about a nanosecond; see [`dynamo_expression::Steps`].

/// Steps of the expressions of one command, all actions of a transaction together; past it the command is refused as a
/// client's mistake. A hundred conditions that each look through a whole item of 400 KB fit.
pub const COMMAND_STEPS_MAX: u64 = 1 << 28;

/// Steps of the commands of one entry after which the next one with items is put off to another entry.
pub const ENTRY_STEPS_MAX: u64 = 1 << 28;

/// Bytes that applying one entry holds, after which the next command with items is put off: rows as they were and are, and
/// everything that is written, copies in indexes and streams included; a dozen updates of the largest items. No budget counts it,
/// and each shard applies one entry at a time.
pub const ENTRY_ROWS_BYTES_MAX: usize = 16 << 20;

/// Steps of a filter for one row; past it the read is refused as a client's mistake.
pub const ROW_STEPS_MAX: u64 = 1 << 26;

/// Steps of a page after which it ends as if its 1 MB was read. Not a budget that replicas share: where a page ends is
/// no fact about the data.
pub const PAGE_STEPS_MAX: u64 = 1 << 26;

/// Steps of a page on a thread that must not be held up: a tenth of a millisecond.
pub const INLINE_STEPS_MAX: u64 = 100_000;

/// Steps or rows after which a page asks whether anybody still waits for it.
pub const STEPS_BETWEEN_QUESTIONS: u64 = 1 << 20;

/// What an expression that needs too many steps is told.
pub const OUT_OF_STEPS: &str = "Evaluating the expressions of this request takes more steps than one request may take: \
                                use fewer or smaller operands";
