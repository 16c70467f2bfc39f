//! Reading the log back, and the judgement over its end.
//!
//! Within a segment records follow each other without gaps. Where the next one does not check out, either the log ends
//! there (what follows was never durable: a torn write, or nothing yet), or something that was durable has rotted. It has,
//! if anything says that more was durable:
//!
//! - a later record of this segment whose *durable* offset lies behind the place (every synced write is followed by a
//!   [mark](crate::record::Kind::Mark), and every record says what was durable when it was written),
//! - a slot at the beginning of the segment, which says the same since the log was settled last,
//! - the segment's own header: its checkpoint was durable before the segment got its name,
//! - a later segment, whose header says where this one ended,
//! - the end record, which says that there is a later segment.
//!
//! Whoever is damaged is refused; a torn end is dropped, since nobody was told of it.

use std::sync::Arc;

use crate::LogError;
use crate::disk::{Disk, DiskFile};
use crate::index::{Index, Location, Segment};
use crate::record::{self, ALIGNMENT, FIRST_RECORD, Kind, Place, RECORD_HEADER_BYTES, Record, SLOTS, SegmentHeader};

/// Names of segments begin so; a number follows.
const SEGMENT_PREFIX: &str = "segment-";
/// Names of files that wait to become segments begin so.
const SPARE_PREFIX: &str = "spare-";

pub(crate) fn segment_name(number: u32) -> String {
    format!("{SEGMENT_PREFIX}{number:08x}")
}

pub(crate) fn spare_name(number: u32) -> String {
    format!("{SPARE_PREFIX}{number:08x}")
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// Where everything is.
    pub(crate) index: Index,
    /// The log's number.
    pub(crate) log_id: u64,
    /// The highest generation that was met.
    pub(crate) generation: u32,
    /// The number of the newest segment, in which the log goes on.
    pub(crate) active: u32,
    /// The end of the log in it.
    pub(crate) end: u32,
    /// The segment before it, if it has no end record yet.
    pub(crate) unended: Option<Unended>,
}

/// A segment without an end record although there is a later one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unended {
    pub(crate) number: u32,
    pub(crate) end: u32,
    pub(crate) generation: u32,
}

/// What lies in the directory.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Numbers of segments, in order.
    pub(crate) segments: Vec<u32>,
    /// Numbers in the names of spare files.
    pub(crate) spares: Vec<u32>,
}

impl Listing {
    pub(crate) fn read(disk: &dyn Disk) -> Result<Listing, LogError> {
        let mut listing = Listing::default();
        for name in disk.list()? {
            let number = |prefix| u32::from_str_radix(name.strip_prefix(prefix)?, 16).ok();
            if let Some(number) = number(SEGMENT_PREFIX) {
                listing.segments.push(number);
            } else if let Some(number) = number(SPARE_PREFIX) {
                listing.spares.push(number);
            }
        }
        listing.segments.sort_unstable();
        Ok(listing)
    }
}

/// How far the records of a segment go.
struct Scanned {
    end: u32,
    generation: u32,
    /// The number of the next segment, where an end record says that there is one.
    goes_on_in: Option<u64>,
}

/// Reads the segments `numbers`, of which there is at least one.
///
/// # Errors
/// [`LogError::Damaged`] where something is missing or was changed.
pub(crate) fn recover(disk: &dyn Disk, numbers: &[u32]) -> Result<Recovered, LogError> {
    let mut recovered =
        Recovered { index: Index::default(), log_id: 0, generation: 0, active: 0, end: 0, unended: None };
    let mut files = Vec::with_capacity(numbers.len());
    for number in numbers {
        files.push(open_segment(disk, *number)?);
    }
    check_sequence(numbers, &files)?;
    let mut bytes = Vec::new();
    for (at, (file, header)) in files.iter().enumerate() {
        let successor = files.get(at + 1).map(|(_, header)| header);
        read_whole(&**file, header.capacity, &mut bytes)?;
        let (file, live_bytes) = (Arc::clone(file), 0);
        let segment = Segment { file, capacity: header.capacity, live_bytes };
        recovered.index.segments.insert(header.number, segment);
        let scanned = scan(&bytes, header, successor, &mut recovered.index)?;
        match (successor, scanned.goes_on_in) {
            (None, Some(next)) => {
                return Err(LogError::Damaged(format!("{} is missing", segment_name(next as u32))));
            }
            (Some(_), None) => {
                let Scanned { end, generation, .. } = scanned;
                recovered.unended = Some(Unended { number: header.number, end, generation });
            }
            (Some(_), Some(_)) => recovered.unended = None,
            (None, None) => {}
        }
        recovered.log_id = header.log_id;
        recovered.generation = recovered.generation.max(scanned.generation);
        recovered.active = header.number;
        recovered.end = scanned.end;
    }
    match recovered.index.groups.iter().find_map(|(group, index)| Some((group, index.missing()?))) {
        Some((group, missing)) => Err(LogError::Damaged(format!("entry {missing} of group {group} is missing"))),
        None => Ok(recovered),
    }
}

