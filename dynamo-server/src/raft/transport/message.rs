//! Messages between the replicas of a group, as bytes.
//!
//! ```text
//! request   format (1) · kind (1) · group · body
//!   append    mark · applied + 1 · median wall time (0 each for "none") · vote · previous log id? · commit? · n entries
//!             (each with its length)
//!   vote      vote · last log id? · transfer (1)          pre-vote: the same
//!   transfer  vote · target node · last log id?
//!   kinds 5 to 7: parts of a snapshot, see `snapshot/message.rs`
//!   probe     nothing
//! response  format (1) · tag (1) · …
//!   probe     nothing
//!   append    format (1) · promised µs · wall time · mark · tag (1) · …
//! ```

use std::time::Duration;

use bytes::Bytes;
use dynamo_engine::codec::{finish, get_bool, get_bytes, get_u8, get_u32, get_u64, put_bool, put_bytes, put_u64};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderError, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};

use crate::env::Env;
use crate::raft::codec::{
    CodecError, LOG_FORMAT, decode_entry, get_log_id_option, get_vote, put_entry, put_log_id_option, put_vote,
};
use crate::raft::lease::freshness::Attestation;
use crate::raft::snapshot::message::{KIND_BEGIN, KIND_CHUNK, KIND_END, SnapshotMessage};
use crate::raft::types::Types;

const KIND_APPEND: u8 = 1;
const KIND_VOTE: u8 = 2;
const KIND_PRE_VOTE: u8 = 3;
const KIND_TRANSFER: u8 = 4;

const KIND_PROBE: u8 = 8;

const APPEND_SUCCESS: u8 = 0;
const APPEND_PARTIAL: u8 = 1;
const APPEND_CONFLICT: u8 = 2;
const APPEND_HIGHER_VOTE: u8 = 3;

const TRANSFER_ACCEPTED: u8 = 0;
const TRANSFER_VOTE_CHANGED: u8 = 1;
const TRANSFER_NOT_FLUSHED: u8 = 2;

/// What one replica asks of another.
pub enum Message<E: Env> {
    /// Append entries, or with none of them: a heartbeat.
    Append(AppendEntriesRequest<Types<E>>, LeaderWord),
    /// Vote for the sender.
    Vote(VoteRequest<Types<E>>),
    /// Would you vote for the sender?
    PreVote(VoteRequest<Types<E>>),
    /// Take over the leadership, or let the target take it.
    Transfer(TransferLeaderRequest<Types<E>>),
    /// Take a part of a snapshot.
    Snapshot(SnapshotMessage),
    /// Are you there? Whoever answers promises nothing.
    Probe,
}

/// What a leader says beside an append.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaderWord {
    /// The last mark that came from this follower; [`NO_MARK`](crate::raft::lease::freshness::NO_MARK) where none did.
    pub mark: u64,
    /// How far the leader has applied its log, where its lease held after that: then nobody else can have acknowledged
    /// anything.
    pub applied_next: Option<u64>,
    /// What most members' wall clocks show, in milliseconds since 1970; `None` where that is not known.
    pub median_wall_ms: Option<u64>,
}

impl LeaderWord {
    /// How new the follower's state is once it has applied as much.
    pub fn attestation(&self) -> Option<Attestation> {
        self.applied_next.map(|applied_next| Attestation { mark: self.mark, applied_next })
    }
}

/// What a follower says beside its answer to an append.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowerWord {
    /// For how long it has promised to elect nobody else, from when the append arrived; zero for "not at all".
    pub promised: Duration,
    /// What its wall clock shows, in milliseconds since 1970.
    pub wall_ms: u64,
    /// What the leader is to send back with its next message.
    pub mark: u64,
}

/// The bytes of a request to `group`.
pub fn encode<E: Env>(group: u32, message: &Message<E>) -> Bytes {
    let kind = match message {
        Message::Append(..) => KIND_APPEND,
        Message::Vote(_) => KIND_VOTE,
        Message::PreVote(_) => KIND_PRE_VOTE,
        Message::Transfer(_) => KIND_TRANSFER,
        Message::Snapshot(message) => message.kind(),
        Message::Probe => KIND_PROBE,
    };
    let mut out = vec![LOG_FORMAT, kind];
    put_u64(&mut out, u64::from(group));
    match message {
        Message::Append(request, word) => put_append(&mut out, request, word),
        Message::Vote(request) | Message::PreVote(request) => {
            put_vote(&mut out, &request.vote);
            put_log_id_option(&mut out, request.last_log_id.as_ref());
            put_bool(&mut out, request.leadership_transfer);
        }
        Message::Transfer(request) => {
            put_vote(&mut out, request.from_leader());
            put_u64(&mut out, *request.to_node_id());
            put_log_id_option(&mut out, request.last_log_id());
        }
        Message::Snapshot(message) => message.put(&mut out),
        Message::Probe => {}
    }
    out.into()
}

