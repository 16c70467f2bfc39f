//! Descriptors as bytes: the value of catalog rows and installed descriptors, and part of DDL commands.
//!
//! A format byte, then the fields in the order of the struct, with the primitives of [`crate::codec`]. The golden bytes
//! below pin the formats; a new field means a new format and a decoder for all of them.
//!
//! Format 2 is format 1 with what is pending behind it, and is written only where something is.

use crate::codec::{DecodeError, Record, finish, get_list, get_str, get_u8, get_u64};
use crate::record;

use super::{
    BillingMode, IndexDescriptor, IndexState, KeyAttribute, KeySchema, KeyType, OnDemandLimits, Projection,
    SseSettings, StreamSettings, StreamView, TableClass, TableClassSettings, TableDescriptor, TableStep, Throughput,
    TtlSettings, WarmThroughput,
};

/// The format of a table that is as it was asked to be.
pub const DESCRIPTOR_FORMAT: u8 = 1;
/// In place of the bool of time to live: off or on, and when that was changed follows. Earlier builds wrote no time.
const TTL_OFF_SINCE: u8 = 2;
const TTL_ON_SINCE: u8 = 3;

/// The format of a table of which something is pending.
pub const DESCRIPTOR_FORMAT_PENDING: u8 = 2;

/// What every format has, in the order of the struct.
macro_rules! described {
    ($do:ident) => {
        $do! {
            id, schema_version, name, uuid, keys, attribute_definitions, indexes, billing_mode, on_demand_since_ms,
            throughput, on_demand, warm, stream, ttl, tags, deletion_protection, table_class, sse, created_ms,
        }
    };
}

impl Record for TableDescriptor {
    /// Appends the descriptor, its format byte first.
    fn encode(&self, out: &mut Vec<u8>) {
        if cfg!(debug_assertions) {
            self.validate();
        }
        out.push(if self.pending.is_empty() { DESCRIPTOR_FORMAT } else { DESCRIPTOR_FORMAT_PENDING });
        macro_rules! put { ($($field:ident,)+) => { $(self.$field.encode(out);)+ }; }
        described!(put);
        if !self.pending.is_empty() {
            self.pending.encode(out);
        }
    }

    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        let has_pending = match get_u8(input)? {
            DESCRIPTOR_FORMAT => false,
            DESCRIPTOR_FORMAT_PENDING => true,
            format => return Err(DecodeError::Format(format)),
        };
        macro_rules! get {
            ($($field:ident,)+) => { TableDescriptor { $($field: Record::decode(input)?,)+ pending: Vec::new() } };
        }
        let mut table = described!(get);
        if has_pending {
            table.pending = get_list(input, get_plain_step)?;
        }
        Ok(table)
    }
}

impl TableDescriptor {
    /// The descriptor alone, as a stored value.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.encode(&mut out);
        out
    }

    /// Decodes a stored value: a descriptor and nothing else.
    ///
    /// # Errors
    ///
    /// As [`TableDescriptor::decode`], and bytes left over.
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Self, DecodeError> {
        let table = Self::decode(&mut bytes)?;
        finish(bytes)?;
        Ok(table)
    }
}

record! {
    struct KeyAttribute { name, kind }
    enum KeyType: "key type" { 1 = S, 2 = N, 3 = B }
    struct KeySchema { partition, sort }
    struct IndexDescriptor { id, name, local, keys, projection, state, throughput, on_demand, warm }
    enum Projection: "projection" { 1 = All, 2 = KeysOnly, 3 = Include(names) }
    enum IndexState: "index state" { 1 = Writing, 2 = Backfilling, 3 = Active, 4 = Dropping }
    enum BillingMode: "billing mode" { 1 = Provisioned, 2 = PayPerRequest }
    struct Throughput { read_units, write_units, increased_ms, decreased_ms, decreases_that_day }
    struct OnDemandLimits { read_units_max, write_units_max }
    struct WarmThroughput { read_units_per_second, write_units_per_second }
    enum StreamView: "stream view" { 1 = KeysOnly, 2 = NewImage, 3 = OldImage, 4 = NewAndOldImages }
    struct TableClassSettings { class, updated_ms }
    enum TableClass: "table class" { 1 = Standard, 2 = StandardInfrequentAccess }
    struct SseSettings { key }
}

