//! Reading a request's body: bounded in size, in time and in what all bodies take together, and unpacked when it came
//! compressed.
//!
//! What is too much is still read, and thrown away: a client looks at the answer once it has sent everything, and where
//! a connection is closed under data that nobody has read, the kernel drops the answer with it. What comes too slowly,
//! or is larger than any mistake, is not waited for: its connection is closed.

use std::future::{Future, poll_fn};
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use hyper::body::{Body, Frame, Incoming};
use tokio::time::Sleep;

use super::budget::{BodyBudget, Charge};
use super::connection::Caller;
use crate::env::Env;

/// Largest body, packed or unpacked: DynamoDB's own limit for a request (16 MB), which BatchWriteItem can reach.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// A body that cannot be taken is read and thrown away up to this size, so that the connection can go on; past it, it is
/// closed.
pub const MAX_DRAINED_BYTES: usize = 64 * 1024 * 1024;
/// A client must have sent a request's whole body within this time. The largest body arrives in it at 2.3 Mbit/s.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(60);
/// What a body in several pieces gets at first; from there it doubles, so that nobody takes room by announcing much.
const FIRST_ROOM_BYTES: usize = 64 * 1024;
/// Bytes of one body after which the other connections of the loop have a turn: copying them takes some tens of
/// microseconds.
const TURN_BYTES: usize = 256 * 1024;
/// Bytes that are unpacked at a time.
const UNPACKED_AT_ONCE: usize = 16 * 1024;
/// Unpacked bytes after which the other connections of the loop have a turn: some 200 microseconds.
const UNPACKED_TURN_BYTES: usize = 64 * 1024;
/// A body that is as long is moved to where it has more room away from the event loop.
const MOVED_HERE_BYTES_MAX: usize = 256 * 1024;

/// Why there is no body to work on.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyError {
    /// Larger than [`MAX_BODY_BYTES`]. `drained`: the rest was read, the connection is still usable.
    TooLarge {
        /// Whether the connection can be kept.
        drained: bool,
    },
    /// There is no room for it beside the bodies of other requests; it was read and thrown away.
    NoRoom,
    /// It was not there in time.
    Late,
    /// The body does not unpack, or is packed in a way that we do not know. The service answers both with a 500.
    Garbled,
    /// It ended before its end, or its chunks, their extensions or the trailer are not as HTTP has them (RFC 9112, section
    /// 7.1; extensions and trailers may have 16 KiB each).
    Broken,
}

impl BodyError {
    /// Whether the client may have more of it to send, so that the connection has to be closed.
    pub fn leaves_a_rest(&self) -> bool {
        matches!(self, BodyError::TooLarge { drained: false } | BodyError::Late | BodyError::Broken)
    }
}

/// A whole body, with the room that it takes until it is dropped.
#[derive(Debug)]
pub struct Received<'a> {
    /// Unpacked.
    bytes: Bytes,
    /// What they have paid for.
    _room: Charge<'a>,
}

impl Received<'_> {
    /// The bytes, to be shared. Who keeps them longer than this keeps more than was paid for.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl std::ops::Deref for Received<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The whole body of a request that `caller` sends, unpacked.
///
/// # Errors
/// When there is none; the rest of it was read then, except where [`BodyError`] says otherwise: the caller is cut off there.
pub async fn read<'a, E: Env>(
    caller: &Caller,
    headers: &HeaderMap,
    body: Incoming,
    budget: &'a BodyBudget,
) -> Result<Received<'a>, BodyError> {
    caller.progress.awaits_body();
    let packed = collect::<E>(headers, body, budget).await.inspect_err(|error| {
        if error.leaves_a_rest() {
            caller.progress.cut_off();
        }
    });
    caller.progress.has_body();
    let packed = packed?;
    match headers.get(CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase()).as_deref() {
        None | Some(b"" | b"identity" | b"aws-chunked") => Ok(packed),
        // No packed form is empty. Several gzip members in a row are one body.
        Some(b"gzip" | b"deflate") if packed.is_empty() => Err(BodyError::Garbled),
        Some(b"gzip") => unpack::<E>(MultiGzDecoder::new(&packed[..]), budget).await,
        Some(b"deflate") => unpack::<E>(Zlib::new(&packed), budget).await,
        Some(_) => Err(BodyError::Garbled),
    }
}

async fn collect<'a, E: Env>(
    headers: &HeaderMap,
    body: Incoming,
    budget: &'a BodyBudget,
) -> Result<Received<'a>, BodyError> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok())
        .unwrap_or(0);
    if announced > MAX_DRAINED_BYTES as u64 {
        return Err(BodyError::TooLarge { drained: false });
    }
    let mut pieces = Pieces { body, has_waited: false, time: None };
    let Some(first) = pieces.next::<E>().await? else {
        return Ok(Received { bytes: Bytes::new(), _room: budget.charge() });
    };
    if pieces.body.is_end_stream() && first.len() <= MAX_BODY_BYTES {
        return Ok(Received { bytes: first, _room: budget.charge() });
    }
    let mut whole = Ok(Growing::new(budget, announced as usize));
    let (mut seen, mut in_turn) = (0, 0);
    let mut next = Some(first);
    while let Some(data) = next {
        seen += data.len();
        in_turn += data.len();
        if seen > MAX_DRAINED_BYTES {
            return Err(BodyError::TooLarge { drained: false });
        }
        whole = match whole {
            Ok(whole) => whole.with::<E>(&data).await,
            refused => refused,
        };
        if in_turn >= TURN_BYTES {
            in_turn = 0;
            tokio::task::yield_now().await;
        }
        next = pieces.next::<E>().await?;
    }
    // What is too large is so whether there was room or not.
    if seen > MAX_BODY_BYTES { Err(BodyError::TooLarge { drained: true }) } else { whole.map(Growing::done) }
}

