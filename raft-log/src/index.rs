//! Where every entry stands, and what else is known of each group.
//!
//! The same code follows the records when they are written and when they are read back, so what was written can be
//! recovered, and nothing is written that could not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::LogError;
use crate::disk::DiskFile;
use crate::record::{Kind, Record};

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// The segment; 0 where the entry is missing.
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    /// Length of the record.
    pub(crate) bytes: u32,
}

impl Location {
    const MISSING: Location = Location { segment: 0, offset: 0, bytes: 0 };
}

/// A segment that is in use.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// Open for as long as anything of it is needed.
    pub(crate) file: Arc<dyn DiskFile>,
    /// Bytes that are allocated for it.
    pub(crate) capacity: u64,
    /// Bytes of the entries in it that are not gone.
    pub(crate) live_bytes: u64,
}

/// What is known of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupIndex {
    /// The newest of each kind.
    pub(crate) values: BTreeMap<u8, Vec<u8>>,
    /// Term and index up to where entries were purged.
    pub(crate) purged: Option<(u64, u64)>,
    /// The index of the first location.
    pub(crate) first: u64,
    /// Of each entry, without gaps, the oldest first.
    pub(crate) locations: VecDeque<Location>,
    /// Indexes of entries that are marked.
    pub(crate) notable: BTreeSet<u64>,
}

impl GroupIndex {
    /// The index of the last entry, purged or not.
    pub(crate) fn last(&self) -> Option<u64> {
        match self.locations.len() as u64 {
            0 => self.purged.map(|(_, index)| index),
            length => Some(self.first + length - 1),
        }
    }

    /// Where there is no entry, the next one comes after what was purged.
    fn settle_first(&mut self) {
        if let (true, Some((_, purged))) = (self.locations.is_empty(), self.purged) {
            self.first = purged + 1;
        }
    }

    pub(crate) fn location(&self, index: u64) -> Option<Location> {
        let at = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.locations.get(at).copied()
    }

    /// The index of an entry that must be there and is not.
    pub(crate) fn missing(&self) -> Option<u64> {
        let at = self.locations.iter().position(|location| *location == Location::MISSING)?;
        Some(self.first + at as u64)
    }

    /// The body of a checkpoint record.
    ///
    /// ```text
    /// purged: 0 | 1 (1) · term (8) · index (8) · first (8) · entries (8) · n values (4) · (kind (1) · length (4) · value)*
    /// ```
    pub(crate) fn checkpoint(&self) -> Vec<u8> {
        let mut out = vec![u8::from(self.purged.is_some())];
        let (term, index) = self.purged.unwrap_or_default();
        for number in [term, index, self.first, self.locations.len() as u64] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&(self.values.len() as u32).to_le_bytes());
        for (kind, value) in &self.values {
            out.push(*kind);
            out.extend_from_slice(&(value.len() as u32).to_le_bytes());
            out.extend_from_slice(value);
        }
        out
    }

    /// What a checkpoint says, with all entries still missing.
    fn from_checkpoint(mut body: &[u8]) -> Option<GroupIndex> {
        let input = &mut body;
        let is_purged = take(input, 1)?[0] == 1;
        let purged = (take_u64(input)?, take_u64(input)?);
        let (first, entries) = (take_u64(input)?, take_u64(input)?);
        let count = u32::from_le_bytes(take(input, 4)?.try_into().ok()?);
        let mut values = BTreeMap::new();
        for _ in 0..count {
            let kind = take(input, 1)?[0];
            let length = u32::from_le_bytes(take(input, 4)?.try_into().ok()?);
            values.insert(kind, take(input, length as usize)?.to_vec());
        }
        let locations = std::iter::repeat_n(Location::MISSING, usize::try_from(entries).ok()?).collect();
        let purged = is_purged.then_some(purged);
        input.is_empty().then_some(GroupIndex { values, purged, first, locations, notable: BTreeSet::new() })
    }

    /// Whether both say the same of everything that a checkpoint holds.
    fn agrees(&self, other: &GroupIndex) -> bool {
        let sum = |group: &GroupIndex| (group.values.clone(), group.purged, group.first, group.locations.len());
        sum(self) == sum(other)
    }
}

fn take<'a>(input: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (front, rest) = input.split_at_checked(bytes)?;
    *input = rest;
    Some(front)
}

fn take_u64(input: &mut &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(take(input, 8)?.try_into().ok()?))
}

/// All groups and all segments in use.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// By number.
    pub(crate) groups: BTreeMap<u32, GroupIndex>,
    /// By number; the newest one is written.
    pub(crate) segments: BTreeMap<u32, Segment>,
}

