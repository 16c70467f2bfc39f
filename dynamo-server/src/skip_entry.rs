//! `dynamo-server skip-entry`: has one shard of a stopped node skip an entry that can be applied nowhere. The way out where
//! every replica stands still at the same entry; see `docs/operating.md`.

use std::path::PathBuf;
use std::process::ExitCode;

use shard_router::ShardId;

use crate::client::print;
use crate::config::{DEFAULT_DATA_DIR, Settings};
use crate::env::{Directory, Storage, StoreOptions, Stores};
use crate::log_output::say;
use crate::raft::{check_skip, skip_entry};

/// Says what would be lost, and does it where `is_sure`; 0 when it is done.
pub fn run(shard: u32, entry: (u64, u64), is_sure: bool, settings: &Settings) -> ExitCode {
    let directory = settings.data_dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR));
    match skip(shard, entry, is_sure, directory) {
        Ok(done) => {
            print(&done);
            ExitCode::SUCCESS
        }
        Err(reason) => {
            say(&format!("dynamo-server: {reason}"));
            ExitCode::FAILURE
        }
    }
}

fn skip(shard: u32, (term, index): (u64, u64), is_sure: bool, directory: PathBuf) -> Result<String, String> {
    // Before anything is opened: opening creates what is absent.
    let identity = Directory::identity_in(&directory).map_err(|error| error.to_string())?;
    let identity = identity.ok_or_else(|| format!("{} is no data directory of a node", directory.display()))?;
    if shard >= identity.shards {
        return Err(format!("the node has shards 0 to {}", identity.shards - 1));
    }
    let node = identity.node_id;
    let what = format!(
        "shard {shard} on node {node}: where entry {term}-{index} cannot be applied here, whatever its commands were to do \
         is not done, also where a client was told that it was; where it can be applied, it is. Do the same on every replica \
         that stands still at this entry, and on none if some replica has applied it: the others would differ from that one, \
         and must be replaced"
    );
    let stores =
        Stores::open(&Storage::Directory(directory), &StoreOptions::default(), 0).map_err(|error| error.to_string())?;
    // What would be refused with --yes is refused without it.
    if !is_sure {
        check_skip(&stores.log, &*stores.state, ShardId(shard), term, index).map_err(|error| error.to_string())?;
        return Err(format!("{what}. Nothing is done without --yes"));
    }
    skip_entry(&stores.log, &*stores.state, ShardId(shard), term, index).map_err(|error| error.to_string())?;
    Ok(format!("{what}. Done: the node may be started"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skip_entry_changes_nothing_without_yes_or_data() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("absent");
        assert!(skip(0, (1, 1), true, absent.clone()).is_err());
        assert!(!absent.exists());
    }
}
