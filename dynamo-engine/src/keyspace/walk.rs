//! Walking rows whose keys begin alike.

use ordered_kv::{Direction, KeyRange, Reader, StoreError};

/// Calls `each` with what follows `prefix` in the key, and the row, in the order of the keys, until it says `false`.
///
/// # Errors
/// The store's, and those of `each`.
pub(crate) fn for_each_row<E: From<StoreError>>(
    reader: &dyn Reader,
    prefix: &[u8],
    mut each: impl FnMut(&[u8], &[u8]) -> Result<bool, E>,
) -> Result<(), E> {
    let mut cursor = reader.cursor(KeyRange::prefix(prefix), Direction::Forward)?;
    while let Some((key, row)) = cursor.next()? {
        if !each(&key[prefix.len()..], row)? {
            break;
        }
    }
    Ok(())
}
