//! Descriptors as bytes: the value of catalog rows and installed descriptors, and part of DDL commands.
//!
//! A format byte, then the fields in the order of the struct, with the primitives of [`crate::codec`]. The golden bytes
//! below pin the formats; a new field means a new format and a decoder for all of them.
//!
//! Format 2 is format 1 with what is pending behind it, and is written only where something is.

use crate::codec::{
    DecodeError, finish, get_bool, get_i64, get_list, get_option, get_str, get_string_map, get_u8, get_u32, get_u64,
    put_bool, put_i64, put_list, put_option, put_str, put_string_map, put_u64,
};

use super::ddl_command::{get_plain_step, put_step};
use super::{
    BillingMode, IndexDescriptor, IndexId, IndexState, KeyAttribute, KeySchema, KeyType, OnDemandLimits, Projection,
    SseSettings, StreamSettings, StreamView, TableClass, TableClassSettings, TableDescriptor, TableId, Throughput,
    TtlSettings, WarmThroughput,
};

/// The format of a table that is as it was asked to be.
pub const DESCRIPTOR_FORMAT: u8 = 1;
/// In place of the bool of time to live: off or on, and when that was changed follows. Earlier builds wrote no time.
const TTL_OFF_SINCE: u8 = 2;
const TTL_ON_SINCE: u8 = 3;

/// The format of a table of which something is pending.
pub const DESCRIPTOR_FORMAT_PENDING: u8 = 2;

impl TableDescriptor {
    /// Appends the descriptor, its format byte first.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if cfg!(debug_assertions) {
            self.validate();
        }
        out.push(if self.pending.is_empty() { DESCRIPTOR_FORMAT } else { DESCRIPTOR_FORMAT_PENDING });
        put_u64(out, self.id.0);
        put_u64(out, self.schema_version.into());
        put_str(out, &self.name);
        put_str(out, &self.uuid);
        put_keys(out, &self.keys);
        put_list(out, &self.attribute_definitions, put_attribute);
        put_list(out, &self.indexes, put_index);
        out.push(billing_tag(self.billing_mode));
        put_option(out, self.on_demand_since_ms.as_ref(), |out, ms| put_u64(out, *ms));
        put_throughput(out, &self.throughput);
        put_option(out, self.on_demand.as_ref(), put_on_demand);
        put_option(out, self.warm.as_ref(), put_warm);
        put_stream(out, self.stream.as_ref());
        put_option(out, self.ttl.as_ref(), put_ttl);
        put_string_map(out, &self.tags);
        put_bool(out, self.deletion_protection);
        put_option(out, self.table_class.as_ref(), put_class);
        put_option(out, self.sse.as_ref(), put_sse);
        put_u64(out, self.created_ms);
        if !self.pending.is_empty() {
            put_list(out, &self.pending, put_step);
        }
    }

    /// Takes a descriptor off the front of `input`.
    ///
    /// # Errors
    ///
    /// Any bytes that [`TableDescriptor::encode`] of a known format cannot have written.
    pub fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        match get_u8(input)? {
            DESCRIPTOR_FORMAT => get_table(input),
            DESCRIPTOR_FORMAT_PENDING => {
                let table = get_table(input)?;
                Ok(TableDescriptor { pending: get_list(input, get_plain_step)?, ..table })
            }
            format => Err(DecodeError::Format(format)),
        }
    }

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

fn get_table(input: &mut &[u8]) -> Result<TableDescriptor, DecodeError> {
    Ok(TableDescriptor {
        id: TableId(get_u64(input)?),
        schema_version: get_u32(input)?,
        name: get_str(input)?,
        uuid: get_str(input)?,
        keys: get_keys(input)?,
        attribute_definitions: get_list(input, get_attribute)?,
        indexes: get_list(input, get_index)?,
        billing_mode: get_billing(input)?,
        on_demand_since_ms: get_option(input, get_u64)?,
        throughput: get_throughput(input)?,
        on_demand: get_option(input, get_on_demand)?,
        warm: get_option(input, get_warm)?,
        stream: get_stream(input)?,
        ttl: get_option(input, get_ttl)?,
        tags: get_string_map(input)?,
        deletion_protection: get_bool(input)?,
        table_class: get_option(input, get_class)?,
        sse: get_option(input, get_sse)?,
        created_ms: get_u64(input)?,
        pending: Vec::new(),
    })
}

/// Appends one key attribute.
pub(crate) fn put_attribute(out: &mut Vec<u8>, attribute: &KeyAttribute) {
    put_str(out, &attribute.name);
    out.push(match attribute.kind {
        KeyType::S => 1,
        KeyType::N => 2,
        KeyType::B => 3,
    });
}

