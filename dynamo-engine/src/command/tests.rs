//! The bytes of entries: pinned, and any other bytes survived.

use super::*;
use dynamo_protocol::value::{AttributeValue, Item};

fn entry() -> Entry {
    let item = Item::from([("p".to_owned(), AttributeValue::S("x".to_owned()))]);
    let write =
        |change| ItemWrite { table: TableId(300), schema_version: 2, key: vec![0x10, 7], condition: None, change };
    let token = ClientToken { token: "tok".to_owned(), request_hash: 0x0102 };
    let actions = vec![write(Change::Delete), write(Change::Check)];
    let step = BackfillStep { table: TableId(1), schema_version: 1, index: IndexId(2), rows: 128 };
    let commands = [
        Command::Noop,
        Command::RaiseCeiling,
        Command::Write(write(Change::Put(ItemBody::encode(&item)))),
        Command::Transact(Transaction { client_token: Some(token), actions }),
        Command::BackfillStep(step),
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
        "01 8001 0000000000000063 05",
        "0000000000000007 00",
        "0000000000000008 01",
        "0000000000000009 02 02 ac02 021007 00 01 0f 02000000 01000000 01 05 0170 01 0178",
        "000000000000000a 03 01 03746f6b 00000000000000000000000000000102 02",
        "02 ac02 021007 00 03",
        "02 ac02 021007 00 04",
        "000000000000000b 05 01 01 02 8001",
    ];
    assert_eq!(hex(&bytes), expected.concat().replace(' ', ""));
    assert_eq!(Entry::decode(&bytes), Ok(entry()));
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