fn put_append<E: Env>(out: &mut Vec<u8>, request: &AppendEntriesRequest<Types<E>>, word: &LeaderWord) {
    put_u64(out, word.mark);
    put_u64(out, word.applied_next.map_or(0, |applied_next| applied_next + 1));
    put_u64(out, word.median_wall_ms.unwrap_or(0));
    put_vote(out, &request.vote);
    put_log_id_option(out, request.prev_log_id.as_ref());
    put_log_id_option(out, request.leader_commit.as_ref());
    put_u64(out, request.entries.len() as u64);
    let mut entry_bytes = Vec::new();
    for entry in &request.entries {
        entry_bytes.clear();
        put_entry(&mut entry_bytes, entry);
        put_bytes(out, &entry_bytes);
    }
}

/// Reads a request: the group that it is for, and what is asked.
///
/// # Errors
/// When this program does not understand it.
pub fn decode<E: Env>(bytes: &Bytes) -> Result<(u32, Message<E>), CodecError> {
    let mut input = &bytes[..];
    let input = &mut input;
    check_format(input)?;
    let kind = get_u8(input)?;
    let group = get_u32(input)?;
    let message = match kind {
        KIND_APPEND => {
            let word = get_leader_word(input)?;
            Message::Append(get_append(bytes, input)?, word)
        }
        KIND_VOTE => Message::Vote(get_vote_request(input)?),
        KIND_PRE_VOTE => Message::PreVote(get_vote_request(input)?),
        KIND_TRANSFER => {
            let from = get_vote(input)?;
            let target = get_u64(input)?;
            Message::Transfer(TransferLeaderRequest::new(from, target, get_log_id_option(input)?))
        }
        KIND_BEGIN | KIND_CHUNK | KIND_END => Message::Snapshot(SnapshotMessage::get(kind, bytes, input)?),
        KIND_PROBE => Message::Probe,
        other => return Err(CodecError::Kind(other)),
    };
    finish(input)?;
    Ok((group, message))
}

/// The group that a request is for.
///
/// # Errors
/// When it is no request of this format.
pub fn group_of(mut request: &[u8]) -> Result<u32, CodecError> {
    let input = &mut request;
    check_format(input)?;
    get_u8(input)?;
    Ok(get_u32(input)?)
}

fn get_leader_word(input: &mut &[u8]) -> Result<LeaderWord, CodecError> {
    let mark = get_u64(input)?;
    let applied_next = get_u64(input)?.checked_sub(1);
    let median_wall_ms = Some(get_u64(input)?).filter(|wall_ms| *wall_ms != 0);
    Ok(LeaderWord { mark, applied_next, median_wall_ms })
}

fn get_append<E: Env>(whole: &Bytes, input: &mut &[u8]) -> Result<AppendEntriesRequest<Types<E>>, CodecError> {
    let vote = get_vote(input)?;
    let prev_log_id = get_log_id_option(input)?;
    let leader_commit = get_log_id_option(input)?;
    let count = get_u64(input)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(decode_entry(&whole.slice_ref(get_bytes(input)?))?);
    }
    Ok(AppendEntriesRequest { vote, prev_log_id, entries, leader_commit })
}

fn get_vote_request<E: Env>(input: &mut &[u8]) -> Result<VoteRequest<Types<E>>, CodecError> {
    let mut request = VoteRequest::new(get_vote(input)?, get_log_id_option(input)?);
    request.leadership_transfer = get_bool(input)?;
    Ok(request)
}

