//! The bytes of segments and records. All integers are little endian.
//!
//! ```text
//! segment   header (512) · slot (512) · slot (512) · record* · whatever the file held before
//!
//! header     0  "RAFTLOG" · format (1) = 01
//!            8  log id (8)           drawn when the log was created
//!           16  number (4)           of the segment: 1, 2, 3 …
//!           20  generation (4)       of its first record
//!           24  capacity (8)         length of the file
//!           32  checkpoint end (4)   everything before this offset was durable before the segment got its name
//!           36  predecessor end (4)  where the end record of the segment before stands, 0 in the first one
//!           40  zero (20)
//!           60  CRC-32 of the 60 bytes before; zeros up to 512
//!
//! slot       a mark as below, which is rewritten when the log is settled, the two in turns: what is at the end of the log
//!            and what says that it was durable then lie in different sectors
//!
//! record     0  CRC-32 of log id, segment number, offset (16 bytes), and of everything behind this field
//!            4  length of the body (4)
//!            8  generation (4)
//!           12  durable (4)          everything before this offset of the segment was durable when this was written
//!           16  group (4)
//!           20  kind (1) · notable (1) · zero (2)
//!           24  index (8)
//!           32  term (8)
//!           40  body, and zeros up to a multiple of 8
//! ```
//!
//! The checksum covers the place, so that a record which stands anywhere else (a recycled file's old content, a sector
//! written to the wrong place, a file of another log) is none. The *generation* rises with every opening of the log and
//! with every segment: behind a record only those of its generation or a later one can follow, so that what a torn write
//! left behind the end is never read after the log went on.

use crate::{FORMAT, LogError};

const MAGIC: &[u8; 7] = b"RAFTLOG";

/// Bytes of a segment's header.
const SEGMENT_HEADER_BYTES: usize = 64;

/// Where the two slots of a segment stand, each in a sector of its own.
pub(crate) const SLOTS: [usize; 2] = [512, 1024];

/// Where the first record of a segment stands.
pub(crate) const FIRST_RECORD: usize = 1536;

/// Bytes of a record without its body.
pub(crate) const RECORD_HEADER_BYTES: usize = 40;

/// Records begin at multiples of this.
pub(crate) const ALIGNMENT: usize = 8;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// An entry of the group.
    Entry = 1,
    /// The entries of the group from `index` on are gone.
    Truncate = 2,
    /// The entries of the group up to `index`, whose term is `term`, are gone; and the values whose kinds are in the body.
    Purge = 3,
    /// The group's value of the kind `index` is the body.
    Value = 4,
    /// All that is known of the group, at the beginning of a segment.
    Checkpoint = 5,
    /// The log was opened again. Group, index and term are zero.
    Opened = 6,
    /// Everything before was durable when this was written.
    Mark = 7,
    /// The segment ends here; the log goes on in the segment `index`.
    End = 8,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        use Kind::{Checkpoint, End, Entry, Mark, Opened, Purge, Truncate, Value};
        [Entry, Truncate, Purge, Value, Checkpoint, Opened, Mark, End].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// Where a record stands: part of its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The log's number.
    pub(crate) log_id: u64,
    /// The segment's number.
    pub(crate) segment: u32,
    /// Where in it.
    pub(crate) offset: u32,
}

impl Place {
    fn hasher(self) -> crc32fast::Hasher {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.log_id.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.segment.to_le_bytes());
        bytes[12..].copy_from_slice(&self.offset.to_le_bytes());
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&bytes);
        hasher
    }
}

/// What a record's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// What the record is.
    pub(crate) kind: Kind,
    /// Whether an entry is marked.
    pub(crate) is_notable: bool,
    /// Whose it is.
    pub(crate) group: u32,
    /// An entry's index, or where a cut is made.
    pub(crate) index: u64,
    /// An entry's term.
    pub(crate) term: u64,
    /// The length of what follows.
    pub(crate) body_bytes: u32,
    /// Rises with each segment and each opening.
    pub(crate) generation: u32,
    /// How much of the segment was durable when the record was written.
    pub(crate) durable: u32,
}

