//! The log: one writer, any number of readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use crate::disk::{Disk, DiskFile};
use crate::index::{Index, Location, Segment};
use crate::record::{self, FIRST_RECORD, Kind, Place, RECORD_HEADER_BYTES, SLOTS, SegmentHeader};
use crate::recover::{self, Listing, Recovered, segment_name, spare_name};
use crate::{Batch, LogError};

/// Kept free at the end of a segment for the end record, and before it for a mark, and for one opening with its mark: a log
/// can be opened again on a disk that is full.
const RESERVED_BYTES: usize = 4 * RECORD_HEADER_BYTES;

/// Entries that lie within so many bytes of each other are read at once.
const READ_GAP_BYTES_MAX: u32 = 64 << 10;

/// Kept free at the end of the last segment that there is room for, beyond what a batch takes that makes the log longer: for
/// those that make it shorter, and so give room back ([`Log::reserve`]). Some eighty purges.
const SHORTENING_BYTES: usize = 4096;

/// Capacities are multiples of this.
const PAGE_BYTES: usize = 4096;

/// How a log is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Goes into every checksum of a new log, so that files of different logs are told apart: any random number.
    pub log_id: u64,
    /// Length of a segment, in bytes; from 8 KiB to 1 GiB. A record that is longer gets a segment of its own length.
    pub segment_bytes: usize,
    /// Files that wait to become segments, at most; at least one. What is purged beyond is given back to the file system.
    pub spares_max: usize,
    /// So far ahead of its end a new file is filled with zeros, in bytes: overwriting blocks that were written before syncs
    /// several times as fast as the first write of a block that was only allocated. 0 where that makes no difference.
    pub zero_ahead_bytes: usize,
    /// Whether there must be a log: its absence is an error then.
    pub must_exist: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { log_id: 0, segment_bytes: 8 << 20, spares_max: 8, zero_ahead_bytes: 256 << 10, must_exist: false }
    }
}

/// An entry that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its term.
    pub term: u64,
    /// Its index.
    pub index: u64,
    /// What was appended.
    pub body: Bytes,
}

/// A log of many groups. See the crate's documentation.
#[derive(Debug)]
pub struct Log {
    /// Held while something is written and synced.
    writer: Mutex<Writer>,
    /// Where everything is; changed when it is durable.
    index: Arc<RwLock<Index>>,
    /// Drawn when the log was made.
    log_id: u64,
    /// Synced writes since the opening.
    syncs: AtomicU64,
    /// Whether there is no room for another segment.
    is_short: AtomicBool,
    /// Files that may wait to become segments.
    spares_max: Arc<AtomicUsize>,
}

/// What only the writer touches.
#[derive(Debug)]
struct Writer {
    /// Where the segments are.
    disk: Arc<dyn Disk>,
    /// Sizes.
    options: Options,
    /// Where everything is.
    index: Arc<RwLock<Index>>,
    /// Drawn when the log was made.
    log_id: u64,
    /// Of what is written now.
    generation: u32,
    /// The segment that is being written.
    file: Arc<dyn DiskFile>,
    /// Of the segment that is written.
    number: u32,
    /// Bytes that are allocated for it.
    capacity: usize,
    /// Where the next record goes.
    end: usize,
    /// Everything before is durable.
    durable: usize,
    /// Whether records were written since the last sync.
    is_unsynced: bool,
    /// Whether nothing was written since the last sync, so that nothing says of what it made durable that it is.
    is_unmarked: bool,
    /// What a slot says to be durable.
    settled: usize,
    /// The slot that is written next.
    slot: usize,
    /// Everything before was written once, so that overwriting it is quick.
    written_before: usize,
    /// Files that wait to become segments, and how many may.
    spares: Vec<Spare>,
    /// Files that are kept to be used again, at the most.
    spares_max: Arc<AtomicUsize>,
    /// Whether a segment was begun since the last look at how many there are.
    is_new_segment: bool,
    /// Why nothing is written any more.
    failed: Option<LogError>,
}

