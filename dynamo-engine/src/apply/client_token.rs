//! ClientRequestToken rows: a repeated transaction is recognised for ten minutes.
//!
//! ```text
//! row    tokens space · first action's table · ring token · token
//!            ->  format (1) · expiry ms (8, BE) · request hash (16, BE) · read units* of a replay (format 2)
//! name   local · shard · token name · token  ->  key of the row
//! queue  local · shard · token queue · expiry ms · key of the row  ->  (empty)
//! clock  local · shard · token clock  ->  what it shows, in ms
//! ```
//!
//! The *ring token* is the client token's own place on the ring ([`ClientToken::ring_token`]): whatever items a request
//! has, the shard there is asked, so no request under a known token is overlooked. The row goes with the table of the
//! first action, whose ids another table of that name does not share. The name finds it where a request uses the token
//! for another table; without one, as in a shard that has been split off, the row is looked for under the request's own
//! first table.
//!
//! A row expires by a clock of the shard's own, which no wall clock moves: one that is set would have a transaction done twice
//! under its token. It stands still but for [`Command::AgeTokens`](crate::command::Command::AgeTokens), by which a leader says
//! how much time has passed while it led, and starts at the wall time of the first row. Such a step may have been measured
//! before a row that it makes older, and so may the next one; a row is kept for two steps longer.
//!
//! The queue lets later transactions and steps sweep up what has expired, a few rows each, so the rows never pile up and no
//! step is long.

use super::state::encode_token_clock;
use super::{Applier, Fault, Outcome};
use crate::codec::{BigEndian as _, DecodeError, Record, finish, get_u8};
use crate::command::{ClientToken, TOKEN_AGE_STEP_MS_MAX};
use crate::keyspace::{RowKey, RowRange, local, successor, token_row_key};
use dynamo_protocol::limits::IDEMPOTENCY_WINDOW_MS;
use dynamo_protocol::value::AttributeValue;

/// Without what a replay costs, as earlier versions wrote it.
const FORMAT_WITHOUT_READS: u8 = 1;
const TOKEN_FORMAT: u8 = 2;

/// How many expired rows one transaction sweeps up: more than the one that it adds, so the queue shrinks; few, so
/// that a transaction after a quiet time is not slow.
const SWEEP_ROWS_MAX: usize = 4;

/// Rows that a step of the clock sweeps at most; no client waits for it.
const SWEEP_ROWS_PER_STEP_MAX: usize = 64;

/// How long a token is kept: what is promised, and what the clock may be ahead by.
const KEPT_MS: u64 = IDEMPOTENCY_WINDOW_MS + 2 * TOKEN_AGE_STEP_MS_MAX;