impl Header {
    /// Length of the whole record in the log.
    pub(crate) fn record_bytes(&self) -> usize {
        padded(RECORD_HEADER_BYTES + self.body_bytes as usize)
    }
}

fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT)
}

/// A record in full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// What stands before the body.
    pub(crate) header: Header,
    /// What was given to be written.
    pub(crate) body: &'a [u8],
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Appends a record whose generation, durable offset and checksum are not known yet: see [`stamp`].
pub(crate) fn put(out: &mut Vec<u8>, kind: Kind, is_notable: bool, group: u32, id: (u64, u64), body: &[&[u8]]) {
    let (term, index) = id;
    let start = out.len();
    let body_bytes: usize = body.iter().map(|part| part.len()).sum();
    out.reserve(padded(RECORD_HEADER_BYTES + body_bytes));
    let mut header = [0; RECORD_HEADER_BYTES];
    let length = u32::try_from(body_bytes).expect("an entry is far below 4 GiB: a request is");
    header[4..8].copy_from_slice(&length.to_le_bytes());
    header[16..20].copy_from_slice(&group.to_le_bytes());
    header[20] = kind as u8;
    header[21] = u8::from(is_notable);
    header[24..32].copy_from_slice(&index.to_le_bytes());
    header[32..40].copy_from_slice(&term.to_le_bytes());
    out.extend_from_slice(&header);
    body.iter().for_each(|part| out.extend_from_slice(part));
    out.resize(start + padded(out.len() - start), 0);
}

/// The header of the record at the front of `bytes`, which [`put`] has written or [`parse`] has checked.
pub(crate) fn header(bytes: &[u8]) -> Option<Header> {
    let bytes = bytes.get(..RECORD_HEADER_BYTES)?;
    let is_plain = bytes[21] <= 1 && bytes[22..24] == [0, 0];
    is_plain.then_some(())?;
    Some(Header {
        kind: Kind::from_byte(bytes[20])?,
        is_notable: bytes[21] == 1,
        group: u32_at(bytes, 16),
        index: u64_at(bytes, 24),
        term: u64_at(bytes, 32),
        body_bytes: u32_at(bytes, 4),
        generation: u32_at(bytes, 8),
        durable: u32_at(bytes, 12),
    })
}

/// Completes the records in `bytes`, the first of which comes to stand at `place`.
pub(crate) fn stamp(bytes: &mut [u8], mut place: Place, generation: u32, durable: u32) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = padded(RECORD_HEADER_BYTES + u32_at(rest, 4) as usize);
        let (record, behind) = rest.split_at_mut(length);
        record[8..12].copy_from_slice(&generation.to_le_bytes());
        record[12..16].copy_from_slice(&durable.to_le_bytes());
        let mut hasher = place.hasher();
        hasher.update(&record[4..]);
        record[..4].copy_from_slice(&hasher.finalize().to_le_bytes());
        place.offset += u32::try_from(length).expect("a segment is below 4 GiB");
        rest = behind;
    }
}

/// The record at the front of `bytes`, if it is one and stands where it should.
pub(crate) fn parse(bytes: &[u8], place: Place) -> Option<Record<'_>> {
    let header = header(bytes)?;
    let record = bytes.get(..header.record_bytes())?;
    let mut hasher = place.hasher();
    hasher.update(&record[4..]);
    if hasher.finalize() != u32_at(record, 0) {
        return None;
    }
    Some(Record { header, body: &record[RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + header.body_bytes as usize] })
}

/// The generation that stands where a record at the front of `bytes` would have it: a quick look before [`parse`].
pub(crate) fn generation(bytes: &[u8]) -> u32 {
    u32_at(bytes, 8)
}

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The log's number.
    pub(crate) log_id: u64,
    /// The segment's.
    pub(crate) number: u32,
    /// Of its first records.
    pub(crate) generation: u32,
    /// Bytes that are allocated for it.
    pub(crate) capacity: u64,
    /// Where the checkpoint at its beginning ends.
    pub(crate) checkpoint_end: u32,
    /// Where the segment before it ended.
    pub(crate) predecessor_end: u32,
}