#[derive(Debug)]
struct Spare {
    /// On the disk.
    name: String,
    /// Open.
    file: Arc<dyn DiskFile>,
    /// Allocated for it.
    bytes: u64,
    /// Whether all of it was written before.
    is_used: bool,
}

impl Log {
    /// Opens the log on `disk`; creates it where there is none.
    ///
    /// # Errors
    /// [`LogError::Damaged`] where anything that was durable is missing or was changed, [`LogError::Gone`] where there must
    /// be a log and is none, and as the disk says.
    pub fn open(disk: Arc<dyn Disk>, options: &Options) -> Result<Log, LogError> {
        let listing = Listing::read(&*disk)?;
        let index = Arc::new(RwLock::new(Index::default()));
        let mut writer = Writer::open(disk, options, Arc::clone(&index), &listing)?;
        let spares_max = Arc::clone(&writer.spares_max);
        if listing.segments.is_empty() {
            if options.must_exist {
                return Err(LogError::Gone);
            }
            writer.begin_segment(0)?;
        } else {
            writer.go_on(recover::recover(&*writer.disk, &listing.segments)?)?;
        }
        let is_short = AtomicBool::new(!writer.keep_house()?);
        let syncs = AtomicU64::new(0);
        Ok(Log { log_id: writer.log_id, index, syncs, is_short, spares_max, writer: Mutex::new(writer) })
    }

    /// Sees to it that `batch` finds its room, so that [`Log::write`] of it does not fail for want of any; the next batch may
    /// take that room instead. A batch that only purges and cuts is let into room that is kept for it.
    ///
    /// # Errors
    /// [`LogError::Full`] where there is no room: nothing was written, and it can be tried again. Others as [`Log::write`].
    pub fn reserve(&self, batch: &Batch) -> Result<(), LogError> {
        let mut writer = self.writer.lock();
        let reserved = writer.healthy().and_then(|()| writer.reserve(&batch.bytes, batch.only_shortens()));
        match reserved {
            Err(error @ LogError::Full(_)) => {
                self.is_short.store(true, Ordering::Relaxed);
                Err(error)
            }
            reserved => self.conclude(&mut writer, reserved.map(|()| None)),
        }
    }

    /// How many files may wait to become segments from now on, at least one: what is beyond goes back to the file system at
    /// the next write of a new segment, or [`Log::settle`].
    pub fn set_spares_max(&self, spares_max: usize) {
        self.spares_max.store(spares_max.max(1), Ordering::Relaxed);
    }

    /// Writes a batch. It can be read on return; with `sync` it and everything before it is durable then. Without, it is
    /// durable with the next synced write or [`Log::settle`].
    ///
    /// # Errors
    /// As [`LogError`] says; nothing is written any more afterwards.
    pub fn write(&self, batch: Batch, sync: bool) -> Result<(), LogError> {
        self.write_and_mark(batch, sync, || true)
    }

    /// As [`Log::write`] with a sync, for who may have the next batch at hand by then (`has_more`): its records say what was
    /// durable, so that nothing need be written in between that does. Whoever says so must write it, or call
    /// [`Log::mark`], without waiting for anything.
    ///
    /// # Errors
    /// As [`Log::write`].
    pub fn write_before_more(&self, batch: Batch, has_more: impl FnOnce() -> bool) -> Result<(), LogError> {
        self.write_and_mark(batch, true, || !has_more())
    }

    /// Says of what the last sync has made durable that it is, where nothing does yet.
    ///
    /// # Errors
    /// As [`Log::write`].
    pub fn mark(&self) -> Result<(), LogError> {
        let mut writer = self.writer.lock();
        let marked = writer.healthy().and_then(|()| writer.mark()).map(|()| None);
        self.conclude(&mut writer, marked)
    }

