//! What a group's log and its peers' messages consist of, as bytes.
//!
//! Written by hand like every stored format: a format version first, varints, length prefixes, explicit tags. The
//! golden bytes at the end pin it; `docs/format.md` describes it.
//!
//! ```text
//! entry       format (1) · term · index · kind (1) · body      body: engine entry | membership | nothing
//! vote        format (1) · term · node · committed (1)
//! membership  n configs · (n voters · node …) … · n members · (node · address · incarnation) …
//! ```

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use dynamo_engine::codec::{
    DecodeError, finish, get_bool, get_bytes, get_list, get_option, get_str, get_u8, get_u64, put_bool, put_bytes,
    put_list, put_option, put_str, put_u64,
};
use openraft::EntryPayload;

use super::payload::Payload;
use super::types::{CommittedLeaderId, LogEntry, LogId, Member, Membership, StoredMembership, Vote};
use crate::env::ANY_INCARNATION;

/// The format of everything in this file.
pub const LOG_FORMAT: u8 = 1;

const KIND_BLANK: u8 = 0;
const KIND_COMMANDS: u8 = 1;
/// A membership without incarnations, as it was written at first.
const KIND_MEMBERSHIP_WITHOUT: u8 = 2;
const KIND_MEMBERSHIP: u8 = 3;

/// The format of stored memberships; format 1 had no incarnations.
const STORED_MEMBERSHIP_FORMAT: u8 = 2;

/// Whether incarnations stand in a membership.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Incarnations {
    Written,
    Absent,
}

/// Bytes that this program cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Written by a program with another format.
    #[error("format {0}, this program reads format {LOG_FORMAT}")]
    Format(u8),
    /// An entry of an unknown kind.
    #[error("an entry of kind {0}")]
    Kind(u8),
    /// A membership that contradicts itself.
    #[error("a membership whose voters are no members")]
    Membership,
    /// Other bytes than those that were sent.
    #[error("the checksum does not fit")]
    Checksum,
    /// Cut off, or not what it should be.
    #[error("{0}")]
    Malformed(String),
}

impl From<DecodeError> for CodecError {
    fn from(error: DecodeError) -> Self {
        CodecError::Malformed(error.to_string())
    }
}

fn check_format(input: &mut &[u8]) -> Result<(), CodecError> {
    match get_u8(input)? {
        LOG_FORMAT => Ok(()),
        other => Err(CodecError::Format(other)),
    }
}

/// Appends an entry.
pub fn put_entry(out: &mut Vec<u8>, entry: &LogEntry) {
    out.push(LOG_FORMAT);
    put_log_id(out, &entry.log_id);
    match &entry.payload {
        EntryPayload::Blank => out.push(KIND_BLANK),
        EntryPayload::Normal(payload) => {
            out.push(KIND_COMMANDS);
            put_bytes(out, payload.bytes());
        }
        EntryPayload::Membership(membership) => {
            out.push(KIND_MEMBERSHIP);
            put_membership(out, membership);
        }
    }
}

/// Reads an entry that fills `bytes`; its commands share the allocation.
///
/// # Errors
/// When this program does not understand it; the group must stop on this node then, never skip. Commands that it does not
/// understand are no error here: see [`Payload`].
pub fn decode_entry(bytes: &Bytes) -> Result<LogEntry, CodecError> {
    let mut input = &bytes[..];
    let entry = get_entry(bytes, &mut input)?;
    finish(input)?;
    Ok(entry)
}

/// Reads an entry from the front of `input`, which is a part of `whole`.
///
/// # Errors
/// As [`decode_entry`].
pub fn get_entry(whole: &Bytes, input: &mut &[u8]) -> Result<LogEntry, CodecError> {
    check_format(input)?;
    let log_id = get_log_id(input)?;
    let payload = match get_u8(input)? {
        KIND_BLANK => EntryPayload::Blank,
        KIND_COMMANDS => EntryPayload::Normal(Payload::decode(whole.slice_ref(get_bytes(input)?))),
        KIND_MEMBERSHIP => EntryPayload::Membership(get_membership(input, Incarnations::Written)?),
        KIND_MEMBERSHIP_WITHOUT => EntryPayload::Membership(get_membership(input, Incarnations::Absent)?),
        other => return Err(CodecError::Kind(other)),
    };
    Ok(LogEntry { log_id, payload })
}