/// The bytes of the answer to [`Message::Append`].
pub fn encode_append_response<E: Env>(word: &FollowerWord, response: &AppendEntriesResponse<Types<E>>) -> Bytes {
    let mut out = vec![LOG_FORMAT];
    // Rounded down: no more is promised than is kept.
    put_u64(&mut out, u64::try_from(word.promised.as_micros()).unwrap_or(u64::MAX));
    put_u64(&mut out, word.wall_ms);
    put_u64(&mut out, word.mark);
    match response {
        AppendEntriesResponse::Success => out.push(APPEND_SUCCESS),
        AppendEntriesResponse::PartialSuccess(log_id) => {
            out.push(APPEND_PARTIAL);
            put_log_id_option(&mut out, log_id.as_ref());
        }
        AppendEntriesResponse::Conflict => out.push(APPEND_CONFLICT),
        AppendEntriesResponse::HigherVote(vote) => {
            out.push(APPEND_HIGHER_VOTE);
            put_vote(&mut out, vote);
        }
    }
    out.into()
}

/// Reads the answer to [`Message::Append`].
///
/// # Errors
/// When this program does not understand it.
pub fn decode_append_response<E: Env>(
    mut bytes: &[u8],
) -> Result<(FollowerWord, AppendEntriesResponse<Types<E>>), CodecError> {
    let input = &mut bytes;
    check_format(input)?;
    let promised = Duration::from_micros(get_u64(input)?);
    let word = FollowerWord { promised, wall_ms: get_u64(input)?, mark: get_u64(input)? };
    let response = match get_u8(input)? {
        APPEND_SUCCESS => AppendEntriesResponse::Success,
        APPEND_PARTIAL => AppendEntriesResponse::PartialSuccess(get_log_id_option(input)?),
        APPEND_CONFLICT => AppendEntriesResponse::Conflict,
        APPEND_HIGHER_VOTE => AppendEntriesResponse::HigherVote(get_vote(input)?),
        other => return Err(CodecError::Kind(other)),
    };
    finish(input)?;
    Ok((word, response))
}

/// The bytes of the answer to [`Message::Probe`].
pub fn encode_probe_response() -> Bytes {
    Bytes::from_static(&[LOG_FORMAT])
}

/// The bytes of the answer to [`Message::Vote`] and [`Message::PreVote`].
pub fn encode_vote_response<E: Env>(response: &VoteResponse<Types<E>>) -> Bytes {
    let mut out = vec![LOG_FORMAT];
    put_vote(&mut out, &response.vote);
    put_log_id_option(&mut out, response.last_log_id.as_ref());
    put_bool(&mut out, response.vote_granted);
    out.into()
}

/// Reads the answer to [`Message::Vote`] and [`Message::PreVote`].
///
/// # Errors
/// When this program does not understand it.
pub fn decode_vote_response<E: Env>(mut bytes: &[u8]) -> Result<VoteResponse<Types<E>>, CodecError> {
    let input = &mut bytes;
    check_format(input)?;
    let vote = get_vote(input)?;
    let last_log_id = get_log_id_option(input)?;
    let response = VoteResponse::new(vote, last_log_id, get_bool(input)?);
    finish(input)?;
    Ok(response)
}

/// The bytes of the answer to [`Message::Transfer`].
pub fn encode_transfer_response<E: Env>(response: &TransferLeaderResponse<Types<E>>) -> Bytes {
    let mut out = vec![LOG_FORMAT];
    match response {
        Ok(()) => out.push(TRANSFER_ACCEPTED),
        Err(TransferLeaderError::VoteChanged { expected, actual }) => {
            out.push(TRANSFER_VOTE_CHANGED);
            put_vote(&mut out, expected);
            put_vote(&mut out, actual);
        }
        Err(TransferLeaderError::LogNotFlushed { expected, actual }) => {
            out.push(TRANSFER_NOT_FLUSHED);
            put_log_id_option(&mut out, expected.as_ref());
            put_log_id_option(&mut out, actual.as_ref());
        }
    }
    out.into()
}

/// Reads the answer to [`Message::Transfer`].
///
/// # Errors
/// When this program does not understand it.
pub fn decode_transfer_response<E: Env>(mut bytes: &[u8]) -> Result<TransferLeaderResponse<Types<E>>, CodecError> {
    let input = &mut bytes;
    check_format(input)?;
    let response = match get_u8(input)? {
        TRANSFER_ACCEPTED => Ok(()),
        TRANSFER_VOTE_CHANGED => {
            Err(TransferLeaderError::VoteChanged { expected: get_vote(input)?, actual: get_vote(input)? })
        }
        TRANSFER_NOT_FLUSHED => Err(TransferLeaderError::LogNotFlushed {
            expected: get_log_id_option(input)?,
            actual: get_log_id_option(input)?,
        }),
        other => return Err(CodecError::Kind(other)),
    };
    finish(input)?;
    Ok(response)
}