    fn write_and_mark(&self, mut batch: Batch, sync: bool, is_marked: impl FnOnce() -> bool) -> Result<(), LogError> {
        let mut writer = self.writer.lock();
        let written = writer.healthy().and_then(|()| {
            writer.write(&mut batch.bytes)?;
            if sync {
                writer.sync()?;
                if is_marked() {
                    writer.mark()?;
                }
                self.syncs.fetch_add(1, Ordering::Release);
            }
            if writer.is_new_segment { writer.keep_house().map(Some) } else { Ok(None) }
        });
        self.conclude(&mut writer, written)
    }

    /// Makes what says that the last write was durable durable itself, where it is not yet; also what was not synced. Whoever
    /// calls this soon after the last write of a busy time leaves nothing of it unguarded.
    ///
    /// # Errors
    /// As [`Log::write`].
    pub fn settle(&self) -> Result<(), LogError> {
        let mut writer = self.writer.lock();
        let settled = writer.healthy().and_then(|()| writer.settle()).and_then(|()| writer.keep_house().map(Some));
        self.conclude(&mut writer, settled)
    }

    /// Takes what a write came to, and whether there is a spare, if that was looked at.
    fn conclude(&self, writer: &mut Writer, result: Result<Option<bool>, LogError>) -> Result<(), LogError> {
        match result {
            Ok(has_spare) => {
                if let Some(has_spare) = has_spare {
                    self.is_short.store(!has_spare, Ordering::Relaxed);
                }
                Ok(())
            }
            Err(error) => {
                writer.failed.get_or_insert(error.clone());
                Err(error)
            }
        }
    }

    /// Synced writes since the opening.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Acquire)
    }

    /// Whether there is no room for another segment: what is being written still fits, and whoever can should refuse more.
    pub fn is_short_of_room(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// The groups that have anything in the log.
    pub fn groups(&self) -> Vec<u32> {
        self.index.read().groups.keys().copied().collect()
    }

    /// A value of the group.
    pub fn value(&self, group: u32, kind: u8) -> Option<Vec<u8>> {
        self.index.read().groups.get(&group)?.values.get(&kind).cloned()
    }

    /// Term and index up to where the group's entries were purged.
    pub fn purged(&self, group: u32) -> Option<(u64, u64)> {
        self.index.read().groups.get(&group)?.purged
    }

    /// The index of the group's last entry, purged or not.
    pub fn last(&self, group: u32) -> Option<u64> {
        self.index.read().groups.get(&group)?.last()
    }

    /// The indexes of the group's notable entries, in order.
    pub fn notable(&self, group: u32) -> Vec<u64> {
        let index = self.index.read();
        index.groups.get(&group).map(|group| group.notable.iter().copied().collect()).unwrap_or_default()
    }

    /// Index and length in the log of each of the group's entries, in order.
    pub fn sizes(&self, group: u32) -> Vec<(u64, usize)> {
        let index = self.index.read();
        let Some(group) = index.groups.get(&group) else { return Vec::new() };
        let size = |(at, location): (usize, &Location)| (group.first + at as u64, location.bytes as usize);
        group.locations.iter().enumerate().map(size).collect()
    }

    /// Bytes of all segments in use.
    pub fn segment_bytes(&self) -> u64 {
        self.index.read().segments.values().map(|segment| segment.capacity).sum()
    }

    /// The group's entries from `start` to before `end`, as many as fit `bytes_max` (at least one, if it is there). Stops
    /// before the first that is not there.
    ///
    /// # Errors
    /// [`LogError::Damaged`] where one does not check out, and as the disk says. An entry that was never synced may not be
    /// readable until it is.
    pub fn read(&self, group: u32, start: u64, end: u64, bytes_max: usize) -> Result<Vec<Entry>, LogError> {
        let mut wanted = Vec::new();
        let mut segments = Vec::new();
        {
            let index = self.index.read();
            let Some(known) = index.groups.get(&group) else { return Ok(Vec::new()) };
            let mut bytes = 0;
            for at in start..end {
                let Some(location) = known.location(at) else { break };
                bytes += location.bytes as usize;
                if bytes > bytes_max && !wanted.is_empty() {
                    break;
                }
                if segments.last().is_none_or(|(number, _): &(u32, _)| *number != location.segment) {
                    let Some(segment) = index.segments.get(&location.segment) else { break };
                    segments.push((location.segment, Arc::clone(&segment.file)));
                }
                wanted.push((at, location));
            }
        }
        let read = self.read_locations(group, &wanted, &segments);
        match read {
            // It was purged or moved meanwhile, and its segment is used for something else.
            Err(LogError::Damaged(_)) if self.has_moved(group, &wanted) => self.read(group, start, end, bytes_max),
            other => other,
        }
    }

    fn has_moved(&self, group: u32, wanted: &[(u64, Location)]) -> bool {
        let index = self.index.read();
        let known = index.groups.get(&group);
        wanted.iter().any(|(at, location)| known.and_then(|known| known.location(*at)) != Some(*location))
    }

    fn read_locations(
        &self,
        group: u32,
        mut wanted: &[(u64, Location)],
        segments: &[(u32, Arc<dyn DiskFile>)],
    ) -> Result<Vec<Entry>, LogError> {
        let mut entries = Vec::with_capacity(wanted.len());
        let mut buffer = Vec::new();
        while let Some((_, first)) = wanted.first() {
            let run = run_length(wanted);
            let (together, rest) = wanted.split_at(run);
            let end = together.last().map_or(0, |(_, last)| last.offset + last.bytes);
            let file = segments.iter().find(|(number, _)| *number == first.segment).map(|(_, file)| file);
            let file = file.expect("each segment of a wanted location was noted");
            buffer.resize((end - first.offset) as usize, 0);
            file.read_at(&mut buffer, u64::from(first.offset))?;
            for (index, location) in together {
                let place = Place { log_id: self.log_id, segment: location.segment, offset: location.offset };
                let from = (location.offset - first.offset) as usize;
                let record = record::parse(&buffer[from..from + location.bytes as usize], place)
                    .filter(|record| record.header.group == group && record.header.index == *index)
                    .ok_or_else(|| LogError::Damaged(format!("entry {index} of group {group} has changed")))?;
                let body = Bytes::copy_from_slice(record.body);
                entries.push(Entry { term: record.header.term, index: *index, body });
            }
            wanted = rest;
        }
        Ok(entries)
    }
}

