//! The greeting: who calls, whom, and in which versions of the protocol.
//!
//! ```text
//! hello    magic (4) · versions from, to (1 + 1) · cluster (16) · node (8) · incarnation (8) · called node (8)
//!          · lane (1) · proof length (2) · proof
//! answer   0 (1) · version (1), or the reason of a refusal (1) · 0 (1)
//! ```
//!
//! All numbers are little endian. The proof is for authentication; nothing is asked for yet, and a caller that sends
//! one is refused rather than believed.
//!
//! A node number that comes with another incarnation than before is another disk under an old name: it has forgotten
//! what it voted and promised, so it is refused for as long as this process remembers the first one.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::super::directory::Identity;
use super::super::transport::Lane;
use super::inquiry;

const MAGIC: [u8; 4] = *b"dynp";
/// The versions of the protocol between nodes that this program speaks.
pub(super) const VERSIONS: (u8, u8) = (1, 1);

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it is no node, or speaks no version that is spoken here")]
    Protocol = 1,
    #[error("it belongs to another cluster")]
    OtherCluster = 2,
    #[error("it means another node")]
    OtherNode = 3,
    #[error("another disk has used its number")]
    OtherDisk = 4,
    #[error("it brings a proof, and none is asked for")]
    Proof = 5,
}

const REFUSALS: [Refusal; 5] =
    [Refusal::Protocol, Refusal::OtherCluster, Refusal::OtherNode, Refusal::OtherDisk, Refusal::Proof];

/// What a caller says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) cluster: u128,
    pub(super) node: u64,
    pub(super) incarnation: u64,
    pub(super) called: u64,
    pub(super) lane: Lane,
}

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub(super) enum HelloError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("a caller is refused: {0}")]
    Refused(#[from] Refusal),
    #[error("refused by the other node")]
    RefusedThere(u8),
}

fn lane_code(lane: Lane) -> u8 {
    match lane {
        Lane::Data => 0,
        Lane::Heartbeat => 1,
        Lane::Snapshot => 2,
        Lane::Requests => 3,
    }
}

fn lane_of(code: u8) -> Result<Lane, Refusal> {
    [Lane::Data, Lane::Heartbeat, Lane::Snapshot, Lane::Requests]
        .get(usize::from(code))
        .copied()
        .ok_or(Refusal::Protocol)
}

impl Hello {
    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend([VERSIONS.0, VERSIONS.1]);
        out.extend(self.cluster.to_le_bytes());
        out.extend(self.node.to_le_bytes());
        out.extend(self.incarnation.to_le_bytes());
        out.extend(self.called.to_le_bytes());
        out.push(lane_code(self.lane));
        out.extend(0_u16.to_le_bytes());
        out
    }

    /// Reads what follows the magic and the versions.
    async fn read(input: &mut (impl AsyncRead + Unpin)) -> Result<Hello, HelloError> {
        let hello = Hello {
            cluster: input.read_u128_le().await?,
            node: input.read_u64_le().await?,
            incarnation: input.read_u64_le().await?,
            called: input.read_u64_le().await?,
            lane: lane_of(input.read_u8().await?)?,
        };
        if input.read_u16_le().await? != 0 {
            return Err(Refusal::Proof.into());
        }
        Ok(hello)
    }
}

/// Greets the node that was called.
pub(super) async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), hello: &Hello) -> Result<(), HelloError> {
    stream.write_all(&hello.encode()).await?;
    stream.flush().await?;
    let (reason, _version) = (stream.read_u8().await?, stream.read_u8().await?);
    match reason {
        0 => Ok(()),
        code => Err(refusal_of(code)),
    }
}

/// The refusal with this code.
pub(super) fn refusal_of(code: u8) -> HelloError {
    match REFUSALS.into_iter().find(|refusal| *refusal as u8 == code) {
        Some(refusal) => HelloError::Refused(refusal),
        None => HelloError::RefusedThere(code),
    }
}

