//! The shard that a key belongs to.

use shard_router::{ShardId, ShardMap};

use super::{RowKey, Space};

/// Keys of [`local`](super::local) begin with their space and a shard's number.
const LOCAL_PREFIX_BYTES: usize = 5;

/// The shard of the system group.
const SYSTEM: ShardId = ShardId(0);

/// The shard that has the row with this key; `None` where it is no key of a row.
pub fn owner(key: &[u8], map: &ShardMap) -> Option<ShardId> {
    let space = *key.first()?;
    if space == Space::Local as u8 {
        let number = key.get(1..LOCAL_PREFIX_BYTES)?.try_into().ok()?;
        return Some(ShardId(u32::from_be_bytes(number)));
    }
    if space == Space::System as u8 {
        return Some(SYSTEM);
    }
    RowKey::parse(key).ok().map(|row| map.locate(row.token()).0)
}

#[cfg(test)]
mod tests {
    use super::super::{KeyPart, local, row_key, system};
    use super::*;

    #[test]
    fn every_key_has_its_shard() {
        let map = ShardMap::even(4).unwrap();
        assert_eq!(owner(&local::applied(ShardId(3)), &map), Some(ShardId(3)));
        assert_eq!(owner(&system::table("t"), &map), Some(ShardId(0)));
        let row = row_key(5, &[KeyPart::S("p")], &[]);
        let token = RowKey::parse(&row).unwrap().token();
        assert_eq!(owner(&row, &map), Some(map.locate(token).0));
        for cut in [&[][..], &row[..3], &local::applied(ShardId(3))[..4]] {
            assert_eq!(owner(cut, &map), None);
        }
    }
}