/// How many of the locations lie so close together that they are read at once.
fn run_length(wanted: &[(u64, Location)]) -> usize {
    let is_near = |pair: &[(u64, Location)]| {
        let (one, next) = (pair[0].1, pair[1].1);
        let end = one.offset + one.bytes;
        one.segment == next.segment && next.offset >= end && next.offset - end <= READ_GAP_BYTES_MAX
    };
    1 + wanted.windows(2).take_while(|pair| is_near(pair)).count()
}

impl Writer {
    /// A writer that has no segment yet.
    fn open(
        disk: Arc<dyn Disk>,
        options: &Options,
        index: Arc<RwLock<Index>>,
        listing: &Listing,
    ) -> Result<Writer, LogError> {
        let mut spares = Vec::new();
        for number in &listing.spares {
            let name = spare_name(*number);
            let file = disk.open(&name)?;
            let bytes = file.byte_len()?;
            // A crash may have left one that had not got its length yet.
            if bytes < options.segment_bytes as u64 || spares.len() == options.spares_max {
                disk.remove(&name)?;
            } else {
                spares.push(Spare { name, file, bytes, is_used: false });
            }
        }
        Ok(Writer {
            options: options.clone(),
            index,
            log_id: options.log_id,
            generation: 0,
            file: Arc::new(NoFile),
            number: 0,
            capacity: 0,
            end: 0,
            durable: 0,
            is_unsynced: false,
            is_unmarked: false,
            settled: 0,
            slot: 0,
            written_before: 0,
            spares,
            spares_max: Arc::new(AtomicUsize::new(options.spares_max.max(1))),
            is_new_segment: false,
            failed: None,
            disk,
        })
    }

