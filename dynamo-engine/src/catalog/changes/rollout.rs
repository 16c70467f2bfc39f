//! Rollouts: changes of tables that not every shard has installed yet.
//!
//! The system group decides about a table in one command; the other shards hear of it one by one. A [`Rollout`] is the
//! system group's record that not all of them have: it appears in the batch of the decision and goes when a driver has
//! seen every shard answer. While it is there the table is in one of three phases:
//!
//! | phase | begins | ends | to |
//! |---|---|---|---|
//! | creating | CreateTable | installed everywhere | active |
//! | changing | a change of an active table, or one more of a changing one | the last version installed everywhere | active |
//! | deleting | DeleteTable, of a table in any phase | gone everywhere | the name is free |
//!
//! On a cluster of one shard there are no rollouts: the decision is installed in the same batch.
//!
//! **Nothing that was deleted comes back.** A shard may hear of an installation late, twice, or after the deletion.
//! Deletions are counted: the count is the catalog's *era*. Who tells a shard to install a table says at which era the
//! table was seen; an uninstallation carries the era that its deletion began, and the shard remembers the highest one.
//! A table that was seen at era e was deleted, if ever, at an era above e; so a shard that has carried that deletion
//! out refuses the late installation, because it is from before its own era. It may refuse the installation of a
//! living table as well, which is then looked at again and told anew.

use std::sync::Arc;

use crate::catalog::TableDescriptor;
use crate::codec::{DecodeError, Record, from_row, get_u8};

const FORMAT: u8 = 1;

/// Where a table is between its creation and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TablePhase {
    /// Some shards do not know it yet; it serves nothing.
    Creating,
    /// Some shards still have an older version; it serves.
    Changing,
    /// All shards have its last version.
    Active,
    /// Some shards still have rows of it; it serves nothing, and its name is taken.
    Deleting,
}

impl TablePhase {
    /// Whether items of the table can be read and written.
    pub fn serves_data(self) -> bool {
        matches!(self, TablePhase::Changing | TablePhase::Active)
    }
}

/// One table that not all shards know as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// Any phase but active.
    pub phase: TablePhase,
    /// What every shard is to install; while the table is deleted, how it was last.
    pub table: Arc<TableDescriptor>,
}

impl Rollout {
    /// The row's value.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.push(FORMAT);
        out.push(match self.phase {
            TablePhase::Creating => 1,
            TablePhase::Changing => 2,
            TablePhase::Deleting => 3,
            TablePhase::Active => unreachable!("an active table is nowhere on its way"),
        });
        self.table.encode(&mut out);
        out
    }

    /// Decodes a row's value.
    ///
    /// # Errors
    ///
    /// Bytes that [`Rollout::to_bytes`] cannot have written.
    pub fn from_bytes(row: &[u8]) -> Result<Rollout, DecodeError> {
        from_row(row, FORMAT, |input| {
            let phase = match get_u8(input)? {
                1 => TablePhase::Creating,
                2 => TablePhase::Changing,
                3 => TablePhase::Deleting,
                tag => return Err(DecodeError::Tag { what: "phase of a table", tag }),
            };
            Ok(Rollout { phase, table: Record::decode(input)? })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::fixture;

    #[test]
    fn rows_come_back() {
        for phase in [TablePhase::Creating, TablePhase::Changing, TablePhase::Deleting] {
            let rollout = Rollout { phase, table: Arc::new(fixture::orders()) };
            let bytes = rollout.to_bytes();
            assert_eq!(Rollout::from_bytes(&bytes), Ok(rollout));
            for end in 0..bytes.len() {
                assert!(Rollout::from_bytes(&bytes[..end]).is_err());
            }
        }
    }

    #[test]
    fn the_row_has_these_bytes() {
        let table = Arc::new(fixture::orders());
        let bytes = Rollout { phase: TablePhase::Deleting, table: Arc::clone(&table) }.to_bytes();
        assert_eq!(bytes[..2], [1, 3]);
        assert_eq!(bytes[2..], table.to_bytes());
        assert_eq!(Rollout::from_bytes(&[2, 1]), Err(DecodeError::Format(2)));
    }
}