record! {
    // 8 is read and no longer written; builds from before there were records stop at 22.
    enum TableStep: "table step" {
        1 = Billing(mode),
        2 = Throughput { read_units, write_units },
        3 = IndexThroughput { index, read_units, write_units },
        4 = OnDemand(limits),
        5 = IndexOnDemand { index, limits },
        6 = Warm(warm),
        7 = IndexWarm { index, warm },
        22 | 8 = Stream(view),
        9 = Sse(sse),
        10 = Class(class),
        11 = DeletionProtection(on),
        12 = Tag { key, value },
        13 = Untag { key },
        14 = Ttl { attribute, enabled },
        15 = AttributeDefinitions(definitions),
        16 = CreateIndex(index),
        17 = AdvanceIndex { index, to },
        18 = RemoveIndex { index },
        19 = Begin(step),
        20 = BillingAgain,
        21 = Finish,
    }
}

/// The tags of the steps that are about other steps.
const BEGIN: u8 = 19;
const FINISH: u8 = 21;

/// Takes a step that is not about other steps, so that steps never nest.
fn get_plain_step(input: &mut &[u8]) -> Result<TableStep, DecodeError> {
    match input.first() {
        Some(&tag @ (BEGIN | FINISH)) => Err(DecodeError::Tag { what: "table step", tag }),
        _ => TableStep::decode(input),
    }
}

impl Record for Box<TableStep> {
    fn encode(&self, out: &mut Vec<u8>) {
        TableStep::encode(self, out);
    }

    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        get_plain_step(input).map(Box::new)
    }
}

impl Record for Box<TableDescriptor> {
    fn encode(&self, out: &mut Vec<u8>) {
        TableDescriptor::encode(self, out);
    }

    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        TableDescriptor::decode(input).map(Box::new)
    }
}

/// Without a stream, as an option is.
const NO_STREAM: u8 = 0;
/// As builds wrote it that described streams and recorded nothing.
const STREAM_WITHOUT_RECORDS: u8 = 1;
/// A stream whose table's writes are recorded. Builds that do not know how stop at it, rather than write other rows than
/// the other replicas.
const STREAM: u8 = 2;

impl Record for Option<StreamSettings> {
    fn encode(&self, out: &mut Vec<u8>) {
        let Some(StreamSettings { enabled, view, since_ms }) = self else { return out.push(NO_STREAM) };
        out.push(STREAM);
        enabled.encode(out);
        view.encode(out);
        since_ms.encode(out);
    }

    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        match get_u8(input)? {
            NO_STREAM => return Ok(None),
            STREAM_WITHOUT_RECORDS | STREAM => {}
            tag => return Err(DecodeError::Tag { what: "stream", tag }),
        }
        let (enabled, view, since_ms) = (bool::decode(input)?, StreamView::decode(input)?, get_u64(input)?);
        Ok(Some(StreamSettings { enabled, view, since_ms }))
    }
}

impl Record for TtlSettings {
    fn encode(&self, out: &mut Vec<u8>) {
        self.attribute.encode(out);
        match self.changed_ms {
            None => self.enabled.encode(out),
            Some(changed_ms) => {
                out.push(if self.enabled { TTL_ON_SINCE } else { TTL_OFF_SINCE });
                changed_ms.encode(out);
            }
        }
    }

