//! Capacity units and item collection metrics: the arithmetic, and how they are written into replies.
//!
//! Write units are whole: one for each begun KB of the larger of the old and the new item. Read units come in halves:
//! one for each begun 4 KB read consistently, half of it eventually. Transactions pay double for both, but not for index rows.
//! Units are kept
//! in halves, as integers, so that sums are exact.
//!
//! Source: AWS, *Developer Guide: DynamoDB read and write operations, Capacity unit consumption*.

use std::collections::BTreeMap;
use std::ops::{Add, AddAssign};

use dynamo_protocol::json::JsonWriter;
use dynamo_protocol::limits::{READ_UNIT_BYTES, WRITE_UNIT_BYTES};
use dynamo_protocol::shapes::ReturnConsumedCapacity;

/// Write units of storing, replacing or removing this many billed bytes: at least one.
pub fn write_units(billed_bytes: usize) -> u32 {
    billed_bytes.div_ceil(WRITE_UNIT_BYTES).max(1) as u32
}

/// Read units, whole, of reading this many billed bytes at once: at least one.
pub fn read_units(billed_bytes: usize) -> u32 {
    billed_bytes.div_ceil(READ_UNIT_BYTES).max(1) as u32
}

/// Capacity in half units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Units {
    /// Twice the units.
    halves: u64,
}

impl Units {
    /// Whole units.
    pub fn whole(units: u32) -> Units {
        Units { halves: 2 * u64::from(units) }
    }

    /// Half units: an eventually consistent read of as many whole units.
    pub fn halves(units: u32) -> Units {
        Units { halves: u64::from(units) }
    }

    /// Twice as many: a transaction.
    pub fn doubled(self) -> Units {
        Units { halves: 2 * self.halves }
    }

    /// None at all.
    pub fn is_zero(self) -> bool {
        self.halves == 0
    }

    /// As the wire has it.
    pub fn as_f64(self) -> f64 {
        self.halves as f64 / 2.0
    }
}

impl Add for Units {
    type Output = Units;

    fn add(self, other: Units) -> Units {
        Units { halves: self.halves + other.halves }
    }
}

impl AddAssign for Units {
    fn add_assign(&mut self, other: Units) {
        *self = *self + other;
    }
}

/// Whether units were read or written. Only transactions say so on the wire, beside the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitKind {
    /// `ReadCapacityUnits`.
    Read,
    /// `WriteCapacityUnits`.
    Write,
}

/// What a request consumed on one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consumed {
    /// The table as the request named it.
    pub table_name: String,
    /// On the table itself.
    pub table: Units,
    /// On local indexes, by name.
    pub local_indexes: BTreeMap<String, Units>,
    /// On global indexes, by name.
    pub global_indexes: BTreeMap<String, Units>,
}

impl Consumed {
    /// Nothing yet.
    pub fn new(table_name: impl Into<String>) -> Consumed {
        Consumed { table_name: table_name.into(), ..Consumed::default() }
    }

    /// Adds what another part of the same request consumed.
    pub fn add(&mut self, other: &Consumed) {
        self.table += other.table;
        for (ours, theirs) in
            [(&mut self.local_indexes, &other.local_indexes), (&mut self.global_indexes, &other.global_indexes)]
        {
            for (name, units) in theirs {
                *ours.entry(name.clone()).or_default() += *units;
            }
        }
    }

    /// Table and indexes together.
    pub fn total(&self) -> Units {
        let indexes = self.local_indexes.values().chain(self.global_indexes.values());
        indexes.fold(self.table, |sum, units| sum + *units)
    }

    /// Writes the ConsumedCapacity object. `kind` is given for transactions, whose arms also say what kind the units
    /// are of.
    pub fn write_json(&self, arms: bool, kind: Option<UnitKind>, out: &mut JsonWriter<'_>) {
        out.begin_object();
        out.key("TableName").str(&self.table_name);
        write_units_members(self.total(), kind, out);
        if arms {
            out.key("Table").begin_object();
            write_units_members(self.table, kind, out);
            out.end_object();
            write_arms("LocalSecondaryIndexes", &self.local_indexes, kind, out);
            write_arms("GlobalSecondaryIndexes", &self.global_indexes, kind, out);
        }
        out.end_object();
    }
}

fn write_arms(name: &str, arms: &BTreeMap<String, Units>, kind: Option<UnitKind>, out: &mut JsonWriter<'_>) {
    if arms.is_empty() {
        return;
    }
    out.key(name).begin_object();
    for (index, units) in arms {
        out.key(index).begin_object();
        write_units_members(*units, kind, out);
        out.end_object();
    }
    out.end_object();
}

fn write_units_members(units: Units, kind: Option<UnitKind>, out: &mut JsonWriter<'_>) {
    out.key("CapacityUnits").f64(units.as_f64());
    let name = match kind {
        Some(UnitKind::Read) => "ReadCapacityUnits",
        Some(UnitKind::Write) => "WriteCapacityUnits",
        None => return,
    };
    out.key(name).f64(units.as_f64());
}

/// `SizeEstimateRangeGB` of an item collection of this many bytes: whole gigabytes below and above.
pub fn collection_range_gb(bytes: u64) -> (f64, f64) {
    let gigabytes = bytes >> 30;
    (gigabytes as f64, (gigabytes + 1) as f64)
}

/// Whether the index arms are wanted; `None` where no ConsumedCapacity is.
pub fn wanted(mode: Option<ReturnConsumedCapacity>) -> Option<bool> {
    match mode {
        None | Some(ReturnConsumedCapacity::None) => None,
        Some(ReturnConsumedCapacity::Total) => Some(false),
        Some(ReturnConsumedCapacity::Indexes) => Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_round_up() {
        let write = [0, 1, 1024, 1025, 409_600].map(write_units);
        assert_eq!(write, [1, 1, 1, 2, 400]);
        let read = [0, 1, 4096, 4097, 409_600].map(read_units);
        assert_eq!(read, [1, 1, 1, 2, 100]);
    }

    #[test]
    fn arms_are_written_when_asked_for() {
        let mut consumed = Consumed::new("t");
        consumed.table = Units::halves(1);
        consumed.global_indexes.insert("g".into(), Units::whole(2));
        let json = |arms, kind| {
            let mut out = Vec::new();
            consumed.write_json(arms, kind, &mut JsonWriter::new(&mut out));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(json(false, None), r#"{"TableName":"t","CapacityUnits":2.5}"#);
        let arms = r#"{"TableName":"t","CapacityUnits":2.5,"Table":{"CapacityUnits":0.5},"GlobalSecondaryIndexes":{"g":{"CapacityUnits":2.0}}}"#;
        assert_eq!(json(true, None), arms);
        assert!(json(false, Some(UnitKind::Write)).contains(r#""WriteCapacityUnits":2.5"#));
    }
}