/// Appends a log id.
pub fn put_log_id(out: &mut Vec<u8>, log_id: &LogId) {
    put_u64(out, log_id.committed_leader_id().term);
    put_u64(out, log_id.index());
}

/// Reads a log id.
///
/// # Errors
/// When the input is cut off.
pub fn get_log_id(input: &mut &[u8]) -> Result<LogId, DecodeError> {
    let term = get_u64(input)?;
    Ok(LogId::new(CommittedLeaderId::new(term), get_u64(input)?))
}

/// Appends a log id that may be absent.
pub fn put_log_id_option(out: &mut Vec<u8>, log_id: Option<&LogId>) {
    put_option(out, log_id, put_log_id);
}

/// Reads a log id that may be absent.
///
/// # Errors
/// When the input is cut off.
pub fn get_log_id_option(input: &mut &[u8]) -> Result<Option<LogId>, DecodeError> {
    get_option(input, get_log_id)
}

/// Appends a vote.
pub fn put_vote(out: &mut Vec<u8>, vote: &Vote) {
    out.push(LOG_FORMAT);
    put_u64(out, vote.leader_id.term);
    put_u64(out, vote.leader_id.voted_for);
    put_bool(out, vote.committed);
}

/// Reads a vote.
///
/// # Errors
/// When the input is cut off or of another format.
pub fn get_vote(input: &mut &[u8]) -> Result<Vote, CodecError> {
    check_format(input)?;
    let (term, node) = (get_u64(input)?, get_u64(input)?);
    Ok(if get_bool(input)? { Vote::new_committed(term, node) } else { Vote::new(term, node) })
}

/// Appends a membership.
fn put_membership(out: &mut Vec<u8>, membership: &Membership) {
    debug_assert!(membership.voter_ids().all(|node| membership.get_node(&node).is_some()), "every voter is a member");
    put_list(out, membership.get_joint_config(), |out, voters| {
        let voters: Vec<u64> = voters.iter().copied().collect();
        put_list(out, &voters, |out, voter| put_u64(out, *voter));
    });
    let members: Vec<(&u64, &Member)> = membership.nodes().collect();
    put_list(out, &members, |out, (node, member)| {
        put_u64(out, **node);
        put_str(out, &member.address);
        put_u64(out, member.incarnation);
    });
}

/// Reads a membership.
fn get_membership(input: &mut &[u8], incarnations: Incarnations) -> Result<Membership, CodecError> {
    let configs: Vec<BTreeSet<u64>> = get_list(input, |input| Ok(get_list(input, get_u64)?.into_iter().collect()))?;
    let members: BTreeMap<u64, Member> =
        get_list(input, |input| Ok((get_u64(input)?, get_member(input, incarnations)?)))?.into_iter().collect();
    Membership::new(configs, members).map_err(|_| CodecError::Membership)
}

fn get_member(input: &mut &[u8], incarnations: Incarnations) -> Result<Member, DecodeError> {
    let address = get_str(input)?;
    let incarnation = if incarnations == Incarnations::Written { get_u64(input)? } else { ANY_INCARNATION };
    Ok(Member { address, incarnation })
}

/// Appends a membership with the entry that made it.
pub fn put_stored_membership(out: &mut Vec<u8>, stored: &StoredMembership) {
    out.push(STORED_MEMBERSHIP_FORMAT);
    put_log_id_option(out, stored.log_id().as_ref());
    put_membership(out, stored.membership());
}

