//! The bytes of an entry.
//!
//! ```text
//! entry     format (1) = 01 · stamped ms · ceiling (8, BE) · count · (timestamp (8, BE) · command)*
//! command   00 noop | 01 raise ceiling | 02 write | 03 transaction | 04 ddl | 05 backfill step
//!           | 10 prepare | 11 decide | 12 resolve | 13 forget
//!           | 18 apply channel | 19 trim channel
//!           | 20 fill ttl queue | 21 expire
//!           | 28 tend streams
//!           | 30 age tokens · ms
//! write     table · schema version · key · condition (option) · change
//! change    01 put · body | 02 update · … | 03 delete | 04 check
//! transaction  client token · count · write*
//! client token 00 none | 01 text · hash (16, BE) | 02 text · hash (16, BE) · table; written as 02, read as either
//! backfill  table · schema version · index · rows
//! channel   source · first · count · mutation*
//! mutation  table · schema version · key · row (option)
//! trim      target · through
//! fill      table · attribute · rows
//! expire    table · attribute · count · (expiry ms · key)*
//! tend      count · (table · since ms · opened ms · data shard · action)*
//! action    01 roll | 02 trim · through | 03 drop
//! ```
//!
//! Integers are varints where no width is given; keys, bodies and texts carry their length.

use super::{BackfillStep, Change, ClientToken, Command, ENTRY_FORMAT, Entry, ItemWrite, Stamped, Transaction};
use crate::catalog::TableId;
use crate::codec::{DecodeError, Record, from_row, get_u8, put_u64};
use crate::record;

record! {
    struct Stamped { ts, command }
    enum Command: "command" {
        0x00 = Noop,
        0x01 = RaiseCeiling,
        0x02 = Write(write),
        0x03 = Transact(transaction),
        0x04 = Ddl(ddl),
        0x05 = BackfillStep(step),
        0x10 = Prepare(prepare),
        0x11 = Decide(decide),
        0x12 = Resolve(resolve),
        0x13 = Forget(forget),
        0x18 = ApplyOutbox(channel),
        0x19 = TrimOutbox(trim),
        0x20 = FillTtlQueue(fill),
        0x21 = Expire(expire),
        0x28 = TendStreams(tend),
        0x30 = AgeTokens(passed_ms),
    }
    struct ItemWrite { schema_version, table, key, condition, change }
    enum Change: "change" { 0x01 = Put(body), 0x02 = Update(update), 0x03 = Delete, 0x04 = Check }
    struct Transaction { client_token, actions } then with_table
    struct BackfillStep { table, schema_version, index, rows }
}

impl Entry {
    /// Appends the entry's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(ENTRY_FORMAT);
        self.stamped_ms.encode(out);
        self.ceiling.encode(out);
        self.commands.encode(out);
    }

    /// As [`Entry::encode`], where the bytes of each command are there already, in the order of the commands.
    pub fn encode_with<'b>(&self, commands: impl ExactSizeIterator<Item = &'b [u8]>, out: &mut Vec<u8>) {
        debug_assert_eq!(commands.len(), self.commands.len(), "each command has its bytes");
        out.push(ENTRY_FORMAT);
        self.stamped_ms.encode(out);
        self.ceiling.encode(out);
        put_u64(out, commands.len() as u64);
        for (stamped, bytes) in self.commands.iter().zip(commands) {
            stamped.ts.encode(out);
            out.extend_from_slice(bytes);
        }
    }

    /// Bytes that [`Entry::encode_with`] appends at the most.
    pub fn byte_len_max<'b>(&self, commands: impl Iterator<Item = &'b [u8]>) -> usize {
        const HEAD: usize = 40;
        HEAD + commands.map(|bytes| size_of::<u64>() + bytes.len()).sum::<usize>()
    }

    /// The entry that these bytes are.
    ///
    /// # Errors
    /// [`DecodeError`] where they are not exactly one entry of a known format.
    pub fn decode(bytes: &[u8]) -> Result<Entry, DecodeError> {
        from_row(bytes, ENTRY_FORMAT, |input| {
            let (stamped_ms, ceiling) = (Record::decode(input)?, Record::decode(input)?);
            Ok(Entry { stamped_ms, ceiling, commands: Record::decode(input)? })
        })
    }
}

impl ItemWrite {
    /// The write without the version of the table that it was planned with: what stays equal when it is planned again.
    pub(super) fn encode_unversioned(&self, out: &mut Vec<u8>) {
        self.table.encode(out);
        self.key.encode(out);
        self.condition.encode(out);
        self.change.encode(out);
    }
}

impl Transaction {
    fn with_table(self) -> Result<Self, DecodeError> {
        let first = self.actions.first().map(|first| first.table);
        Ok(Transaction { client_token: with_table(self.client_token, first), ..self })
    }
}

const NO_CLIENT_TOKEN: u8 = 0x00;
const CLIENT_TOKEN_WITHOUT_TABLE: u8 = 0x01;
const CLIENT_TOKEN: u8 = 0x02;

/// One of the first form has no table yet; see [`with_table`].
impl Record for Option<ClientToken> {
    fn encode(&self, out: &mut Vec<u8>) {
        let Some(ClientToken { token, request_hash, table }) = self else { return out.push(NO_CLIENT_TOKEN) };
        out.push(CLIENT_TOKEN);
        token.encode(out);
        request_hash.encode(out);
        table.encode(out);
    }

    fn decode(input: &mut &[u8]) -> Result<Self, DecodeError> {
        let has_table = match get_u8(input)? {
            NO_CLIENT_TOKEN => return Ok(None),
            form @ (CLIENT_TOKEN_WITHOUT_TABLE | CLIENT_TOKEN) => form == CLIENT_TOKEN,
            tag => return Err(DecodeError::Tag { what: "client token", tag }),
        };
        let (token, request_hash) = (Record::decode(input)?, Record::decode(input)?);
        let table = if has_table { Record::decode(input)? } else { TableId::default() };
        Ok(Some(ClientToken { token, request_hash, table }))
    }
}

/// A token of the first form came with actions, and belongs to the table of the first.
pub(crate) fn with_table(token: Option<ClientToken>, first: Option<TableId>) -> Option<ClientToken> {
    let mut token = token?;
    if token.table == TableId::default() {
        token.table = first.unwrap_or_default();
    }
    Some(token)
}
