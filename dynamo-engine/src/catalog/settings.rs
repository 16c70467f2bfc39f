//! The settings of a table that do not change how its rows are laid out.

/// How reads and writes are billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BillingMode {
    /// By provisioned units.
    #[default]
    Provisioned,
    /// By request.
    PayPerRequest,
}

impl BillingMode {
    /// The mode's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            BillingMode::Provisioned => "PROVISIONED",
            BillingMode::PayPerRequest => "PAY_PER_REQUEST",
        }
    }
}

/// Provisioned units of a table or a global index, with the history that DescribeTable shows. We do not throttle by
/// them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throughput {
    /// Read capacity units; zero when on demand.
    pub read_units: u64,
    /// Write capacity units; zero when on demand.
    pub write_units: u64,
    /// When units were last raised, in milliseconds since the epoch.
    pub increased_ms: Option<u64>,
    /// When units were last lowered, in milliseconds since the epoch.
    pub decreased_ms: Option<u64>,
    /// How often units were lowered on the UTC day of `decreased_ms`.
    pub decreases_that_day: u64,
}

impl Throughput {
    /// Units without a history.
    pub fn new(read_units: u64, write_units: u64) -> Self {
        Throughput { read_units, write_units, ..Throughput::default() }
    }
}

/// Upper bounds of an on-demand table or index; `-1` means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnDemandLimits {
    /// `MaxReadRequestUnits`.
    pub read_units_max: Option<i64>,
    /// `MaxWriteRequestUnits`.
    pub write_units_max: Option<i64>,
}

/// Warm throughput, as set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WarmThroughput {
    /// `ReadUnitsPerSecond`.
    pub read_units_per_second: Option<i64>,
    /// `WriteUnitsPerSecond`.
    pub write_units_per_second: Option<i64>,
}

/// Which images a stream record carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamView {
    /// Only the keys.
    KeysOnly,
    /// The item after the change.
    NewImage,
    /// The item before the change.
    OldImage,
    /// Both.
    NewAndOldImages,
}

impl StreamView {
    /// The view's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            StreamView::KeysOnly => "KEYS_ONLY",
            StreamView::NewImage => "NEW_IMAGE",
            StreamView::OldImage => "OLD_IMAGE",
            StreamView::NewAndOldImages => "NEW_AND_OLD_IMAGES",
        }
    }
}

/// A table's stream. It stays described (its label and ARN) after it was switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    /// Is it on?
    pub enabled: bool,
    /// What its records carry.
    pub view: StreamView,
    /// When it was switched on, in milliseconds since the epoch: its label.
    pub since_ms: u64,
}

/// A table's time to live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TtlSettings {
    /// The attribute that holds the expiry.
    pub attribute: String,
    /// Is it on?
    pub enabled: bool,
    /// When it was last changed, in milliseconds since the epoch; `None` where that is not known any more.
    pub changed_ms: Option<u64>,
}

/// Storage classes; a label here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableClass {
    /// `STANDARD`.
    #[default]
    Standard,
    /// `STANDARD_INFREQUENT_ACCESS`.
    StandardInfrequentAccess,
}

impl TableClass {
    /// The class's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            TableClass::Standard => "STANDARD",
            TableClass::StandardInfrequentAccess => "STANDARD_INFREQUENT_ACCESS",
        }
    }
}

/// A table class that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableClassSettings {
    /// The class.
    pub class: TableClass,
    /// When it was changed, in milliseconds since the epoch; `None` when it came with the table.
    pub updated_ms: Option<u64>,
}

/// Encryption with a customer's key: described, not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseSettings {
    /// The key's id or ARN, when one was named.
    pub key: Option<String>,
}
