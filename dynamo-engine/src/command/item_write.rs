//! The request hash under which a ClientRequestToken is remembered.

use xxhash_rust::xxh3::xxh3_128;

use super::ItemWrite;

/// A hash of what a transaction would do: tables, keys, conditions and changes, but neither schema versions (a table
/// may change between two tries of one request) nor what the client wants returned.
///
/// XXH3-128 over the actions' encoding, seed 0. It guards against mistakes, not against attackers.
pub fn request_hash(actions: &[ItemWrite]) -> u128 {
    let mut bytes = Vec::new();
    for action in actions {
        action.encode_unversioned(&mut bytes);
    }
    xxh3_128(&bytes)
}