impl SegmentHeader {
    /// The header and empty slots.
    pub(crate) fn encode(&self) -> [u8; FIRST_RECORD] {
        let mut bytes = [0; FIRST_RECORD];
        bytes[..7].copy_from_slice(MAGIC);
        bytes[7] = FORMAT;
        bytes[8..16].copy_from_slice(&self.log_id.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.number.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.generation.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.capacity.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.checkpoint_end.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.predecessor_end.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..60]);
        bytes[60..SEGMENT_HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// # Errors
    /// [`LogError::Format`] where another program wrote it, [`LogError::Damaged`] where it does not check out.
    pub(crate) fn decode(bytes: &[u8], name: &str) -> Result<SegmentHeader, LogError> {
        let damaged = || LogError::Damaged(format!("the header of {name} does not check out"));
        let bytes = bytes.get(..SEGMENT_HEADER_BYTES).ok_or_else(damaged)?;
        if crc32fast::hash(&bytes[..60]) != u32_at(bytes, 60) || bytes[..7] != *MAGIC {
            return Err(damaged());
        }
        if bytes[7] != FORMAT {
            return Err(LogError::Format(bytes[7]));
        }
        Ok(SegmentHeader {
            log_id: u64_at(bytes, 8),
            number: u32_at(bytes, 16),
            generation: u32_at(bytes, 20),
            capacity: u64_at(bytes, 24),
            checkpoint_end: u32_at(bytes, 32),
            predecessor_end: u32_at(bytes, 36),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { log_id: 0x0102, segment: 3, offset: 64 };

    #[test]
    fn golden_bytes_of_a_record() {
        let mut bytes = Vec::new();
        put(&mut bytes, Kind::Entry, true, 5, (7, 258), &[b"bo", b"dy"]);
        stamp(&mut bytes, PLACE, 9, 64);
        let expected =
            b"\x04\0\0\0\x09\0\0\0\x40\0\0\0\x05\0\0\0\x01\x01\0\0\x02\x01\0\0\0\0\0\0\x07\0\0\0\0\0\0\0body\0\0\0\0";
        assert_eq!(bytes[4..], expected[..]);
        let place = b"\x02\x01\0\0\0\0\0\0\x03\0\0\0\x40\0\0\0";
        assert_eq!(bytes[..4], crc32fast::hash(&[place.as_slice(), expected].concat()).to_le_bytes());
        let record = parse(&bytes, PLACE).unwrap();
        assert_eq!(record.body, b"body");
        assert_eq!(record.header.record_bytes(), bytes.len());
        assert!(parse(&bytes, Place { offset: 72, ..PLACE }).is_none(), "another place");
        assert!(parse(&bytes, Place { segment: 4, ..PLACE }).is_none(), "another segment");
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            assert!(parse(&bad, PLACE).is_none(), "byte {at}");
            assert!(parse(&bytes[..at], PLACE).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn golden_bytes_of_a_segment_header() {
        let header = SegmentHeader {
            log_id: 0x0102,
            number: 3,
            generation: 9,
            capacity: 0x0080_0000,
            checkpoint_end: 1576,
            predecessor_end: 0x0007_ffd8,
        };
        let bytes = header.encode();
        let expected =
            b"RAFTLOG\x01\x02\x01\0\0\0\0\0\0\x03\0\0\0\x09\0\0\0\0\0\x80\0\0\0\0\0\x28\x06\0\0\xd8\xff\x07\0";
        assert_eq!(bytes[..40], expected[..]);
        assert_eq!(bytes[40..60], [0; 20]);
        assert_eq!(SegmentHeader::decode(&bytes, "").unwrap(), header);
        for at in 0..SEGMENT_HEADER_BYTES {
            let mut bad = bytes;
            bad[at] ^= 1;
            assert!(SegmentHeader::decode(&bad, "").is_err(), "byte {at}");
        }
    }
}