/// Takes one key attribute.
pub(crate) fn get_attribute(input: &mut &[u8]) -> Result<KeyAttribute, DecodeError> {
    let name = get_str(input)?;
    let kind = match get_u8(input)? {
        1 => KeyType::S,
        2 => KeyType::N,
        3 => KeyType::B,
        tag => return Err(DecodeError::Tag { what: "key type", tag }),
    };
    Ok(KeyAttribute { name, kind })
}

pub(super) fn put_keys(out: &mut Vec<u8>, keys: &KeySchema) {
    put_list(out, &keys.partition, put_attribute);
    put_list(out, &keys.sort, put_attribute);
}

pub(super) fn get_keys(input: &mut &[u8]) -> Result<KeySchema, DecodeError> {
    Ok(KeySchema { partition: get_list(input, get_attribute)?, sort: get_list(input, get_attribute)? })
}

/// Appends one index.
pub(crate) fn put_index(out: &mut Vec<u8>, index: &IndexDescriptor) {
    put_u64(out, index.id.0);
    put_str(out, &index.name);
    put_bool(out, index.local);
    put_keys(out, &index.keys);
    put_projection(out, &index.projection);
    put_state(out, index.state);
    put_throughput(out, &index.throughput);
    put_option(out, index.on_demand.as_ref(), put_on_demand);
    put_option(out, index.warm.as_ref(), put_warm);
}

/// Takes one index.
pub(crate) fn get_index(input: &mut &[u8]) -> Result<IndexDescriptor, DecodeError> {
    Ok(IndexDescriptor {
        id: IndexId(get_u64(input)?),
        name: get_str(input)?,
        local: get_bool(input)?,
        keys: get_keys(input)?,
        projection: get_projection(input)?,
        state: get_state(input)?,
        throughput: get_throughput(input)?,
        on_demand: get_option(input, get_on_demand)?,
        warm: get_option(input, get_warm)?,
    })
}

fn put_projection(out: &mut Vec<u8>, projection: &Projection) {
    match projection {
        Projection::All => out.push(1),
        Projection::KeysOnly => out.push(2),
        Projection::Include(names) => {
            out.push(3);
            put_list(out, names, |out, name| put_str(out, name));
        }
    }
}

fn get_projection(input: &mut &[u8]) -> Result<Projection, DecodeError> {
    match get_u8(input)? {
        1 => Ok(Projection::All),
        2 => Ok(Projection::KeysOnly),
        3 => Ok(Projection::Include(get_list(input, get_str)?)),
        tag => Err(DecodeError::Tag { what: "projection", tag }),
    }
}

/// Appends an index state.
pub(crate) fn put_state(out: &mut Vec<u8>, state: IndexState) {
    out.push(match state {
        IndexState::Writing => 1,
        IndexState::Backfilling => 2,
        IndexState::Active => 3,
        IndexState::Dropping => 4,
    });
}

/// Takes an index state.
pub(crate) fn get_state(input: &mut &[u8]) -> Result<IndexState, DecodeError> {
    match get_u8(input)? {
        1 => Ok(IndexState::Writing),
        2 => Ok(IndexState::Backfilling),
        3 => Ok(IndexState::Active),
        4 => Ok(IndexState::Dropping),
        tag => Err(DecodeError::Tag { what: "index state", tag }),
    }
}

pub(crate) fn billing_tag(mode: BillingMode) -> u8 {
    match mode {
        BillingMode::Provisioned => 1,
        BillingMode::PayPerRequest => 2,
    }
}

pub(crate) fn get_billing(input: &mut &[u8]) -> Result<BillingMode, DecodeError> {
    match get_u8(input)? {
        1 => Ok(BillingMode::Provisioned),
        2 => Ok(BillingMode::PayPerRequest),
        tag => Err(DecodeError::Tag { what: "billing mode", tag }),
    }
}

fn put_throughput(out: &mut Vec<u8>, throughput: &Throughput) {
    put_u64(out, throughput.read_units);
    put_u64(out, throughput.write_units);
    put_option(out, throughput.increased_ms.as_ref(), |out, ms| put_u64(out, *ms));
    put_option(out, throughput.decreased_ms.as_ref(), |out, ms| put_u64(out, *ms));
    put_u64(out, throughput.decreases_that_day);
}

fn get_throughput(input: &mut &[u8]) -> Result<Throughput, DecodeError> {
    Ok(Throughput {
        read_units: get_u64(input)?,
        write_units: get_u64(input)?,
        increased_ms: get_option(input, get_u64)?,
        decreased_ms: get_option(input, get_u64)?,
        decreases_that_day: get_u64(input)?,
    })
}

fn put_signed(out: &mut Vec<u8>, value: Option<&i64>) {
    put_option(out, value, |out, value| put_i64(out, *value));
}

pub(crate) fn put_on_demand(out: &mut Vec<u8>, limits: &OnDemandLimits) {
    put_signed(out, limits.read_units_max.as_ref());
    put_signed(out, limits.write_units_max.as_ref());
}

