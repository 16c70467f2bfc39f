//! The single steps of which every change of a table is made; what each does to a descriptor stands in `change.rs`.
//!
//! A change travels in the log as a list of steps, not as a new descriptor: the steps carry no time and no new ids,
//! apply adds both, so that they come from the log and from the replicated counter alone.

use crate::catalog::{
    BillingMode, IndexDescriptor, IndexId, IndexState, KeyAttribute, OnDemandLimits, SseSettings, StreamView,
    TableClass, WarmThroughput,
};

/// One thing that changes about a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableStep {
    /// Switches how the table is billed. On demand clears all provisioned units.
    Billing(BillingMode),
    /// Sets the table's provisioned units.
    Throughput {
        /// Read units.
        read_units: u64,
        /// Write units.
        write_units: u64,
    },
    /// Sets an index's provisioned units.
    IndexThroughput {
        /// Which index.
        index: IndexId,
        /// Read units.
        read_units: u64,
        /// Write units.
        write_units: u64,
    },
    /// Sets the table's on-demand limits.
    OnDemand(OnDemandLimits),
    /// Sets an index's on-demand limits.
    IndexOnDemand {
        /// Which index.
        index: IndexId,
        /// The limits.
        limits: OnDemandLimits,
    },
    /// Sets the table's warm throughput.
    Warm(WarmThroughput),
    /// Sets an index's warm throughput.
    IndexWarm {
        /// Which index.
        index: IndexId,
        /// The throughput.
        warm: WarmThroughput,
    },
    /// Switches the stream on with this view, or off.
    Stream(Option<StreamView>),
    /// Sets or clears encryption with a customer's key.
    Sse(Option<SseSettings>),
    /// Sets the storage class.
    Class(TableClass),
    /// Sets or clears the protection against DeleteTable.
    DeletionProtection(bool),
    /// Sets a tag.
    Tag {
        /// Its key.
        key: String,
        /// Its value.
        value: String,
    },
    /// Removes a tag; nothing when there is none.
    Untag {
        /// Its key.
        key: String,
    },
    /// Sets time to live.
    Ttl {
        /// The attribute that holds the expiry.
        attribute: String,
        /// On or off.
        enabled: bool,
    },
    /// Replaces the attribute definitions.
    AttributeDefinitions(Vec<KeyAttribute>),
    /// Adds a global index; apply gives it its id, and it starts in [`IndexState::Writing`].
    CreateIndex(IndexDescriptor),
    /// Moves an index to its next state.
    AdvanceIndex {
        /// Which index.
        index: IndexId,
        /// Where to.
        to: IndexState,
    },
    /// Takes a dropping index, and its rows, away.
    RemoveIndex {
        /// Which index.
        index: IndexId,
    },
    /// Begins a change of a setting that the service makes in the background: a plain step, which is left pending.
    Begin(Box<TableStep>),
    /// The billing mode that there is, asked for again: a change that changes nothing.
    BillingAgain,
    /// Ends everything that is pending.
    Finish,
}
