//! What the client wants to hear of the capacity that a read consumed.
//!
//! A page of a query or a scan rounds the sum of its rows up once; point reads round each item up. Reading nothing
//! costs as much as reading one byte.

use dynamo_protocol::json::JsonWriter;
use dynamo_protocol::shapes::ReturnConsumedCapacity;

use crate::capacity::{Consumed, UnitKind, Units, read_units, wanted};

/// Units of one read of `bytes`.
pub(super) fn units(bytes: usize, consistent: bool) -> Units {
    let units = read_units(bytes);
    if consistent { Units::whole(units) } else { Units::halves(units) }
}

/// How much to report, and about which table.
#[derive(Clone, Debug)]
pub(crate) struct CapacityReport {
    /// Whether table and indexes are told apart; `None` where nothing is reported.
    arms: Option<bool>,
    /// The table as the client named it: by name or by ARN.
    table_name: String,
}

impl CapacityReport {
    /// The report that a request asks for; none by default.
    pub fn new(level: Option<ReturnConsumedCapacity>, table_name: String) -> CapacityReport {
        CapacityReport { arms: wanted(level), table_name }
    }

    /// Whether there is anything to write.
    pub fn is_wanted(&self) -> bool {
        self.arms.is_some()
    }

    /// The table as the client named it.
    pub fn table_name(&self) -> &str {
        &self.table_name
    }

    /// A tally to fill.
    pub fn tally(&self) -> Consumed {
        Consumed::new(&self.table_name)
    }

    /// Writes a ConsumedCapacity object. Transactions say of which kind their units are.
    pub fn write(&self, consumed: &Consumed, transaction: bool, json: &mut JsonWriter<'_>) {
        let kind = transaction.then_some(UnitKind::Read);
        consumed.write_json(self.arms.unwrap_or(false), kind, json);
    }
}