/// Reads a membership with the entry that made it.
///
/// # Errors
/// When the input is cut off, of another format, or contradicts itself.
pub fn get_stored_membership(input: &mut &[u8]) -> Result<StoredMembership, CodecError> {
    let incarnations = match get_u8(input)? {
        LOG_FORMAT => Incarnations::Absent,
        STORED_MEMBERSHIP_FORMAT => Incarnations::Written,
        other => return Err(CodecError::Format(other)),
    };
    let log_id = get_log_id_option(input)?;
    Ok(StoredMembership::new(log_id, get_membership(input, incarnations)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_id(term: u64, index: u64) -> LogId {
        LogId::new(CommittedLeaderId::new(term), index)
    }

    fn joint() -> Membership {
        let members = [(1, Member::new("a:1", 7)), (2, Member::new("b:2", 300)), (3, Member::new("c:3", 9))];
        Membership::new(vec![BTreeSet::from([1]), BTreeSet::from([1, 2])], BTreeMap::from(members)).unwrap()
    }

    #[test]
    fn golden_bytes() {
        let mut out = Vec::new();
        put_entry(&mut out, &LogEntry { log_id: log_id(3, 300), payload: EntryPayload::Blank });
        assert_eq!(out, [1, 3, 0xac, 0x02, 0]);

        let mut out = Vec::new();
        put_vote(&mut out, &Vote::new_committed(5, 2));
        assert_eq!(out, [1, 5, 2, 1]);

        let mut out = Vec::new();
        put_entry(&mut out, &LogEntry { log_id: log_id(1, 0), payload: EntryPayload::Membership(joint()) });
        assert_eq!(
            out,
            b"\x01\x01\x00\x03\x02\x01\x01\x02\x01\x02\x03\x01\x03a:1\x07\x02\x03b:2\xac\x02\x03\x03c:3\x09"
        );
    }

    #[test]
    fn decoding_inverts_encoding() {
        for payload in [EntryPayload::Blank, EntryPayload::Membership(joint())] {
            let entry = LogEntry { log_id: log_id(7, 1 << 40), payload };
            let mut out = Vec::new();
            put_entry(&mut out, &entry);
            let read = decode_entry(&out.clone().into()).unwrap();
            assert_eq!(read.log_id, entry.log_id);
            assert_eq!(format!("{:?}", read.payload), format!("{:?}", entry.payload));
            for cut in 0..out.len() {
                assert!(decode_entry(&Bytes::copy_from_slice(&out[..cut])).is_err(), "cut at {cut}");
            }
        }
        let stored = StoredMembership::new(Some(log_id(1, 2)), joint());
        let mut out = Vec::new();
        put_stored_membership(&mut out, &stored);
        assert_eq!(get_stored_membership(&mut &out[..]).unwrap(), stored);
    }

    /// Members without an incarnation are those that any data may belong to.
    #[test]
    fn memberships_without_incarnations_are_read() {
        let entry = b"\x01\x01\x00\x02\x01\x01\x01\x01\x01\x03a:1";
        let entry = decode_entry(&Bytes::from_static(entry)).unwrap();
        let EntryPayload::Membership(read) = &entry.payload else { panic!("{entry:?}") };
        assert_eq!(read.get_node(&1), Some(&Member::new("a:1", ANY_INCARNATION)));
        let stored = get_stored_membership(&mut &b"\x01\x01\x01\x02\x01\x01\x01\x01\x01\x03a:1"[..]).unwrap();
        assert_eq!(stored.membership(), read);
    }

    #[test]
    fn commands_of_a_newer_program_are_kept_as_they_are() {
        let stranger = b"\x63 whatever it means";
        let mut out = vec![LOG_FORMAT];
        put_log_id(&mut out, &log_id(3, 300));
        out.push(KIND_COMMANDS);
        put_bytes(&mut out, stranger);
        let read = decode_entry(&out.clone().into()).unwrap();
        let EntryPayload::Normal(payload) = &read.payload else { panic!("commands") };
        assert!(payload.entry().is_err());
        let mut again = Vec::new();
        put_entry(&mut again, &read);
        assert_eq!(again, out);
    }

    #[test]
    fn another_format_is_refused() {
        assert_eq!(get_vote(&mut &[2, 0, 0, 0][..]), Err(CodecError::Format(2)));
        assert_eq!(decode_entry(&Bytes::from_static(&[1, 0, 0, 9])).unwrap_err(), CodecError::Kind(9));
    }
}
