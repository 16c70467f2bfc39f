//! ExclusiveStartKey: checked against table and index, turned into the key of the row behind which a page begins.
//!
//! The service checks it in steps, and a query checks its key condition between two of them; the two operations differ
//! in their messages.
//!
//! | step | Query | Scan of the table | Scan of an index |
//! |---|---|---|---|
//! | number of attributes | invalid | invalid: mismatch | invalid |
//! | partition key absent / of another type | invalid / invalid | invalid: mismatch | invalid / mismatch |
//! | sort key absent / of another type | invalid / invalid | invalid: mismatch | invalid / mismatch |
//! | the table's key, for an index | invalid: mismatch | | invalid: mismatch |
//! | inside the request's bounds | partition, sort condition | segment | segment |
//!
//! ("invalid" is *The provided starting key is invalid*, "mismatch" *The provided key element does not match the
//! schema*.) Source: answers of the service recorded in public test suites (dynalite's, run against AWS); for a query's key
//! of another type, which was a mismatch once, a recording of 2026.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::value::Item;
use shard_router::Token;

use crate::catalog::{KeyAttribute, KeySchema};
use crate::keyspace::{KeyPart, RowKey, global_index_key, local_index_key, row_key, token_of};

use super::item_key::{KEY_MISMATCH, check_contents, part_of_kind, parts};
use crate::read::Source;

/// The message for a start key that is not one.
const INVALID: &str = "The provided starting key is invalid";

/// A start key, checked, as the place of its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StartKey {
    /// The token of the row's partition.
    pub token: Token,
    /// The row's key.
    pub row: Vec<u8>,
}

/// A start key under examination.
pub(crate) struct Examined<'a> {
    /// The table or index that is read.
    source: &'a Source,
    /// As in the request.
    key: &'a Item,
}

impl<'a> Examined<'a> {
    /// Begins to look at `key`.
    pub fn new(source: &'a Source, key: &'a Item) -> Examined<'a> {
        Examined { source, key }
    }

    /// The key as the request has it.
    pub fn item(&self) -> &'a Item {
        self.key
    }

    /// Query, first step: as many attributes as there should be, and the partition key.
    pub fn check_partition(&self) -> Result<(), ApiError> {
        self.check_length()?;
        self.check_own(&self.source.keys().partition, INVALID)
    }

    /// Query, second step: the sort key, then the table's key behind an index.
    pub fn check_rest(&self) -> Result<(), ApiError> {
        self.check_own(&self.source.keys().sort, INVALID)?;
        self.check_table_key()
    }

    /// Scan: everything up to the table's key behind an index.
    pub fn check_scan(&self) -> Result<(), ApiError> {
        if self.source.index().is_some() {
            self.check_length()?;
            self.check_own(&self.source.keys().partition, KEY_MISMATCH)?;
            return self.check_own(&self.source.keys().sort, KEY_MISMATCH);
        }
        if self.key.len() != self.source.table.keys.len() {
            return Err(invalid(KEY_MISMATCH));
        }
        self.check_table_key()
    }

    /// The table's key attributes, and that no key attribute is empty or too long.
    pub fn check_table_key(&self) -> Result<(), ApiError> {
        check_key(&self.source.table.keys, self.key)?;
        match self.source.index() {
            Some(index) => check_key(&index.keys, self.key),
            None => Ok(()),
        }
    }

    /// The place that the key names. The checks have passed.
    pub fn place(&self) -> Result<StartKey, ApiError> {
        let table = &self.source.table;
        let partition = self.parts(&table.keys.partition)?;
        let sort = self.parts(&table.keys.sort)?;
        let base = row_key(table.id.0, &partition, &sort);
        let Some(index) = self.source.index() else {
            return Ok(StartKey { token: token_of(table.id.0, &partition), row: base });
        };
        let index_sort = self.parts(&index.keys.sort)?;
        if index.local {
            let token = token_of(table.id.0, &partition);
            return Ok(StartKey { token, row: local_index_key(index.id.0, token, &partition, &index_sort, &sort) });
        }
        let index_partition = self.parts(&index.keys.partition)?;
        let base = RowKey::parse(&base).expect("a row key was just made");
        let row = global_index_key(index.id.0, &index_partition, &index_sort, base.parts());
        Ok(StartKey { token: token_of(index.id.0, &index_partition), row })
    }

    fn check_length(&self) -> Result<(), ApiError> {
        if self.key.len() != self.source.row_key_attributes().count() {
            return Err(ApiError::validation(INVALID));
        }
        Ok(())
    }

    /// Key attributes of the source itself: `mismatch` is what is said of one of another type.
    fn check_own(&self, attributes: &[KeyAttribute], mismatch: &str) -> Result<(), ApiError> {
        attributes.iter().try_for_each(|attribute| {
            let value = self.key.get(&attribute.name).ok_or_else(|| ApiError::validation(INVALID))?;
            part_of_kind(value, attribute.kind).ok_or_else(|| ApiError::validation(mismatch))?;
            Ok(())
        })
    }

    fn parts(&self, attributes: &[KeyAttribute]) -> Result<Vec<KeyPart<'a>>, ApiError> {
        parts(attributes, self.key)
    }
}

/// The key attributes of `keys` in `key`, or why they are none, as a start key's error.
fn check_key(keys: &KeySchema, key: &Item) -> Result<(), ApiError> {
    let check = || {
        let partition = parts(&keys.partition, key)?;
        let sort = parts(&keys.sort, key)?;
        check_contents(keys, &partition, &sort)
    };
    check().map_err(|error: ApiError| invalid(error.message()))
}

/// The start key's error with its reason.
pub(crate) fn invalid(reason: &str) -> ApiError {
    ApiError::validation(format!("{INVALID}: {reason}"))
}
