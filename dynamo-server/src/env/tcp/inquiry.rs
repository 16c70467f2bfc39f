//! The question of a node that wants to join: which cluster is this, and how many shards does it have?
//!
//! ```text
//! inquiry  magic (4) · versions from, to (1 + 1)
//! answer   0 (1) · version (1) · cluster (16) · node (8) · incarnation (8) · shards (4)
//!          or the reason of a refusal (1) · 0 (1)
//! ```
//!
//! All numbers are little endian. Nothing else is told to somebody who does not know the cluster's number; the
//! connection ends with the answer.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::directory::Identity;
use super::hello::{HelloError, VERSIONS, refusal_of};

/// What an inquiry begins with.
pub(super) const MAGIC: [u8; 4] = *b"dynq";

/// Asks whoever listens at `address`.
pub(super) async fn inquire(address: &str, limit: Duration) -> Result<Identity, String> {
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        ask(&mut stream).await
    };
    match tokio::time::timeout(limit, asking).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("it does not answer".to_owned()),
    }
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<Identity, HelloError> {
    stream.write_all(&MAGIC).await?;
    stream.write_all(&[VERSIONS.0, VERSIONS.1]).await?;
    stream.flush().await?;
    let (reason, _version) = (stream.read_u8().await?, stream.read_u8().await?);
    if reason != 0 {
        return Err(refusal_of(reason));
    }
    Ok(Identity {
        cluster_id: stream.read_u128_le().await?,
        node_id: stream.read_u64_le().await?,
        incarnation: stream.read_u64_le().await?,
        shards: stream.read_u32_le().await?,
    })
}

/// The answer of the node `me`.
pub(super) fn answer(me: &Identity) -> Vec<u8> {
    let mut out = vec![0, VERSIONS.1];
    out.extend(me.cluster_id.to_le_bytes());
    out.extend(me.node_id.to_le_bytes());
    out.extend(me.incarnation.to_le_bytes());
    out.extend(me.shards.to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::super::hello::{Disks, Refusal, welcome};
    use super::*;

    #[tokio::test]
    async fn a_node_tells_a_stranger_who_it_is_and_nothing_else() {
        let me = Identity { cluster_id: 9, node_id: 1, incarnation: 11, shards: 16 };
        let (mut here, mut there) = tokio::io::duplex(1024);
        let disks = Disks::default();
        let (guest, answer) = tokio::join!(welcome(&mut here, &me, &disks), ask(&mut there));
        assert_eq!(answer.unwrap(), me);
        assert_eq!(guest.unwrap(), None, "nobody to talk to");
    }

    #[tokio::test]
    async fn a_future_version_is_refused() {
        let me = Identity { cluster_id: 9, node_id: 1, incarnation: 11, shards: 16 };
        let (mut here, mut there) = tokio::io::duplex(1024);
        there.write_all(b"dynq\x02\x03").await.unwrap();
        let heard = welcome(&mut here, &me, &Disks::default()).await;
        assert!(matches!(heard, Err(HelloError::Refused(Refusal::Protocol))));
    }

    #[test]
    fn golden_bytes() {
        let me = Identity { cluster_id: 9, node_id: 1, incarnation: 11, shards: 16 };
        let expected = b"\0\x01\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x0b\0\0\0\0\0\0\0\x10\0\0\0";
        assert_eq!(answer(&me), expected);
    }
}