fn check_format(input: &mut &[u8]) -> Result<(), CodecError> {
    match get_u8(input)? {
        LOG_FORMAT => Ok(()),
        other => Err(CodecError::Format(other)),
    }
}

#[cfg(test)]
mod tests {
    use openraft::EntryPayload;

    use super::*;
    use crate::env::TokioEnv;
    use crate::raft::types::{CommittedLeaderId, LogEntry, LogId, Vote};

    fn at(index: u64) -> LogId {
        LogId::new(CommittedLeaderId::new(3), index)
    }

    fn append() -> AppendEntriesRequest<Types<TokioEnv>> {
        let entry = |index| LogEntry { log_id: at(index), payload: EntryPayload::Blank };
        AppendEntriesRequest {
            vote: Vote::new_committed(3, 1),
            prev_log_id: Some(at(6)),
            entries: vec![entry(7), entry(8)],
            leader_commit: None,
        }
    }

    #[test]
    fn golden_bytes() {
        let bytes = encode::<TokioEnv>(9, &Message::Append(append(), LeaderWord::default()));
        assert_eq!(
            &bytes[..],
            b"\x01\x01\x09\x00\x00\x00\x01\x03\x01\x01\x01\x03\x06\x00\x02\x04\x01\x03\x07\x00\x04\x01\x03\x08\x00"
        );
        assert_eq!(group_of(&bytes), Ok(9));
    }

    #[test]
    fn requests_are_read_back_and_cut_ones_refused() {
        let mut asked = VoteRequest::new(Vote::new(4, 2), Some(at(8)));
        asked.leadership_transfer = true;
        let transfer = TransferLeaderRequest::new(Vote::new_committed(3, 1), 2, Some(at(8)));
        let word = LeaderWord { mark: u64::MAX, applied_next: Some(0), median_wall_ms: Some(1_700_000_000_000) };
        let messages: [Message<TokioEnv>; 5] = [
            Message::Append(append(), word),
            Message::Vote(asked.clone()),
            Message::PreVote(asked.clone()),
            Message::Transfer(transfer.clone()),
            Message::Probe,
        ];
        for message in &messages {
            let bytes = encode(300, message);
            let (group, read) = decode::<TokioEnv>(&bytes).unwrap();
            assert_eq!(group, 300);
            match (message, read) {
                (Message::Append(sent, said), Message::Append(read, heard)) => {
                    assert_eq!((format!("{sent:?}"), *said), (format!("{read:?}"), heard));
                }
                (Message::Vote(sent), Message::Vote(read)) => assert_eq!(*sent, read),
                (Message::PreVote(sent), Message::PreVote(read)) => assert_eq!(*sent, read),
                (Message::Transfer(sent), Message::Transfer(read)) => assert_eq!(*sent, read),
                (Message::Probe, Message::Probe) => {}
                _ => panic!("another kind came back"),
            }
            for cut in 0..bytes.len() {
                assert!(decode::<TokioEnv>(&bytes.slice(..cut)).is_err(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn responses_are_read_back() {
        type Response = AppendEntriesResponse<Types<TokioEnv>>;
        for response in [
            Response::Success,
            Response::PartialSuccess(Some(at(2))),
            Response::Conflict,
            Response::HigherVote(Vote::new(9, 3)),
        ] {
            let word = FollowerWord { promised: Duration::from_millis(1_600), wall_ms: 1_700_000_000_000, mark: 9 };
            let bytes = encode_append_response(&word, &response);
            assert_eq!(decode_append_response::<TokioEnv>(&bytes).unwrap(), (word, response));
        }
        let vote: VoteResponse<Types<TokioEnv>> = VoteResponse::new(Vote::new(4, 2), Some(at(8)), true);
        assert_eq!(decode_vote_response::<TokioEnv>(&encode_vote_response(&vote)).unwrap(), vote);
        let refused: TransferLeaderResponse<Types<TokioEnv>> =
            Err(TransferLeaderError::LogNotFlushed { expected: Some(at(8)), actual: None });
        assert_eq!(decode_transfer_response::<TokioEnv>(&encode_transfer_response(&refused)).unwrap(), refused);
    }
}