/// The disks that callers were seen with.
pub(super) type Disks = Mutex<BTreeMap<u64, u64>>;

/// Hears a caller's greeting and answers it; `None` for one that only wanted to know who this is, and was told.
pub(super) async fn welcome(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    me: &Identity,
    disks: &Disks,
) -> Result<Option<Hello>, HelloError> {
    let heard = match hear(stream).await {
        Ok(Some(hello)) => judge(&hello, me, disks).map(|()| Some(hello)).map_err(HelloError::from),
        other => other,
    };
    let answer = match &heard {
        Ok(Some(_)) => vec![0, VERSIONS.1],
        Ok(None) => inquiry::answer(me),
        Err(HelloError::Refused(refusal)) => vec![*refusal as u8, 0],
        Err(_) => return heard,
    };
    stream.write_all(&answer).await?;
    stream.flush().await?;
    heard
}

async fn hear(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Hello>, HelloError> {
    let mut magic = [0; 4];
    stream.read_exact(&mut magic).await?;
    let (from, to) = (stream.read_u8().await?, stream.read_u8().await?);
    let is_spoken = from <= VERSIONS.1 && to >= VERSIONS.0;
    match magic {
        MAGIC if is_spoken => Hello::read(stream).await.map(Some),
        inquiry::MAGIC if is_spoken => Ok(None),
        _ => Err(Refusal::Protocol.into()),
    }
}

fn judge(hello: &Hello, me: &Identity, disks: &Disks) -> Result<(), Refusal> {
    if hello.cluster != me.cluster_id {
        return Err(Refusal::OtherCluster);
    }
    if hello.called != me.node_id || hello.node == me.node_id {
        return Err(Refusal::OtherNode);
    }
    match *disks.lock().entry(hello.node).or_insert(hello.incarnation) {
        known if known == hello.incarnation => Ok(()),
        _ => Err(Refusal::OtherDisk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> Identity {
        Identity { cluster_id: 9, node_id: 1, incarnation: 11, shards: 1 }
    }

    fn caller() -> Hello {
        Hello { cluster: 9, node: 2, incarnation: 22, called: 1, lane: Lane::Heartbeat }
    }

    async fn meet(bytes: Vec<u8>, disks: &Disks) -> Result<Option<Hello>, HelloError> {
        let (mut here, mut there) = tokio::io::duplex(1024);
        there.write_all(&bytes).await.unwrap();
        welcome(&mut here, &me(), disks).await
    }

    #[tokio::test]
    async fn a_peer_is_let_in_and_everybody_else_is_told_why_not() {
        let disks = Disks::default();
        assert_eq!(meet(caller().encode(), &disks).await.unwrap(), Some(caller()));
        let cases = [
            (Hello { cluster: 8, ..caller() }, Refusal::OtherCluster),
            (Hello { called: 3, ..caller() }, Refusal::OtherNode),
            (Hello { node: 1, ..caller() }, Refusal::OtherNode),
            (Hello { incarnation: 23, ..caller() }, Refusal::OtherDisk),
        ];
        for (hello, expected) in cases {
            let refused = meet(hello.encode(), &disks).await;
            assert!(matches!(refused, Err(HelloError::Refused(refusal)) if refusal == expected), "{hello:?}");
        }
        let mut future = caller().encode();
        (future[4], future[5]) = (2, 3);
        assert!(matches!(meet(future, &disks).await, Err(HelloError::Refused(Refusal::Protocol))));
        let mut stranger = caller().encode();
        stranger[..4].copy_from_slice(b"GET ");
        assert!(matches!(meet(stranger, &disks).await, Err(HelloError::Refused(Refusal::Protocol))));
    }

    #[test]
    fn golden_bytes() {
        let expected = b"dynp\x01\x01\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x16\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0";
        assert_eq!(caller().encode(), expected);
    }
}