fn open_segment(disk: &dyn Disk, number: u32) -> Result<(Arc<dyn DiskFile>, SegmentHeader), LogError> {
    let name = segment_name(number);
    let file = disk.open(&name)?;
    let length = file.byte_len()?;
    if length < FIRST_RECORD as u64 {
        return Err(LogError::Damaged(format!("{name} has only {length} bytes")));
    }
    let mut bytes = [0; FIRST_RECORD];
    file.read_at(&mut bytes, 0)?;
    let header = SegmentHeader::decode(&bytes, &name)?;
    if header.number != number {
        return Err(LogError::Damaged(format!("{name} is segment {}", header.number)));
    }
    if header.capacity != length {
        return Err(LogError::Damaged(format!("{name} has {length} bytes of {}", header.capacity)));
    }
    Ok((file, header))
}

/// No segment is missing between others, and all belong to one log.
fn check_sequence(numbers: &[u32], files: &[(Arc<dyn DiskFile>, SegmentHeader)]) -> Result<(), LogError> {
    for (pair, headers) in numbers.windows(2).zip(files.windows(2)) {
        if pair[0] + 1 != pair[1] {
            return Err(LogError::Damaged(format!("{} is missing", segment_name(pair[0] + 1))));
        }
        if headers[0].1.log_id != headers[1].1.log_id {
            return Err(LogError::Damaged(format!("{} belongs to another log", segment_name(pair[1]))));
        }
    }
    Ok(())
}

fn read_whole(file: &dyn DiskFile, capacity: u64, bytes: &mut Vec<u8>) -> Result<(), LogError> {
    let length = usize::try_from(capacity).map_err(|_| LogError::Damaged("a segment beyond 4 GiB".to_owned()))?;
    bytes.resize(length, 0);
    file.read_at(bytes, 0)?;
    Ok(())
}

/// Follows the records of a segment to its end.
fn scan(
    bytes: &[u8],
    header: &SegmentHeader,
    successor: Option<&SegmentHeader>,
    index: &mut Index,
) -> Result<Scanned, LogError> {
    let damaged =
        |at: usize, why: &str| LogError::Damaged(format!("{} at offset {at}: {why}", segment_name(header.number)));
    let mut at = FIRST_RECORD;
    let mut scanned = Scanned { end: 0, generation: header.generation, goes_on_in: None };
    while let Some(record) = read(bytes, header, at).filter(|record| follows(record, scanned.generation)) {
        if record.header.kind == Kind::End && record.header.index == u64::from(header.number) + 1 {
            scanned.goes_on_in = Some(record.header.index);
            break;
        }
        let bytes_long = record.header.record_bytes();
        index.apply(&record, Location { segment: header.number, offset: at as u32, bytes: bytes_long as u32 })?;
        scanned.generation = record.header.generation;
        at += bytes_long;
    }
    scanned.end = at as u32;
    if at < header.checkpoint_end as usize {
        return Err(damaged(at, "its beginning has changed"));
    }
    let settled = SLOTS.iter().filter_map(|slot| read(bytes, header, *slot)).map(|slot| slot.header.durable).max();
    if settled.is_some_and(|settled| at < settled as usize) {
        return Err(damaged(at, &format!("it was durable up to {}", settled.unwrap_or_default())));
    }
    match successor {
        Some(successor) if scanned.end != successor.predecessor_end => {
            Err(damaged(at, &format!("it went on to {}", successor.predecessor_end)))
        }
        Some(_) => Ok(scanned),
        None if scanned.goes_on_in.is_some() => Ok(scanned),
        None => match later_witness(bytes, header, at, scanned.generation) {
            Some(witness) => {
                Err(damaged(at, &format!("a record has changed; the one at {witness} says it was durable")))
            }
            None => Ok(scanned),
        },
    }
}

/// The record at `at`, if there is one.
fn read<'a>(bytes: &'a [u8], header: &SegmentHeader, at: usize) -> Option<Record<'a>> {
    let place = Place { log_id: header.log_id, segment: header.number, offset: u32::try_from(at).ok()? };
    record::parse(bytes.get(at..)?, place)
}

/// Behind a record of `generation` only its own kin can follow, or the next opening of the log.
fn follows(record: &Record<'_>, generation: u32) -> bool {
    match record.header.kind {
        Kind::Opened => record.header.generation > generation,
        _ => record.header.generation == generation,
    }
}

/// Where a record behind `at` stands that was written when what is at `at` was durable.
fn later_witness(bytes: &[u8], header: &SegmentHeader, at: usize, generation: u32) -> Option<usize> {
    let last = bytes.len().checked_sub(RECORD_HEADER_BYTES)?;
    (at..=last).step_by(ALIGNMENT).skip(1).find(|candidate| {
        // Nearly everything ends at the first comparison: what a file held before has an older generation.
        record::generation(&bytes[*candidate..]) >= generation
            && record::header(&bytes[*candidate..]).is_some_and(|found| found.durable as usize > at)
            && read(bytes, header, *candidate).is_some()
    })
}
