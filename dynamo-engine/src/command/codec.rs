//! The bytes of an entry.
//!
//! ```text
//! entry     format (1) = 01 · stamped ms · ceiling (8, BE) · count · (timestamp (8, BE) · command)*
//! command   00 noop | 01 raise ceiling | 02 write | 03 transaction | 04 ddl | 05 backfill step
//!           | 10 prepare | 11 decide | 12 resolve | 13 forget
//!           | 18 apply channel | 19 trim channel
//!           | 20 fill ttl queue | 21 expire
//!           | 28 tend streams
//! write     table · schema version · key · condition (option) · change
//! change    01 put · body | 02 update · … | 03 delete | 04 check
//! transaction  client token · count · write*
//! client token 00 none | 01 text · hash (16, BE) | 02 text · hash (16, BE) · table; written as 02, read as either
//! backfill  table · schema version · index · rows
//! channel      source · first · count · mutation*
//! mutation  table · schema version · key · row (option)
//! trim      target · through
//! fill      table · attribute · rows
//! expire    table · attribute · count · (expiry ms · key)*
//! tend      count · (table · since ms · opened ms · data shard · action)*
//! action    01 roll | 02 trim · through | 03 drop
//! ```
//!
//! Integers are varints where no width is given; keys, bodies and texts carry their length.

use dynamo_expression::{Condition, Update};

use super::{
    ApplyOutbox, BackfillStep, Change, ClientToken, Command, Decide, ENTRY_FORMAT, Entry, Expire, FillTtlQueue, Forget,
    ItemWrite, Prepare, Resolve, Stamped, TendStreams, Transaction, TrimOutbox,
};
use crate::catalog::{DdlCommand, IndexId, TableId};
use crate::codec::{
    DecodeError, finish, get_array, get_bytes, get_list, get_option, get_str, get_timestamp, get_u8, get_u32, get_u64,
    put_bytes, put_list, put_option, put_str, put_timestamp, put_u64,
};
use crate::item::ItemBody;

const NOOP: u8 = 0x00;
const RAISE_CEILING: u8 = 0x01;
const WRITE: u8 = 0x02;
const TRANSACT: u8 = 0x03;
const DDL: u8 = 0x04;
const BACKFILL_STEP: u8 = 0x05;
const PREPARE: u8 = 0x10;
const DECIDE: u8 = 0x11;
const RESOLVE: u8 = 0x12;
const FORGET: u8 = 0x13;
const APPLY_OUTBOX: u8 = 0x18;
const TRIM_OUTBOX: u8 = 0x19;
const FILL_TTL_QUEUE: u8 = 0x20;
const EXPIRE: u8 = 0x21;
const TEND_STREAMS: u8 = 0x28;

const NO_CLIENT_TOKEN: u8 = 0x00;
const CLIENT_TOKEN_WITHOUT_TABLE: u8 = 0x01;
const CLIENT_TOKEN: u8 = 0x02;

const PUT: u8 = 0x01;
const UPDATE: u8 = 0x02;
const DELETE: u8 = 0x03;
const CHECK: u8 = 0x04;

impl Entry {
    /// Appends the entry's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(ENTRY_FORMAT);
        put_u64(out, self.stamped_ms);
        put_timestamp(out, self.ceiling);
        put_list(out, &self.commands, |out, stamped| {
            put_timestamp(out, stamped.ts);
            stamped.command.encode(out);
        });
    }

    /// The entry that these bytes are.
    ///
    /// # Errors
    /// [`DecodeError`] where they are not exactly one entry of a known format.
    pub fn decode(mut input: &[u8]) -> Result<Entry, DecodeError> {
        let input = &mut input;
        match get_u8(input)? {
            ENTRY_FORMAT => {}
            format => return Err(DecodeError::Format(format)),
        }
        let stamped_ms = get_u64(input)?;
        let ceiling = get_timestamp(input)?;
        let commands =
            get_list(input, |input| Ok(Stamped { ts: get_timestamp(input)?, command: Command::decode(input)? }))?;
        finish(input)?;
        Ok(Entry { stamped_ms, ceiling, commands })
    }
}

impl Command {
    /// Appends the command's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Command::Noop => out.push(NOOP),
            Command::RaiseCeiling => out.push(RAISE_CEILING),
            Command::Write(write) => {
                out.push(WRITE);
                write.encode(out);
            }
            Command::Transact(transaction) => {
                out.push(TRANSACT);
                transaction.encode(out);
            }
            Command::Ddl(ddl) => {
                out.push(DDL);
                ddl.encode(out);
            }
            Command::BackfillStep(step) => {
                out.push(BACKFILL_STEP);
                step.encode(out);
            }
            Command::Prepare(prepare) => {
                out.push(PREPARE);
                prepare.encode(out);
            }
            Command::Decide(decide) => {
                out.push(DECIDE);
                decide.encode(out);
            }
            Command::Resolve(resolve) => {
                out.push(RESOLVE);
                resolve.encode(out);
            }
            Command::Forget(forget) => {
                out.push(FORGET);
                forget.encode(out);
            }
            Command::ApplyOutbox(channel) => {
                out.push(APPLY_OUTBOX);
                channel.encode(out);
            }
            Command::TrimOutbox(trim) => {
                out.push(TRIM_OUTBOX);
                trim.encode(out);
            }
            Command::FillTtlQueue(fill) => {
                out.push(FILL_TTL_QUEUE);
                fill.encode(out);
            }
            Command::Expire(expire) => {
                out.push(EXPIRE);
                expire.encode(out);
            }
            Command::TendStreams(tend) => {
                out.push(TEND_STREAMS);
                tend.encode(out);
            }
        }
    }

    /// Reads a command off the front of `input`.
    ///
    /// # Errors
    /// [`DecodeError`] where there is none.
    pub fn decode(input: &mut &[u8]) -> Result<Command, DecodeError> {
        Ok(match get_u8(input)? {
            NOOP => Command::Noop,
            RAISE_CEILING => Command::RaiseCeiling,
            WRITE => Command::Write(ItemWrite::decode(input)?),
            TRANSACT => Command::Transact(Transaction::decode(input)?),
            DDL => Command::Ddl(DdlCommand::decode(input)?),
            BACKFILL_STEP => Command::BackfillStep(BackfillStep::decode(input)?),
            PREPARE => Command::Prepare(Prepare::decode(input)?),
            DECIDE => Command::Decide(Decide::decode(input)?),
            RESOLVE => Command::Resolve(Resolve::decode(input)?),
            FORGET => Command::Forget(Forget::decode(input)?),
            APPLY_OUTBOX => Command::ApplyOutbox(ApplyOutbox::decode(input)?),
            TRIM_OUTBOX => Command::TrimOutbox(TrimOutbox::decode(input)?),
            FILL_TTL_QUEUE => Command::FillTtlQueue(FillTtlQueue::decode(input)?),
            EXPIRE => Command::Expire(Expire::decode(input)?),
            TEND_STREAMS => Command::TendStreams(TendStreams::decode(input)?),
            tag => return Err(DecodeError::Tag { what: "command", tag }),
        })
    }
}