    /// Goes on where the log ended: what a torn write left behind the end is of an older generation from now on.
    fn go_on(&mut self, recovered: Recovered) -> Result<(), LogError> {
        let segment = recovered.index.segments[&recovered.active].clone();
        // A kill may have left what was not synced, and is held to be durable from here on.
        self.disk.sync_names()?;
        segment.file.sync()?;
        *self.index.write() = recovered.index;
        self.log_id = recovered.log_id;
        self.generation = recovered.generation;
        self.number = recovered.active;
        self.file = segment.file;
        self.capacity = segment.capacity as usize;
        self.end = recovered.end as usize;
        self.durable = self.end;
        self.written_before = self.end;
        if let Some(unended) = recovered.unended {
            let place = Place { log_id: self.log_id, segment: unended.number, offset: unended.end };
            let file = Arc::clone(&self.index.read().segments[&unended.number].file);
            write_end(&*file, place, unended.generation, u64::from(self.number))?;
        }
        if self.end + RECORD_HEADER_BYTES > self.capacity - RESERVED_BYTES / 2 {
            return self.begin_segment(0);
        }
        self.generation += 1;
        let mut opened = Vec::new();
        record::put(&mut opened, Kind::Opened, false, 0, (0, 0), &[]);
        self.put(&mut opened)?;
        self.sync()?;
        self.mark()
    }

    fn healthy(&self) -> Result<(), LogError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// Where what is written may reach to.
    fn limit(&self) -> usize {
        self.capacity.saturating_sub(RESERVED_BYTES)
    }