impl Index {
    /// Bytes of entries that are not gone.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.live_bytes).sum()
    }

    /// The oldest segment in use.
    pub(crate) fn oldest(&self) -> Option<(u32, &Segment)> {
        self.segments.first_key_value().map(|(number, segment)| (*number, segment))
    }

    /// Why a record may not follow what there is; `None` if it may.
    pub(crate) fn refuses(&self, record: &Record<'_>) -> Option<String> {
        let header = &record.header;
        let group = self.groups.get(&header.group);
        match header.kind {
            Kind::Entry => {
                let group = group?;
                let last = group.last()?;
                let fits = group.first <= header.index && header.index <= last + 1;
                (!fits).then(|| format!("entry {} of group {} follows entry {last}", header.index, header.group))
            }
            Kind::Value => {
                let is_byte = u8::try_from(header.index).is_ok();
                (!is_byte).then(|| format!("a value of kind {}", header.index))
            }
            _ => None,
        }
    }

    /// Follows a record that stands at `location`.
    ///
    /// # Errors
    /// [`LogError::Damaged`] where it cannot follow what there is.
    pub(crate) fn apply(&mut self, record: &Record<'_>, location: Location) -> Result<(), LogError> {
        if let Some(reason) = self.refuses(record) {
            return Err(LogError::Damaged(reason));
        }
        let header = &record.header;
        match header.kind {
            Kind::Entry => self.put_entry(record, location),
            Kind::Truncate => self.truncate(header.group, header.index),
            Kind::Purge => self.purge(header.group, (header.term, header.index), record.body),
            Kind::Value => {
                let kind = header.index as u8;
                self.groups.entry(header.group).or_default().values.insert(kind, record.body.to_vec());
            }
            Kind::Checkpoint => return self.check(header.group, record.body),
            Kind::Opened | Kind::Mark | Kind::End => {}
        }
        Ok(())
    }

    fn put_entry(&mut self, record: &Record<'_>, location: Location) {
        let header = &record.header;
        let group = self.groups.entry(header.group).or_default();
        if group.last().is_none() {
            group.first = header.index;
        }
        match group.locations.get_mut((header.index - group.first) as usize) {
            // It was moved here from an old segment.
            Some(old) => {
                let old = std::mem::replace(old, location);
                release(&mut self.segments, old);
            }
            None => group.locations.push_back(location),
        }
        if header.is_notable {
            group.notable.insert(header.index);
        } else {
            group.notable.remove(&header.index);
        }
        if let Some(segment) = self.segments.get_mut(&location.segment) {
            segment.live_bytes += u64::from(location.bytes);
        }
    }

    fn truncate(&mut self, group: u32, index: u64) {
        let Some(group) = self.groups.get_mut(&group) else { return };
        while !group.locations.is_empty() && group.last() >= Some(index) {
            if let Some(location) = group.locations.pop_back() {
                release(&mut self.segments, location);
            }
        }
        group.notable.split_off(&index);
        group.settle_first();
    }

    fn purge(&mut self, group: u32, upto: (u64, u64), values: &[u8]) {
        let group = self.groups.entry(group).or_default();
        values.iter().for_each(|kind| drop(group.values.remove(kind)));
        if group.purged.is_some_and(|(_, purged)| upto.1 <= purged) {
            return;
        }
        while !group.locations.is_empty() && group.first <= upto.1 {
            if let Some(location) = group.locations.pop_front() {
                release(&mut self.segments, location);
            }
            group.first += 1;
        }
        group.purged = Some(upto);
        group.settle_first();
        group.notable = group.notable.split_off(&group.first);
    }

    /// A checkpoint must say what the segments before have come to; of a group that is not known it is all there is.
    fn check(&mut self, number: u32, body: &[u8]) -> Result<(), LogError> {
        let Some(found) = GroupIndex::from_checkpoint(body) else {
            return Err(LogError::Damaged(format!("the checkpoint of group {number} cannot be read")));
        };
        match self.groups.get(&number) {
            Some(known) if !known.agrees(&found) => Err(LogError::Damaged(format!(
                "the segments before the checkpoint of group {number} say something else"
            ))),
            Some(_) => Ok(()),
            None => {
                self.groups.insert(number, found);
                Ok(())
            }
        }
    }
}

/// An entry at this place is gone.
fn release(segments: &mut BTreeMap<u32, Segment>, location: Location) {
    if let Some(segment) = segments.get_mut(&location.segment) {
        segment.live_bytes -= u64::from(location.bytes);
    }
}