pub(crate) fn get_on_demand(input: &mut &[u8]) -> Result<OnDemandLimits, DecodeError> {
    Ok(OnDemandLimits { read_units_max: get_option(input, get_i64)?, write_units_max: get_option(input, get_i64)? })
}

pub(crate) fn put_warm(out: &mut Vec<u8>, warm: &WarmThroughput) {
    put_signed(out, warm.read_units_per_second.as_ref());
    put_signed(out, warm.write_units_per_second.as_ref());
}

pub(crate) fn get_warm(input: &mut &[u8]) -> Result<WarmThroughput, DecodeError> {
    Ok(WarmThroughput {
        read_units_per_second: get_option(input, get_i64)?,
        write_units_per_second: get_option(input, get_i64)?,
    })
}

/// Without a stream, as an option is.
const NO_STREAM: u8 = 0;
/// As builds wrote it that described streams and recorded nothing.
const STREAM_WITHOUT_RECORDS: u8 = 1;
/// A stream whose table's writes are recorded. Builds that do not know how stop at it, rather than write other rows than
/// the other replicas.
const STREAM: u8 = 2;

fn put_stream(out: &mut Vec<u8>, stream: Option<&StreamSettings>) {
    let Some(stream) = stream else { return out.push(NO_STREAM) };
    out.push(STREAM);
    put_bool(out, stream.enabled);
    put_stream_view(out, stream.view);
    put_u64(out, stream.since_ms);
}

pub(crate) fn put_stream_view(out: &mut Vec<u8>, view: StreamView) {
    out.push(match view {
        StreamView::KeysOnly => 1,
        StreamView::NewImage => 2,
        StreamView::OldImage => 3,
        StreamView::NewAndOldImages => 4,
    });
}

fn get_stream(input: &mut &[u8]) -> Result<Option<StreamSettings>, DecodeError> {
    match get_u8(input)? {
        NO_STREAM => return Ok(None),
        STREAM_WITHOUT_RECORDS | STREAM => {}
        tag => return Err(DecodeError::Tag { what: "stream", tag }),
    }
    Ok(Some(StreamSettings { enabled: get_bool(input)?, view: get_stream_view(input)?, since_ms: get_u64(input)? }))
}

pub(crate) fn get_stream_view(input: &mut &[u8]) -> Result<StreamView, DecodeError> {
    match get_u8(input)? {
        1 => Ok(StreamView::KeysOnly),
        2 => Ok(StreamView::NewImage),
        3 => Ok(StreamView::OldImage),
        4 => Ok(StreamView::NewAndOldImages),
        tag => Err(DecodeError::Tag { what: "stream view", tag }),
    }
}

fn put_ttl(out: &mut Vec<u8>, ttl: &TtlSettings) {
    put_str(out, &ttl.attribute);
    match ttl.changed_ms {
        None => put_bool(out, ttl.enabled),
        Some(changed_ms) => {
            out.push(if ttl.enabled { TTL_ON_SINCE } else { TTL_OFF_SINCE });
            put_u64(out, changed_ms);
        }
    }
}

fn get_ttl(input: &mut &[u8]) -> Result<TtlSettings, DecodeError> {
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

fn put_class(out: &mut Vec<u8>, settings: &TableClassSettings) {
    put_class_name(out, settings.class);
    put_option(out, settings.updated_ms.as_ref(), |out, ms| put_u64(out, *ms));
}

pub(crate) fn put_class_name(out: &mut Vec<u8>, class: TableClass) {
    out.push(match class {
        TableClass::Standard => 1,
        TableClass::StandardInfrequentAccess => 2,
    });
}

fn get_class(input: &mut &[u8]) -> Result<TableClassSettings, DecodeError> {
    Ok(TableClassSettings { class: get_class_name(input)?, updated_ms: get_option(input, get_u64)? })
}

pub(crate) fn get_class_name(input: &mut &[u8]) -> Result<TableClass, DecodeError> {
    match get_u8(input)? {
        1 => Ok(TableClass::Standard),
        2 => Ok(TableClass::StandardInfrequentAccess),
        tag => Err(DecodeError::Tag { what: "table class", tag }),
    }
}

pub(crate) fn put_sse(out: &mut Vec<u8>, sse: &SseSettings) {
    put_option(out, sse.key.as_ref(), |out, key| put_str(out, key));
}

pub(crate) fn get_sse(input: &mut &[u8]) -> Result<SseSettings, DecodeError> {
    Ok(SseSettings { key: get_option(input, get_str)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{TableStep, fixture};

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
            put_ttl(&mut out, &ttl);
            assert_eq!((&out[..], get_ttl(&mut &bytes[..])), (bytes, Ok(ttl)));
        }
        assert!(get_ttl(&mut &[1, b't', 4, 0][..]).is_err());
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