    /// Sees to it that there are files for what does not fit into the segment. Where all of it does, and records that make
    /// the log longer leave the room for those that make it shorter, there is nothing to do.
    fn reserve(&mut self, records: &[u8], only_shorten: bool) -> Result<(), LogError> {
        let room = self.limit().saturating_sub(self.end);
        let kept = if only_shorten { 0 } else { SHORTENING_BYTES };
        if records.len() + kept <= room {
            return Ok(());
        }
        // Values may grow by what is written, and with them the checkpoint.
        let overhead = FIRST_RECORD + self.checkpoint().len() + PAGE_BYTES + RESERVED_BYTES;
        let mut rest = &records[whole_records(records, room)..];
        let mut is_counted_on = vec![false; self.spares.len()];
        loop {
            let needed = overhead + if rest.is_empty() { 0 } else { record_bytes(rest) };
            let fits = |at: &usize| !is_counted_on[*at] && self.spares[*at].bytes >= needed as u64;
            let at = match (0..self.spares.len()).rfind(fits) {
                Some(at) => at,
                None => {
                    self.spares.push(self.new_spare(needed.max(self.options.segment_bytes))?);
                    is_counted_on.push(false);
                    self.spares.len() - 1
                }
            };
            is_counted_on[at] = true;
            rest = &rest[whole_records(rest, self.spares[at].bytes as usize - overhead)..];
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Writes whole records, in as many segments as they need.
    fn write(&mut self, mut records: &mut [u8]) -> Result<(), LogError> {
        while !records.is_empty() {
            let room = self.limit().saturating_sub(self.end);
            let fits = whole_records(records, room);
            if fits == 0 {
                self.begin_segment(record_bytes(records))?;
                continue;
            }
            let (part, rest) = records.split_at_mut(fits);
            self.put(part)?;
            self.is_unsynced = true;
            records = rest;
        }
        Ok(())
    }

    /// Writes records that fit into the segment.
    fn put(&mut self, records: &mut [u8]) -> Result<(), LogError> {
        let place = Place { log_id: self.log_id, segment: self.number, offset: self.end as u32 };
        record::stamp(records, place, self.generation, self.durable as u32);
        self.note(records)?;
        let end = self.end + records.len();
        if end > self.written_before && self.options.zero_ahead_bytes > 0 {
            let ahead = (end + self.options.zero_ahead_bytes).min(self.capacity);
            self.file.write_at(&vec![0; ahead - end], end as u64)?;
            self.written_before = ahead;
        }
        self.file.write_at(records, self.end as u64)?;
        self.end = end;
        self.is_unmarked = false;
        Ok(())
    }

    /// Enters records into the index.
    fn note(&self, records: &[u8]) -> Result<(), LogError> {
        let mut index = self.index.write();
        let mut at = 0;
        while at < records.len() {
            let header = record::header(&records[at..]).expect("records of a batch are well formed");
            let bytes = header.record_bytes();
            let body = &records[at + RECORD_HEADER_BYTES..at + RECORD_HEADER_BYTES + header.body_bytes as usize];
            let record = record::Record { header, body };
            if let Some(reason) = index.refuses(&record) {
                return Err(LogError::Misuse(reason));
            }
            let location = Location { segment: self.number, offset: (self.end + at) as u32, bytes: bytes as u32 };
            index.apply(&record, location)?;
            at += bytes;
        }
        Ok(())
    }

    /// Makes everything durable; a mark, or any other record behind it, is to say so.
    fn sync(&mut self) -> Result<(), LogError> {
        self.file.sync()?;
        self.durable = self.end;
        self.is_unsynced = false;
        self.is_unmarked = true;
        self.free_segments()
    }

    /// Says behind what is durable that it is: from then on a change of it is seen.
    fn mark(&mut self) -> Result<(), LogError> {
        if self.is_unmarked && self.end + RECORD_HEADER_BYTES <= self.capacity - RECORD_HEADER_BYTES {
            let mut mark = Vec::with_capacity(RECORD_HEADER_BYTES);
            record::put(&mut mark, Kind::Mark, false, 0, (0, 0), &[]);
            self.put(&mut mark)?;
        }
        Ok(())
    }

    /// Makes the last mark durable, and what it says in a slot as well, away from the end.
    fn settle(&mut self) -> Result<(), LogError> {
        if self.is_unsynced {
            self.sync()?;
        }
        self.mark()?;
        if self.settled < self.durable {
            let place = SLOTS[self.slot];
            let mut slot = Vec::with_capacity(RECORD_HEADER_BYTES);
            record::put(&mut slot, Kind::Mark, false, 0, (0, 0), &[]);
            let at = Place { log_id: self.log_id, segment: self.number, offset: place as u32 };
            record::stamp(&mut slot, at, self.generation, self.durable as u32);
            self.file.write_at(&slot, place as u64)?;
            self.slot = 1 - self.slot;
            self.settled = self.durable;
            self.file.sync()?;
            self.durable = self.end;
        }
        Ok(())
    }

    /// Ends the segment and begins the next one, with room for a record of `record_bytes`.
    fn begin_segment(&mut self, record_bytes: usize) -> Result<(), LogError> {
        let checkpoint = self.checkpoint();
        let needed = FIRST_RECORD + checkpoint.len() + record_bytes + RESERVED_BYTES;
        let spare = self.take_spare(needed)?;
        let predecessor_end = self.end;
        if self.number > 0 && self.durable < self.end {
            self.file.sync()?;
        }
        let header = SegmentHeader {
            log_id: self.log_id,
            number: self.number + 1,
            generation: self.generation + 1,
            capacity: spare.bytes,
            checkpoint_end: (FIRST_RECORD + checkpoint.len()) as u32,
            predecessor_end: predecessor_end as u32,
        };
        self.publish(&spare, &header, checkpoint)?;
        let place = Place { log_id: self.log_id, segment: self.number, offset: predecessor_end as u32 };
        if self.number > 0 {
            write_end(&*self.file, place, self.generation, u64::from(header.number))?;
        }
        let segment = Segment { file: Arc::clone(&spare.file), capacity: spare.bytes, live_bytes: 0 };
        self.index.write().segments.insert(header.number, segment);
        self.file = spare.file;
        self.number = header.number;
        self.generation = header.generation;
        self.capacity = spare.bytes as usize;
        self.end = header.checkpoint_end as usize;
        self.durable = self.end;
        self.settled = self.end;
        self.is_unsynced = false;
        // The header says where the segment before ended.
        self.is_unmarked = false;
        self.written_before = if spare.is_used { self.capacity } else { self.end };
        self.is_new_segment = true;
        Ok(())
    }

    /// All that is known of each group, as records.
    fn checkpoint(&self) -> Vec<u8> {
        let mut records = Vec::new();
        for (group, known) in &self.index.read().groups {
            record::put(&mut records, Kind::Checkpoint, false, *group, (0, 0), &[&known.checkpoint()]);
        }
        records
    }

    /// Writes the beginning of a segment and gives it its name; durable on return.
    fn publish(&self, spare: &Spare, header: &SegmentHeader, mut checkpoint: Vec<u8>) -> Result<(), LogError> {
        let place = Place { log_id: self.log_id, segment: header.number, offset: FIRST_RECORD as u32 };
        record::stamp(&mut checkpoint, place, header.generation, FIRST_RECORD as u32);
        let bytes = [header.encode().as_slice(), &checkpoint].concat();
        spare.file.write_at(&bytes, 0)?;
        spare.file.sync()?;
        self.disk.rename(&spare.name, &segment_name(header.number))?;
        self.disk.sync_names()?;
        Ok(())
    }

    /// A file for the next segment, of at least so many bytes. One that somebody has deleted meanwhile held nothing: the next
    /// one is taken.
    fn take_spare(&mut self, needed: usize) -> Result<Spare, LogError> {
        while let Some(at) = self.spares.iter().rposition(|spare| spare.bytes >= needed as u64) {
            let spare = self.spares.remove(at);
            if spare.file.has_name()? {
                return Ok(spare);
            }
        }
        self.new_spare(needed.max(self.options.segment_bytes))
    }

    fn new_spare(&self, bytes: usize) -> Result<Spare, LogError> {
        let bytes = bytes.next_multiple_of(PAGE_BYTES);
        if u32::try_from(bytes).is_err() {
            return Err(LogError::Misuse(format!("a record of {bytes} bytes")));
        }
        let taken = |number| self.spares.iter().any(|spare| spare.name == spare_name(number));
        let free = (0..).find(|number| !taken(*number)).expect("there are few spares");
        let name = spare_name(free);
        let file = self.disk.create(&name, bytes as u64)?;
        Ok(Spare { name, file, bytes: bytes as u64, is_used: false })
    }

    /// Sees to it that the next segment has its room. Whether it has.
    fn keep_spare(&mut self) -> Result<bool, LogError> {
        if !self.spares.is_empty() {
            return Ok(true);
        }
        match self.new_spare(self.options.segment_bytes) {
            Ok(spare) => {
                self.spares.push(spare);
                Ok(true)
            }
            Err(LogError::Full(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes segments out of use that hold nothing any more. What removed it must be durable.
    fn free_segments(&mut self) -> Result<(), LogError> {
        let mut is_changed = false;
        while let Some((number, segment)) = self.dead_segment() {
            let name = segment_name(number);
            if self.spares.len() < self.spares_max.load(Ordering::Relaxed)
                && segment.capacity == self.segment_capacity()
            {
                let spare = self.free_spare_name();
                self.disk.rename(&name, &spare)?;
                self.spares.push(Spare { name: spare, file: segment.file, bytes: segment.capacity, is_used: true });
            } else {
                self.disk.remove(&name)?;
            }
            self.index.write().segments.remove(&number);
            is_changed = true;
        }
        if is_changed { Ok(self.disk.sync_names()?) } else { Ok(()) }
    }

    fn segment_capacity(&self) -> u64 {
        self.options.segment_bytes.next_multiple_of(PAGE_BYTES) as u64
    }

    fn free_spare_name(&self) -> String {
        let taken = |name: &String| self.spares.iter().any(|spare| spare.name == *name);
        let free = (0..).map(spare_name).find(|name| !taken(name));
        free.expect("there are few spares")
    }

    fn dead_segment(&self) -> Option<(u32, Segment)> {
        let index = self.index.read();
        let (number, segment) = index.oldest()?;
        (number != self.number && segment.live_bytes == 0).then(|| (number, segment.clone()))
    }

    /// Moves the last entries of an old segment to the end, where most of what lies in segments is gone and these entries
    /// keep them from being freed: those of a group that is idle, or whose state does not come on. Then sees to a spare.
    fn keep_house(&mut self) -> Result<bool, LogError> {
        self.is_new_segment = false;
        while let Some((number, segment)) = self.mostly_dead_segment() {
            let mut moved = self.live_records(number, &segment)?;
            match self.reserve(&moved, false) {
                // They stay where they are until there is room.
                Err(LogError::Full(_)) => return Ok(false),
                reserved => reserved?,
            }
            self.write(&mut moved)?;
            self.sync()?;
            self.mark()?;
        }
        self.give_back_spares()?;
        self.keep_spare()
    }

    /// Gives files back that are more than may wait.
    fn give_back_spares(&mut self) -> Result<(), LogError> {
        let spares_max = self.spares_max.load(Ordering::Relaxed);
        if self.spares.len() <= spares_max {
            return Ok(());
        }
        for spare in self.spares.drain(spares_max..) {
            if spare.file.has_name()? {
                self.disk.remove(&spare.name)?;
            }
        }
        Ok(self.disk.sync_names()?)
    }

    fn mostly_dead_segment(&self) -> Option<(u32, Segment)> {
        let index = self.index.read();
        let (number, segment) = index.oldest()?;
        let bytes: u64 = index.segments.values().map(|segment| segment.capacity).sum();
        let is_sparse = number != self.number && segment.live_bytes * 2 <= segment.capacity;
        let is_wasteful = bytes > 2 * index.live_bytes() + 4 * self.segment_capacity();
        (is_sparse && is_wasteful).then(|| (number, segment.clone()))
    }

    /// The entries of a segment that are not gone, as they would be appended.
    fn live_records(&self, number: u32, segment: &Segment) -> Result<Vec<u8>, LogError> {
        let mut bytes = vec![0; segment.capacity as usize];
        segment.file.read_at(&mut bytes, 0)?;
        let index = self.index.read();
        let mut moved = Vec::new();
        for (group, known) in &index.groups {
            for (at, location) in known.locations.iter().enumerate().filter(|(_, at)| at.segment == number) {
                let place = Place { log_id: self.log_id, segment: number, offset: location.offset };
                let entry = known.first + at as u64;
                let record = record::parse(&bytes[location.offset as usize..], place)
                    .ok_or_else(|| LogError::Damaged(format!("entry {entry} of group {group} has changed")))?;
                let id = (record.header.term, record.header.index);
                record::put(&mut moved, Kind::Entry, record.header.is_notable, *group, id, &[record.body]);
            }
        }
        Ok(moved)
    }
}

fn record_bytes(records: &[u8]) -> usize {
    record::header(records).expect("records of a batch are well formed").record_bytes()
}

/// Bytes of the records at the front that fit into `room`.
fn whole_records(records: &[u8], room: usize) -> usize {
    let mut at = 0;
    while at < records.len() {
        let end = at + record_bytes(&records[at..]);
        if end > room {
            break;
        }
        at = end;
    }
    at
}

/// Says that the log goes on in the segment `next`; durable on return.
fn write_end(file: &dyn DiskFile, place: Place, generation: u32, next: u64) -> Result<(), LogError> {
    let mut end = Vec::new();
    record::put(&mut end, Kind::End, false, 0, (0, next), &[]);
    record::stamp(&mut end, place, generation, place.offset);
    file.write_at(&end, u64::from(place.offset))?;
    file.sync()?;
    Ok(())
}

/// Stands for the segment of a log that has none yet.
#[derive(Debug)]
struct NoFile;

impl DiskFile for NoFile {
    fn byte_len(&self) -> std::io::Result<u64> {
        Ok(0)
    }

    fn read_at(&self, _buffer: &mut [u8], _offset: u64) -> std::io::Result<()> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn write_at(&self, _bytes: &[u8], _offset: u64) -> std::io::Result<()> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn sync(&self) -> std::io::Result<()> {
        Ok(())
    }
}