/// Zlib's format, which HTTP calls deflate. What ends too early, its checksum included, or has something behind it is refused, as
/// it is of gzip.
struct Zlib<'a> {
    /// What was not looked at yet.
    rest: &'a [u8],
    /// What unpacks.
    inflate: Decompress,
    /// Whether the end was seen.
    has_ended: bool,
}

impl Zlib<'_> {
    fn new(packed: &[u8]) -> Zlib<'_> {
        Zlib { rest: packed, inflate: Decompress::new(true), has_ended: false }
    }
}

impl Read for Zlib<'_> {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        if self.has_ended {
            return Ok(0);
        }
        let (read, made) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(self.rest, part, FlushDecompress::None)?;
        self.rest = &self.rest[(self.inflate.total_in() - read) as usize..];
        let made = (self.inflate.total_out() - made) as usize;
        self.has_ended = status == Status::StreamEnd;
        match made {
            _ if self.has_ended && !self.rest.is_empty() => Err(io::ErrorKind::InvalidData.into()),
            0 if !self.has_ended => Err(io::ErrorKind::UnexpectedEof.into()),
            made => Ok(made),
        }
    }
}

async fn unpack<E: Env>(mut reader: impl Read, budget: &BodyBudget) -> Result<Received<'_>, BodyError> {
    let mut whole = Growing::new(budget, 0);
    let mut part = vec![0; UNPACKED_AT_ONCE];
    let mut in_turn = 0;
    loop {
        match reader.read(&mut part).map_err(|_| BodyError::Garbled)? {
            0 => return Ok(whole.done()),
            // A bomb ends here, with the part that goes too far.
            count => {
                whole = whole.with::<E>(&part[..count]).await?;
                in_turn += count;
            }
        }
        if in_turn >= UNPACKED_TURN_BYTES {
            in_turn = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// A body that is put together, and pays for its room before it takes it.
struct Growing<'a> {
    /// What has come.
    bytes: Vec<u8>,
    /// What they have paid for: their capacity, and while they are moved that of both places.
    room: Charge<'a>,
    /// The size that it is said to have; zero where nothing is said.
    announced: usize,
}

impl<'a> Growing<'a> {
    fn new(budget: &'a BodyBudget, announced: usize) -> Growing<'a> {
        Growing { bytes: Vec::new(), room: budget.charge(), announced }
    }

    /// The same with `data` behind it. Where that cannot be, what was there is freed at once.
    async fn with<E: Env>(mut self, data: &[u8]) -> Result<Growing<'a>, BodyError> {
        let needed = self.bytes.len() + data.len();
        if needed > MAX_BODY_BYTES {
            return Err(BodyError::TooLarge { drained: true });
        }
        if needed > self.bytes.capacity() {
            let room = next_room(self.bytes.capacity(), needed, self.announced);
            // While it is moved there are both, the old one and the new.
            if !self.room.grow_to(self.bytes.capacity() + room) {
                return Err(BodyError::NoRoom);
            }
            let mut bytes = std::mem::take(&mut self.bytes);
            let more = room - bytes.len();
            if bytes.len() < MOVED_HERE_BYTES_MAX {
                bytes.reserve_exact(more);
                self.bytes = bytes;
            } else {
                let moved = move || {
                    bytes.reserve_exact(more);
                    bytes
                };
                self.bytes = E::background(moved).await;
            }
            self.room.shrink_to(room);
        }
        debug_assert!(needed <= self.bytes.capacity(), "what was paid for has room");
        self.bytes.extend_from_slice(data);
        Ok(self)
    }

    fn done(self) -> Received<'a> {
        Received { bytes: Bytes::from(self.bytes), _room: self.room }
    }
}

/// The room that a body gets next: twice as much, but no more than it can use.
fn next_room(now: usize, needed: usize, announced: usize) -> usize {
    let usable = if needed <= announced { announced } else { MAX_BODY_BYTES };
    let room = (2 * now).max(FIRST_ROOM_BYTES).min(usable).max(needed);
    debug_assert!(room >= needed, "there is room for what has come");
    debug_assert!(room <= MAX_BODY_BYTES.max(announced), "no body pays for more than it may be");
    room
}

/// The pieces of a body, as they arrive, within [`BODY_TIME_MAX`].
struct Pieces {
    /// Where they come from.
    body: Incoming,
    /// A poll found nothing. The first one always does: it is what makes the connection hand the body out.
    has_waited: bool,
    /// Runs while pieces are waited for; a body that is there already needs no timer.
    time: Option<Pin<Box<Sleep>>>,
}

impl Pieces {
    async fn next<E: Env>(&mut self) -> Result<Option<Bytes>, BodyError> {
        while let Some(frame) = poll_fn(|context| self.poll_frame::<E>(context)).await? {
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    fn poll_frame<E: Env>(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, BodyError>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.transpose().map_err(|_| BodyError::Broken));
        }
        if !self.has_waited {
            self.has_waited = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let time = self.time.get_or_insert_with(|| Box::pin(E::sleep(BODY_TIME_MAX)));
        time.as_mut().poll(context).map(|()| Err(BodyError::Late))
    }
}

#[cfg(test)]
mod tests;