impl ItemWrite {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_u64(out, u64::from(self.schema_version));
        self.encode_unversioned(out);
    }

    pub(super) fn encode_unversioned(&self, out: &mut Vec<u8>) {
        put_u64(out, self.table.0);
        put_bytes(out, &self.key);
        put_option(out, self.condition.as_ref(), |out, condition| condition.encode(out));
        match &self.change {
            Change::Put(body) => {
                out.push(PUT);
                put_bytes(out, body.as_bytes());
            }
            Change::Update(update) => {
                out.push(UPDATE);
                update.encode(out);
            }
            Change::Delete => out.push(DELETE),
            Change::Check => out.push(CHECK),
        }
    }

    pub(super) fn decode(input: &mut &[u8]) -> Result<ItemWrite, DecodeError> {
        Ok(ItemWrite {
            schema_version: get_u32(input)?,
            table: TableId(get_u64(input)?),
            key: get_bytes(input)?.to_vec(),
            condition: get_option(input, |input| Condition::decode(input).map_err(expression))?,
            change: match get_u8(input)? {
                PUT => Change::Put(
                    ItemBody::from_bytes(get_bytes(input)?.to_vec()).map_err(|_| DecodeError::Malformed("item"))?,
                ),
                UPDATE => Change::Update(Update::decode(input).map_err(expression)?),
                DELETE => Change::Delete,
                CHECK => Change::Check,
                tag => return Err(DecodeError::Tag { what: "change", tag }),
            },
        })
    }
}

impl Transaction {
    fn encode(&self, out: &mut Vec<u8>) {
        put_client_token(out, self.client_token.as_ref());
        put_list(out, &self.actions, |out, action| action.encode(out));
    }

    fn decode(input: &mut &[u8]) -> Result<Transaction, DecodeError> {
        let client_token = get_client_token(input)?;
        let actions = get_list(input, ItemWrite::decode)?;
        Ok(Transaction { client_token: with_table(client_token, actions.first().map(|first| first.table)), actions })
    }
}

impl BackfillStep {
    fn encode(&self, out: &mut Vec<u8>) {
        put_u64(out, self.table.0);
        put_u64(out, u64::from(self.schema_version));
        put_u64(out, self.index.0);
        put_u64(out, u64::from(self.rows));
    }

    fn decode(input: &mut &[u8]) -> Result<BackfillStep, DecodeError> {
        Ok(BackfillStep {
            table: TableId(get_u64(input)?),
            schema_version: get_u32(input)?,
            index: IndexId(get_u64(input)?),
            rows: get_u32(input)?,
        })
    }
}

pub(crate) fn put_client_token(out: &mut Vec<u8>, token: Option<&ClientToken>) {
    let Some(token) = token else { return out.push(NO_CLIENT_TOKEN) };
    out.push(CLIENT_TOKEN);
    put_str(out, &token.token);
    out.extend_from_slice(&token.request_hash.to_be_bytes());
    put_u64(out, token.table.0);
}

/// One of the first form has no table yet; see [`with_table`].
pub(crate) fn get_client_token(input: &mut &[u8]) -> Result<Option<ClientToken>, DecodeError> {
    let form = match get_u8(input)? {
        NO_CLIENT_TOKEN => return Ok(None),
        form @ (CLIENT_TOKEN_WITHOUT_TABLE | CLIENT_TOKEN) => form,
        tag => return Err(DecodeError::Tag { what: "client token", tag }),
    };
    let token = get_str(input)?;
    let request_hash = u128::from_be_bytes(get_array(input)?);
    let table = if form == CLIENT_TOKEN { TableId(get_u64(input)?) } else { TableId::default() };
    Ok(Some(ClientToken { token, request_hash, table }))
}

/// A token of the first form came with actions, and belongs to the table of the first.
pub(crate) fn with_table(token: Option<ClientToken>, first: Option<TableId>) -> Option<ClientToken> {
    let mut token = token?;
    if token.table == TableId::default() {
        token.table = first.unwrap_or_default();
    }
    Some(token)
}

/// The expression's codec has its own error; what went wrong inside matters less than where.
fn expression<E>(_: E) -> DecodeError {
    DecodeError::Malformed("expression")
}
