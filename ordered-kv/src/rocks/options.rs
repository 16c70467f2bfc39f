//! How the two instances are set up, and why so.

use rocksdb::{
    BlockBasedOptions, BlockBasedTablePinningTier, Cache, DBCompressionType, DBRecoveryMode, DataBlockIndexType,
    LogLevel, Options, WriteBufferManager,
};

const MIB: usize = 1 << 20;

/// The bounds of a state instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateOptions {
    /// Blocks, indexes and filters kept in memory, in bytes. 32 MiB hold the hot part of a gigabyte or two,
    /// and behind them the kernel keeps files in what memory is free; idle it costs nothing.
    pub block_cache_bytes: usize,
    /// One write buffer, in bytes; full, it is written out in the background while the next one fills. 12 MiB are
    /// replayed from the log in a tenth of a second; the files are small, but the next level gathers them.
    pub write_buffer_bytes: usize,
    /// All write buffers together, in bytes; beyond it writers wait. Two and a half buffers: one being filled, one
    /// being written, and slack for large batches.
    pub write_buffers_bytes_max: usize,
    /// Open table files; further ones are opened when they are read.
    pub open_files_max: i32,
    /// Background threads for flushes and compactions together; two instances share them.
    pub background_jobs: i32,
    /// Whether files are merged. Not where one of them is known to be damaged: RocksDB takes no more writes once a merge has
    /// met that.
    pub compacts: bool,
}

impl Default for StateOptions {
    fn default() -> StateOptions {
        StateOptions {
            block_cache_bytes: 32 * MIB,
            write_buffer_bytes: 12 * MIB,
            write_buffers_bytes_max: 30 * MIB,
            open_files_max: 512,
            background_jobs: 2,
            compacts: true,
        }
    }
}

/// The bounds of a log instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// One write buffer, in bytes, and so the length of one log file. 8 MiB: small enough that files come back for
    /// reuse soon and that opening after a kill replays at most two; large enough that most entries are purged
    /// before they would be written a second time.
    pub write_buffer_bytes: usize,
    /// All write buffers together, in bytes; beyond it the writer waits.
    pub write_buffers_bytes_max: usize,
    /// Log files kept for reuse, beyond the ones in use.
    pub recycled_files: usize,
    /// Log files in use together, in bytes, at most.
    pub wal_bytes_max: u64,
    /// Blocks kept in memory for lagging readers, in bytes.
    pub block_cache_bytes: usize,
    /// Open table files.
    pub open_files_max: i32,
    /// Background threads for flushes and compactions together; two instances share them.
    pub background_jobs: i32,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions {
            write_buffer_bytes: 8 * MIB,
            write_buffers_bytes_max: 20 * MIB,
            recycled_files: 3,
            wal_bytes_max: 32 * MIB as u64,
            block_cache_bytes: 4 * MIB,
            open_files_max: 128,
            background_jobs: 2,
        }
    }
}

/// Options with the handles that outlive the call.
pub(super) struct Prepared {
    /// For opening.
    pub(super) options: Options,
    /// Blocks of table files.
    pub(super) cache: Cache,
    /// Bounds what is not flushed.
    pub(super) write_buffers: WriteBufferManager,
}

impl StateOptions {
    pub(super) fn prepare(&self) -> Prepared {
        let cache = Cache::new_hyper_clock_cache(self.block_cache_bytes, 0);
        let write_buffers = WriteBufferManager::new_write_buffer_manager(self.write_buffers_bytes_max, true);
        let mut options = common("", self.open_files_max, self.background_jobs);
        options.set_write_buffer_manager(&write_buffers);
        options.set_write_buffer_size(self.write_buffer_bytes);
        options.set_max_write_buffer_number(3);
        // Point reads of keys that are not in the buffer are told so by a filter of 0.25 MiB, ten bits for 200,000
        // keys.
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(0.02);
        options.set_block_based_table_factory(&state_tables(&cache));
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_bottommost_compression_type(DBCompressionType::Zstd);
        // Window bits and strategy as the library likes, level 1: three times the speed for a few percent of size.
        options.set_bottommost_compression_options(-14, 1, 0, 0, true);
        options.set_disable_auto_compactions(!self.compacts);
        Prepared { options, cache, write_buffers }
    }
}