impl Applier<'_> {
    /// The answer to a transaction whose token is known: replayed, mismatched or in progress. `None` for a new one.
    pub(super) fn known_token(&self, token: Option<&ClientToken>) -> Result<Option<Outcome>, Fault> {
        let Some(token) = token else { return Ok(None) };
        if self.shard.locks.is_token_in_progress(&token.token) {
            return Ok(Some(Outcome::InProgress));
        }
        let row_key = token_row_key(token.table.0, &token.token);
        let named = self.get(&local::token_name(self.shard.id, &token.token))?;
        let Some(row) = self.get(named.as_deref().unwrap_or(&row_key))? else { return Ok(None) };
        let row = Row::decode(&row)?;
        if row.expires_ms <= self.token_clock_ms() {
            return Ok(None);
        }
        if row.request_hash != token.request_hash {
            return Ok(Some(Outcome::TokenMismatch));
        }
        Ok(Some(Outcome::Replayed { reads: row.reads }))
    }

    /// Remembers the token of a transaction that was committed, with what a replay costs, and forgets some that have
    /// expired.
    pub(super) fn remember_token(&mut self, token: &ClientToken, reads: &[u32]) -> Result<(), Fault> {
        // It went with its table since the prepare: a row of no table would be missing from snapshots.
        if !self.shard.tables.contains_key(&token.table) {
            return Ok(());
        }
        let row_key = token_row_key(token.table.0, &token.token);
        if self.shard.token_clock_ms.is_none() {
            self.set_token_clock(self.entry.stamped_ms);
        }
        let expires_ms = self.token_clock_ms().saturating_add(KEPT_MS);
        self.sweep_tokens(SWEEP_ROWS_MAX)?;
        self.put(local::token_queue(self.shard.id, expires_ms, &row_key), &[][..]);
        self.put(local::token_name(self.shard.id, &token.token), row_key.clone());
        let row = Row { expires_ms, request_hash: token.request_hash, reads: reads.to_vec() };
        self.put(row_key, row.encode());
        let first = self.shard.token_expires_ms.map_or(expires_ms, |first| first.min(expires_ms));
        self.shard.token_expires_ms = Some(first);
        Ok(())
    }

    /// Lets time pass for the tokens that are remembered, and forgets some that have expired.
    pub(super) fn age_tokens(&mut self, passed_ms: u64) -> Result<Outcome, Fault> {
        let clock_ms = self.token_clock_ms().saturating_add(passed_ms.min(TOKEN_AGE_STEP_MS_MAX));
        self.set_token_clock(clock_ms);
        self.sweep_tokens(SWEEP_ROWS_PER_STEP_MAX)?;
        Ok(Outcome::Done)
    }

    fn token_clock_ms(&self) -> u64 {
        self.shard.token_clock_ms.unwrap_or(self.entry.stamped_ms)
    }

    fn set_token_clock(&mut self, clock_ms: u64) {
        debug_assert!(self.shard.token_clock_ms.is_none_or(|before| before <= clock_ms), "no token becomes younger");
        self.shard.token_clock_ms = Some(clock_ms);
        self.put(local::token_clock(self.shard.id), encode_token_clock(clock_ms));
    }

    fn sweep_tokens(&mut self, rows_max: usize) -> Result<(), Fault> {
        let now_ms = self.token_clock_ms();
        if self.shard.token_expires_ms.is_none_or(|first| first > now_ms) {
            return Ok(());
        }
        let prefix = local::token_queue_prefix(self.shard.id);
        let queue = RowRange { end: successor(&prefix), start: prefix };
        let mut rows = self.scan(&queue, rows_max + 1, usize::MAX)?.rows.into_iter();
        self.shard.token_expires_ms = None;
        for (swept, (queue_key, _)) in rows.by_ref().enumerate() {
            let (expires_ms, row_key) = local::parse_token_queue(self.shard.id, &queue_key)
                .ok_or(Fault::Invariant("the token queue holds queue keys"))?;
            if swept == rows_max || expires_ms > now_ms {
                self.shard.token_expires_ms = Some(expires_ms);
                break;
            }
            self.forget_token(row_key.to_vec())?;
            self.delete(queue_key);
        }
        Ok(())
    }

    /// Removes a token's row unless it was used anew since it was queued, and the name that leads to it.
    fn forget_token(&mut self, row_key: Vec<u8>) -> Result<(), Fault> {
        if let Some(row) = self.get(&row_key)?
            && Row::decode(&row)?.expires_ms > self.token_clock_ms()
        {
            return Ok(());
        }
        let name = local::token_name(self.shard.id, &token_of(&row_key)?);
        if self.get(&name)?.as_deref() == Some(&row_key[..]) {
            self.delete(name);
        }
        self.delete(row_key);
        Ok(())
    }
}

/// The client's token in the key of its row.
fn token_of(row_key: &[u8]) -> Result<String, Fault> {
    let parts = RowKey::parse(row_key).and_then(|key| key.decode_parts());
    match parts.ok().and_then(|mut parts| parts.pop()) {
        Some(AttributeValue::S(token)) => Ok(token),
        _ => Err(Fault::Invariant("the key of a token row ends with the token")),
    }
}

/// What is remembered of a token.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    /// Until then a request under the token is a repeated one.
    expires_ms: u64,
    /// Tells another request under the token.
    request_hash: u128,
    /// What a replay costs, for each action; empty where that is not known.
    reads: Vec<u32>,
}

impl Row {
    fn encode(&self) -> Vec<u8> {
        let mut row = vec![TOKEN_FORMAT];
        row.extend_from_slice(&self.expires_ms.to_be_bytes());
        self.request_hash.encode(&mut row);
        self.reads.encode(&mut row);
        row
    }

    fn decode(mut row: &[u8]) -> Result<Row, DecodeError> {
        let input = &mut row;
        let has_reads = match get_u8(input)? {
            FORMAT_WITHOUT_READS => false,
            TOKEN_FORMAT => true,
            format => return Err(DecodeError::Format(format)),
        };
        let (expires_ms, request_hash) = (u64::get_be(input)?, Record::decode(input)?);
        let reads = if has_reads { Record::decode(input)? } else { Vec::new() };
        finish(input)?;
        Ok(Row { expires_ms, request_hash, reads })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let row = Row { expires_ms: 258, request_hash: 7, reads: vec![3, 300] };
        let bytes = [&[2, 0, 0, 0, 0, 0, 0, 1, 2][..], &[0; 15], &[7, 2, 3, 0xac, 2]].concat();
        assert_eq!(row.encode(), bytes);
        assert_eq!(Row::decode(&bytes), Ok(row));
        (0..bytes.len()).for_each(|end| assert!(Row::decode(&bytes[..end]).is_err()));
        let earlier = [&[1, 0, 0, 0, 0, 0, 0, 1, 2][..], &[0; 15], &[7]].concat();
        assert_eq!(Row::decode(&earlier), Ok(Row { expires_ms: 258, request_hash: 7, reads: Vec::new() }));
    }
}
