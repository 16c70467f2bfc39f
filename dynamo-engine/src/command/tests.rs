//! The bytes of entries: pinned, and any other bytes survived.

use super::*;
use crate::codec::Record as _;
use crate::keyspace::KeyPart;
use crate::outbox::OutboxMutation;
use crate::stream::{SequenceNumber, StreamId, StreamShardId};
use dynamo_protocol::value::{AttributeValue, Item};
use shard_router::{ShardId, Token};

fn entry() -> Entry {
    let item = Item::from([("p".to_owned(), AttributeValue::S("x".to_owned()))]);
    let write =
        |change| ItemWrite { table: TableId(300), schema_version: 2, key: vec![0x10, 7], condition: None, change };
    let token = ClientToken { token: "tok".to_owned(), request_hash: 0x0102, table: TableId(300) };
    let actions = vec![write(Change::Delete), write(Change::Check)];
    let step = BackfillStep { table: TableId(1), schema_version: 1, index: IndexId(2), rows: 128 };
    let key = crate::keyspace::global_index_key(9, &[KeyPart::S("i")], &[], b"\x01p\x00\x01");
    let removal = OutboxMutation { table: TableId(300), schema_version: 2, key, row: None };
    let expiring = Expiring { expiry_ms: 300, key: crate::keyspace::row_key(300, &[KeyPart::S("p")], &[]) };
    let commands = [
        Command::Noop,
        Command::RaiseCeiling,
        Command::Write(write(Change::Put(ItemBody::encode(&item)))),
        Command::Transact(Transaction { client_token: Some(token), actions }),
        Command::BackfillStep(step),
        Command::ApplyOutbox(ApplyOutbox { source: ShardId(1), first: 300, mutations: vec![removal] }),
        Command::TrimOutbox(TrimOutbox { target: ShardId(2), through: 300 }),
        Command::FillTtlQueue(FillTtlQueue { table: TableId(300), attribute: "ttl".to_owned(), rows: 128 }),
        Command::Expire(Expire { table: TableId(300), attribute: "ttl".to_owned(), items: vec![expiring] }),
        Command::AgeTokens(300),
    ];
    let commands = (7..).zip(commands).map(|(ts, command)| Stamped { ts: Timestamp(ts), command }).collect();
    Entry { stamped_ms: 128, ceiling: Timestamp(99), commands }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn golden_bytes() {
    let mut bytes = Vec::new();
    entry().encode(&mut bytes);
    let expected = [
        "01 8001 0000000000000063 0a",
        "0000000000000007 00",
        "0000000000000008 01",
        "0000000000000009 02 02 ac02 021007 00 01 0f 02000000 01000000 01 05 0170 01 0178",
        "000000000000000a 03 02 03746f6b 00000000000000000000000000000102 ac02 02",
        "02 ac02 021007 00 03",
        "02 ac02 021007 00 04",
        "000000000000000b 05 01 01 02 8001",
        "000000000000000c 18 01 ac02 01 ac02 02",
        "19 12 0000000000000009 1c34eff5f7e57f89 01690001 01700001 00",
        "000000000000000d 19 02 ac02",
        "000000000000000e 20 ac02 0374746c 8001",
        "000000000000000f 21 ac02 0374746c 01 ac02 15 10 000000000000012c f506d6f8307a3280 01700001",
        "0000000000000010 30 ac02",
    ];
    assert_eq!(hex(&bytes), expected.concat().replace(' ', ""));
    assert_eq!(Entry::decode(&bytes), Ok(entry()));
}

#[test]
fn an_entry_is_made_of_the_bytes_of_its_commands() {
    for entry in [entry(), two_phase()] {
        let bytes_of = |stamped: &Stamped| {
            let mut bytes = Vec::new();
            stamped.command.encode(&mut bytes);
            bytes
        };
        let commands: Vec<Vec<u8>> = entry.commands.iter().map(bytes_of).collect();
        let (mut whole, mut of_parts) = (Vec::new(), Vec::new());
        entry.encode(&mut whole);
        entry.encode_with(commands.iter().map(Vec::as_slice), &mut of_parts);
        assert_eq!(of_parts, whole);
        assert!(whole.len() <= entry.byte_len_max(commands.iter().map(Vec::as_slice)));
    }
}

/// The commands of a transaction across shards.
fn two_phase() -> Entry {
    let id = TransactionId(0x0A0B);
    let check = ItemWrite {
        table: TableId(300),
        schema_version: 2,
        key: vec![0x10, 7],
        condition: None,
        change: Change::Check,
    };
    let prepares = vec![Prepared { token: Token(5), ts: Timestamp(6) }];
    let commands = [
        Command::Prepare(Prepare {
            id,
            record_token: Token(258),
            deadline_ms: 128,
            client_token: Some(ClientToken { token: "tok".to_owned(), request_hash: 1, table: TableId(300) }),
            actions: vec![check],
        }),
        Command::Decide(Decide { id, verdict: Verdict::Ask }),
        Command::Decide(Decide {
            id,
            verdict: Verdict::Commit { at: Timestamp(8), prepares: prepares.clone(), reads: Vec::new() },
        }),
        Command::Decide(Decide { id, verdict: Verdict::Abort { deadline_ms: 128 } }),
        Command::Resolve(Resolve { id, prepared: Some(Timestamp(6)), commit: Some(Timestamp(8)) }),
        Command::Resolve(Resolve { id, prepared: None, commit: None }),
        Command::Forget(Forget { id }),
        Command::Decide(Decide { id, verdict: Verdict::Commit { at: Timestamp(8), prepares, reads: vec![1, 300] } }),
    ];
    let commands = (1..).zip(commands).map(|(ts, command)| Stamped { ts: Timestamp(ts), command }).collect();
    Entry { stamped_ms: 1, ceiling: Timestamp(99), commands }
}

#[test]
fn golden_bytes_of_transactions_across_shards() {
    let mut bytes = Vec::new();
    two_phase().encode(&mut bytes);
    let id = "00000000000000000000000000000a0b";
    let expected = [
        "01 01 0000000000000063 08",
        &format!("0000000000000001 10 {id} 0000000000000102 8001"),
        "02 03746f6b 00000000000000000000000000000001 ac02 01 02 ac02 021007 00 04",
        &format!("0000000000000002 11 {id} 00"),
        &format!("0000000000000003 11 {id} 01 0000000000000008 01 0000000000000005 0000000000000006"),
        &format!("0000000000000004 11 {id} 02 8001"),
        &format!("0000000000000005 12 {id} 01 0000000000000006 01 0000000000000008"),
        &format!("0000000000000006 12 {id} 00 00"),
        &format!("0000000000000007 13 {id}"),
        &format!("0000000000000008 11 {id} 03 0000000000000008 01 0000000000000005 0000000000000006 02 01 ac02"),
    ];
    assert_eq!(hex(&bytes), expected.concat().replace(' ', ""));
    assert_eq!(Entry::decode(&bytes), Ok(two_phase()));
    for length in 0..bytes.len() {
        assert!(Entry::decode(&bytes[..length]).is_err());
    }
}

#[test]
fn golden_bytes_of_the_upkeep_of_streams() {
    let (stream, shard) =
        (StreamId { table: TableId(7), since_ms: 300 }, StreamShardId { created_ms: 301, data_shard: ShardId(2) });
    let actions = [StreamAction::Roll, StreamAction::Trim { through: SequenceNumber::new(300) }, StreamAction::Drop];
    let steps = actions.map(|action| StreamStep { stream, shard, action }).to_vec();
    let command = Stamped { ts: Timestamp(1), command: Command::TendStreams(TendStreams { steps }) };
    let entry = Entry { stamped_ms: 1, ceiling: Timestamp(99), commands: vec![command] };
    let mut bytes = Vec::new();
    entry.encode(&mut bytes);
    let named = "07 ac02 ad02 02";
    let expected = [
        "01 01 0000000000000063 01 0000000000000001 28 03",
        &format!("{named} 01"),
        &format!("{named} 02 ac02"),
        &format!("{named} 03"),
    ];
    assert_eq!(hex(&bytes), expected.concat().replace(' ', ""));
    assert_eq!(Entry::decode(&bytes), Ok(entry));
    (0..bytes.len()).for_each(|length| assert!(Entry::decode(&bytes[..length]).is_err()));
}

/// A client's token once came without a table, which was that of the first action.
#[test]
fn a_client_token_of_the_first_form_is_read() {
    for entry in [entry(), two_phase()] {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        let token = bytes.windows(4).position(|found| found == b"\x03tok").expect("the entry has a token");
        bytes[token - 1] = 1;
        bytes.drain(token + 20..token + 22);
        assert_eq!(Entry::decode(&bytes), Ok(entry));
    }
}

#[test]
fn every_cut_and_every_excess_is_refused() {
    let mut bytes = Vec::new();
    entry().encode(&mut bytes);
    for length in 0..bytes.len() {
        assert!(Entry::decode(&bytes[..length]).is_err());
    }
    bytes.push(0);
    assert_eq!(Entry::decode(&bytes), Err(DecodeError::Trailing));
    bytes[0] = 2;
    assert_eq!(Entry::decode(&bytes), Err(DecodeError::Format(2)));
}

/// Decoding takes anything, and what it takes it gives back.
#[test]
fn arbitrary_bytes_never_panic() {
    bolero::check!().with_iterations(50_000).for_each(|input: &[u8]| {
        let mut framed = vec![ENTRY_FORMAT];
        framed.extend_from_slice(input);
        for bytes in [input, &framed] {
            if let Ok(entry) = Entry::decode(bytes) {
                let mut again = Vec::new();
                entry.encode(&mut again);
                assert_eq!(Entry::decode(&again), Ok(entry));
            }
        }
    });
}