impl LogOptions {
    pub(super) fn prepare(&self) -> Prepared {
        let cache = Cache::new_lru_cache(self.block_cache_bytes);
        let write_buffers = WriteBufferManager::new_write_buffer_manager(self.write_buffers_bytes_max, true);
        // Entries come in the order of their keys, which begin with four bytes for their group: each is put where the one
        // before it was, instead of being looked for from the top.
        let in_order = ";memtable_insert_with_hint_prefix_extractor=fixed:4";
        let mut options = common(in_order, self.open_files_max, self.background_jobs);
        options.set_write_buffer_manager(&write_buffers);
        options.set_write_buffer_size(self.write_buffer_bytes);
        options.set_max_write_buffer_number(3);
        options.set_recycle_log_file_num(self.recycled_files);
        options.set_max_total_wal_size(self.wal_bytes_max);
        // The only mode that goes with reused files; the floor (see `crate::log`) guards what it may cut off.
        options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        // One thread writes: no need to prepare for concurrent ones.
        options.set_allow_concurrent_memtable_write(false);
        options.set_block_based_table_factory(&log_tables(&cache));
        options.set_compression_type(DBCompressionType::Lz4);
        Prepared { options, cache, write_buffers }
    }
}

/// What both instances have in common.
fn common(further: &str, open_files_max: i32, background_jobs: i32) -> Options {
    // The identity is in the manifest; the file of that name would cost two more syncs when a store is created. The
    // crate has no setter for it. First of all, because it makes new options from the text.
    let mut options = Options::default()
        .get_options_from_string(format!("write_dbid_to_manifest=true;write_identity_file=false{further}"))
        .expect("RocksDB knows these options since version 9");
    options.create_if_missing(true);
    options.set_max_open_files(open_files_max);
    options.set_max_file_opening_threads(2);
    options.set_max_background_jobs(background_jobs);
    // Nobody reads RocksDB's own statistics; without them it starts faster and wakes up less.
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options.set_skip_stats_update_on_db_open(true);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(MIB);
    // A manifest is a few kilobytes; four megabytes for it are a visible part of opening.
    options.set_manifest_preallocation_size(64 << 10);
    // Deleting a file or freeing a large memory table is no work for a thread that answers requests.
    options.set_avoid_unnecessary_blocking_io(true);
    options.set_bytes_per_sync(MIB as u64);
    options
}

fn state_tables(cache: &Cache) -> BlockBasedOptions {
    let mut tables = bounded_tables(cache);
    tables.set_bloom_filter(10.0, false);
    tables.set_whole_key_filtering(true);
    tables.set_optimize_filters_for_memory(true);
    // Small blocks and a hash index inside: a point read decodes little. Scans pay with a few percent.
    tables.set_block_size(4 << 10);
    tables.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
    tables.set_index_block_restart_interval(8);
    tables
}

fn log_tables(cache: &Cache) -> BlockBasedOptions {
    let mut tables = bounded_tables(cache);
    tables.set_block_size(32 << 10);
    tables
}

/// Tables whose indexes and filters count against the cache's bound. The newest files' are pinned, as every read
/// passes them.
fn bounded_tables(cache: &Cache) -> BlockBasedOptions {
    let mut tables = BlockBasedOptions::default();
    tables.set_block_cache(cache);
    tables.set_cache_index_and_filter_blocks(true);
    tables.set_cache_index_and_filter_blocks_with_high_priority(true);
    tables.set_unpartitioned_pinning_tier(BlockBasedTablePinningTier::FlushAndSimilar);
    tables
}