    fn decode(input: &mut &[u8]) -> Result<TtlSettings, DecodeError> {
        let attribute = get_str(input)?;
        let (enabled, has_time) = match get_u8(input)? {
            0 => (false, false),
            1 => (true, false),
            TTL_OFF_SINCE => (false, true),
            TTL_ON_SINCE => (true, true),
            tag => return Err(DecodeError::Tag { what: "time to live", tag }),
        };
        let changed_ms = if has_time { Some(get_u64(input)?) } else { None };
        Ok(TtlSettings { attribute, enabled, changed_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{TableId, fixture};

    #[test]
    fn everything_comes_back() {
        for state in IndexState::ALL {
            let mut table = fixture::orders();
            table.indexes[1].state = state;
            assert_eq!(TableDescriptor::from_bytes(&table.to_bytes()), Ok(table));
        }
        let bare = TableDescriptor::new(TableId(1), "bare", fixture::keys(("k", KeyType::B), None));
        assert_eq!(TableDescriptor::from_bytes(&bare.to_bytes()), Ok(bare));
    }

    /// Golden bytes: stored catalogs are read by later builds.
    #[test]
    fn format_1_has_these_bytes() {
        let bare = TableDescriptor::new(TableId(300), "bare", fixture::keys(("k", KeyType::B), None));
        let expected: &[u8] = &[
            1, 0xac, 2, 1, 4, b'b', b'a', b'r', b'e', 0, // format, id, version, name, uuid
            1, 1, b'k', 3, 0, // partition, sort
            1, 1, b'k', 3, 0, // attribute definitions, indexes
            2, 0, // billing
            0, 0, 0, 0, 0, // throughput
            0, 0, 0, 0, 0, 0, 0, 0, 0, // on demand, warm, stream, ttl, tags, protection, class, sse, created
        ];
        assert_eq!(bare.to_bytes(), expected);
        let text: String = fixture::orders().to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, include_str!("golden/orders_2.hex").trim_end());
        // As it was written before there were stream records.
        assert_eq!(
            TableDescriptor::from_bytes(&fixture::hex(include_str!("golden/orders_1.hex"))),
            Ok(fixture::orders())
        );
    }

    #[test]
    fn time_to_live_has_these_bytes() {
        for (enabled, changed_ms, bytes) in [
            (false, None, &[1, b't', 0][..]),
            (true, None, &[1, b't', 1]),
            (false, Some(300), &[1, b't', 2, 0xac, 2]),
            (true, Some(300), &[1, b't', 3, 0xac, 2]),
        ] {
            let ttl = TtlSettings { attribute: "t".to_owned(), enabled, changed_ms };
            let mut out = Vec::new();
            ttl.encode(&mut out);
            assert_eq!((&out[..], TtlSettings::decode(&mut &bytes[..])), (bytes, Ok(ttl)));
        }
        assert!(TtlSettings::decode(&mut &[1, b't', 4, 0][..]).is_err());
    }

    #[test]
    fn format_2_is_format_1_and_what_is_pending() {
        let mut table = fixture::orders();
        let settled = table.to_bytes();
        table.pending = vec![TableStep::Class(TableClass::Standard), TableStep::Stream(None), TableStep::BillingAgain];
        let bytes = table.to_bytes();
        assert_eq!((bytes[0], &bytes[1..settled.len()]), (2, &settled[1..]));
        assert_eq!(bytes[settled.len()..], [3, 10, 1, 22, 0, 20]);
        assert_eq!(TableDescriptor::from_bytes(&bytes), Ok(table));
        for end in settled.len()..bytes.len() {
            assert!(TableDescriptor::from_bytes(&bytes[..end]).is_err());
        }
        // Nothing that has steps of its own.
        let nested = [&bytes[..settled.len()], &[1, 19, 10, 1]].concat();
        assert!(TableDescriptor::from_bytes(&nested).is_err());
    }

    #[test]
    fn broken_bytes_are_refused_at_every_length() {
        let bytes = fixture::orders().to_bytes();
        for end in 0..bytes.len() {
            assert!(TableDescriptor::from_bytes(&bytes[..end]).is_err());
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(TableDescriptor::from_bytes(&longer), Err(DecodeError::Trailing));
        assert_eq!(TableDescriptor::from_bytes(&[9]), Err(DecodeError::Format(9)));
    }
}
