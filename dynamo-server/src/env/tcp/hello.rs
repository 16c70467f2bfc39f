//! The greeting: who calls, whom, what both take for granted, and the proof of it.
//!
//! ```text
//! hello    magic (4) · versions from, to (1 + 1) · cluster (16) · node (8) · incarnation (8)
//!          · called node (8) · called incarnation (8) · lane (1) · nonce (16) · settings
//! answer   0 (1) · version (1) · cluster (16) · node (8) · incarnation (8) · shards (4) · has data (1) · standing (1)
//!          · nonce (16) · settings · proof
//!          or the reason of a refusal (1) · the newest version spoken here (1)
//! proof    length (1) · HMAC over hello and answer
//! end      0 (1), or the reason of a refusal (1)
//! settings n (1) · (number (1) · value (8)) …
//! ```
//!
//! *Versions.* Each program speaks a range of versions of this protocol, so that nodes can be upgraded one after the other: the
//! caller names its range, and the answer names the newest version that both speak, which holds for the connection. Programs
//! without a common one part with a line on both sides, and complain of each other in the cluster's status. A version is
//! given up one release after its successor came; see `docs/decisions/mixed-builds.md`.
//!
//! | version | adds |
//! |---|---|
//! | 2 | settings, standing, the caller's incarnation |
//! | 3 | probes of a leader that hears no quorum; a node of version 2 leaves them unanswered |
//!
//! All numbers are little endian. The caller speaks first and third. Both say which incarnation they are, and the caller
//! which one it means: an acknowledgement or a vote of another disk under the same number must never be counted, so none
//! can come about. A node that does not know yet whom it meets says 0.
//!
//! A *lane* of [`INQUIRY`] says that the caller only asks who this is: it may be of no cluster yet, and the conversation
//! ends with the greeting. It is told what it is to the one that it asks ([`Standing`]), so a node whose disk was exchanged
//! learns that from everybody who remembers the membership, which is on their disks, not in their processes.
//!
//! Where the nodes share a [`Secret`] both sides prove that they know it, before anything else is exchanged; the nonces
//! make each proof good for one greeting. Without a secret the proofs are empty.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::super::directory::Identity;
use super::super::settings::AgreedSettings;
use super::super::transport::{ANY_INCARNATION, Introduction, Lane, PeerHost, Standing};
use super::Terms;
use super::secret::{PROOF_BYTES, Side};

const MAGIC: [u8; 4] = *b"dynp";
/// The versions of the protocol between nodes that this program speaks.
const VERSIONS: Versions = Versions { oldest: 2, newest: 3 };

const _: () = assert!(VERSIONS.oldest <= VERSIONS.newest, "this program speaks at least one version");

/// A range of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Versions {
    /// The first one; not above `newest`.
    oldest: u8,
    /// The last one.
    newest: u8,
}

impl Versions {
    /// The newest version that both speak.
    fn common(self, other: Versions) -> Option<u8> {
        let (oldest, newest) = (self.oldest.max(other.oldest), self.newest.min(other.newest));
        (oldest <= newest).then_some(newest)
    }
}

impl std::fmt::Display for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.oldest, self.newest)
    }
}

/// The lane of a caller that only asks.
const INQUIRY: u8 = 4;

/// Settings that one greeting names at most.
const SETTINGS_MAX: u8 = 32;

type Nonce = [u8; 16];

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it is no node, or speaks no version of the protocol that is spoken here ({VERSIONS})")]
    Protocol = 1,
    #[error("it belongs to another cluster")]
    OtherCluster = 2,
    #[error("it means another node")]
    OtherNode = 3,
    #[error("it means this node with another incarnation: the data here is not the member's")]
    OtherIncarnation = 4,
    #[error("it does not prove that it knows the secret of the cluster")]
    Proof = 5,
}

const REFUSALS: [Refusal; 5] =
    [Refusal::Protocol, Refusal::OtherCluster, Refusal::OtherNode, Refusal::OtherIncarnation, Refusal::Proof];

/// What a caller says of itself and of whom it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    /// The cluster's number.
    pub(super) cluster: u128,
    /// Who greets.
    pub(super) node: u64,
    /// Which data it has.
    pub(super) incarnation: u64,
    /// 0 for whoever listens.
    pub(super) called: u64,
    /// See [`ANY_INCARNATION`].
    pub(super) means: u64,
    /// `None` for a caller that only asks.
    pub(super) lane: Option<Lane>,
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
    #[error("the other side does not prove that it knows the secret of the cluster")]
    Unproved,
    #[error("no common version of the protocol between nodes: this program speaks {VERSIONS}, {}", other_side(*.newest_there))]
    NoCommonVersion {
        /// 0 where it does not say, which only builds from before the first release do.
        newest_there: u8,
    },
    #[error(
        "that node does not take this one for a node, although it speaks version {version} of the protocol between nodes, too: \
         something in between changes what is sent, or one of the two is no released build"
    )]
    NotUnderstood { version: u8 },
    #[error("the answer cannot be understood")]
    Garbled,
}

/// What the other side speaks, and which of the two is to be upgraded.
fn other_side(newest_there: u8) -> String {
    match newest_there {
        0 => "that one is older and does not say what it speaks: upgrade that one".to_owned(),
        newest if newest > VERSIONS.newest => format!("that one only newer ones, up to {newest}: upgrade this one"),
        newest => format!("that one {newest} at most: upgrade that one"),
    }
}

fn lane_code(lane: Option<Lane>) -> u8 {
    match lane {
        Some(Lane::Data) => 0,
        Some(Lane::Heartbeat) => 1,
        Some(Lane::Snapshot) => 2,
        Some(Lane::Requests) => 3,
        None => INQUIRY,
    }
}

fn lane_of(code: u8) -> Result<Option<Lane>, Refusal> {
    match code {
        0 => Ok(Some(Lane::Data)),
        1 => Ok(Some(Lane::Heartbeat)),
        2 => Ok(Some(Lane::Snapshot)),
        3 => Ok(Some(Lane::Requests)),
        INQUIRY => Ok(None),
        _ => Err(Refusal::Protocol),
    }
}

fn put_settings(out: &mut Vec<u8>, settings: &AgreedSettings) {
    let count = settings.iter().len().min(usize::from(SETTINGS_MAX));
    out.push(count as u8);
    for (setting, value) in settings.iter().take(count) {
        out.push(setting);
        out.extend(value.to_le_bytes());
    }
}

/// Reads, and remembers every byte for the proof.
struct Heard<'a, S> {
    /// What is read from.
    stream: &'a mut S,
    /// Everything that was said so far, by both sides, in order.
    transcript: &'a mut Vec<u8>,
}

impl<S: AsyncRead + Unpin> Heard<'_, S> {
    async fn take<const N: usize>(&mut self) -> std::io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).await?;
        self.transcript.extend(bytes);
        Ok(bytes)
    }

    async fn u8(&mut self) -> std::io::Result<u8> {
        Ok(self.take::<1>().await?[0])
    }

    async fn u64(&mut self) -> std::io::Result<u64> {
        Ok(u64::from_le_bytes(self.take().await?))
    }

    /// `None` when there are more than any program names.
    async fn settings(&mut self) -> std::io::Result<Option<AgreedSettings>> {
        let count = self.u8().await?;
        if count > SETTINGS_MAX {
            return Ok(None);
        }
        let mut settings = AgreedSettings::default();
        for _ in 0..count {
            let setting = self.u8().await?;
            settings = settings.with(setting, self.u64().await?);
        }
        Ok(Some(settings))
    }
}

impl Hello {
    fn encode(&self, nonce: &Nonce, settings: &AgreedSettings) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend([VERSIONS.oldest, VERSIONS.newest]);
        out.extend(self.cluster.to_le_bytes());
        out.extend(self.node.to_le_bytes());
        out.extend(self.incarnation.to_le_bytes());
        out.extend(self.called.to_le_bytes());
        out.extend(self.means.to_le_bytes());
        out.push(lane_code(self.lane));
        out.extend(nonce);
        put_settings(&mut out, settings);
        out
    }

    async fn read(heard: &mut Heard<'_, impl AsyncRead + Unpin>) -> Result<(Hello, AgreedSettings, u8), HelloError> {
        let magic = heard.take::<4>().await?;
        let spoken = Versions { oldest: heard.u8().await?, newest: heard.u8().await? };
        let version = VERSIONS.common(spoken).filter(|_| magic == MAGIC).ok_or(Refusal::Protocol)?;
        let hello = Hello {
            cluster: u128::from_le_bytes(heard.take().await?),
            node: heard.u64().await?,
            incarnation: heard.u64().await?,
            called: heard.u64().await?,
            means: heard.u64().await?,
            lane: lane_of(heard.u8().await?)?,
        };
        heard.take::<16>().await?;
        let settings = heard.settings().await?.ok_or(Refusal::Protocol)?;
        Ok((hello, settings, version))
    }
}

fn encode_answer(version: u8, introduction: &Introduction, nonce: &Nonce, settings: &AgreedSettings) -> Vec<u8> {
    let me = &introduction.identity;
    let mut out = vec![0, version];
    out.extend(me.cluster_id.to_le_bytes());
    out.extend(me.node_id.to_le_bytes());
    out.extend(me.incarnation.to_le_bytes());
    out.extend(me.shards.to_le_bytes());
    out.extend([u8::from(introduction.has_data), introduction.standing as u8]);
    out.extend(nonce);
    put_settings(&mut out, settings);
    out
}

async fn read_answer(heard: &mut Heard<'_, impl AsyncRead + Unpin>) -> Result<Introduction, HelloError> {
    let (reason, version) = (heard.u8().await?, heard.u8().await?);
    if reason == Refusal::Protocol as u8 {
        return Err(match VERSIONS.common(Versions { oldest: version, newest: version }) {
            // It refuses something else: who has a version in common is not refused for its version.
            Some(version) => HelloError::NotUnderstood { version },
            None => HelloError::NoCommonVersion { newest_there: version },
        });
    }
    if reason != 0 {
        return Err(refusal_of(reason));
    }
    // Version 2 says its newest one, which is its only one.
    if VERSIONS.common(Versions { oldest: version, newest: version }).is_none() {
        return Err(HelloError::NoCommonVersion { newest_there: version });
    }
    let identity = Identity {
        cluster_id: u128::from_le_bytes(heard.take().await?),
        node_id: heard.u64().await?,
        incarnation: heard.u64().await?,
        shards: u32::from_le_bytes(heard.take().await?),
    };
    let has_data = heard.u8().await? != 0;
    let standing = match heard.u8().await? {
        0 => Standing::Unknown,
        1 => Standing::Member,
        2 => Standing::OtherIncarnation,
        3 => Standing::Stranger,
        _ => return Err(HelloError::Garbled),
    };
    heard.take::<16>().await?;
    heard.settings().await?.ok_or(HelloError::Garbled)?;
    Ok(Introduction { identity, has_data, standing })
}

async fn read_proof(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let length = usize::from(stream.read_u8().await?).min(PROOF_BYTES);
    let mut proof = vec![0; length];
    stream.read_exact(&mut proof).await?;
    Ok(proof)
}

async fn write_proof(
    stream: &mut (impl AsyncWrite + Unpin),
    terms: &Terms,
    side: Side,
    transcript: &[u8],
) -> std::io::Result<()> {
    let proof = terms.secret.as_ref().map(|secret| secret.prove(side, transcript));
    let proof = proof.as_ref().map_or(&[][..], |proof| &proof[..]);
    stream.write_all(&[&[proof.len() as u8], proof].concat()).await?;
    stream.flush().await
}

fn is_proved(terms: &Terms, side: Side, transcript: &[u8], proof: &[u8]) -> bool {
    terms.secret.as_ref().is_none_or(|secret| secret.is_proved(side, transcript, proof))
}

/// Greets the node that was called, and hears who it is: the one that was meant.
pub(super) async fn greet(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    hello: &Hello,
    terms: &Terms,
) -> Result<Introduction, HelloError> {
    let mut transcript = hello.encode(&rand::random(), &terms.settings);
    stream.write_all(&transcript).await?;
    stream.flush().await?;
    let introduction = read_answer(&mut Heard { stream, transcript: &mut transcript }).await?;
    let proof = read_proof(stream).await?;
    if !is_proved(terms, Side::Answerer, &transcript, &proof) {
        return Err(HelloError::Unproved);
    }
    is_meant(hello, &introduction.identity)?;
    write_proof(stream, terms, Side::Caller, &transcript).await?;
    match stream.read_u8().await? {
        0 => Ok(introduction),
        code => Err(refusal_of(code)),
    }
}

/// The refusal with this code.
fn refusal_of(code: u8) -> HelloError {
    match REFUSALS.into_iter().find(|refusal| *refusal as u8 == code) {
        Some(refusal) => HelloError::Refused(refusal),
        None => HelloError::RefusedThere(code),
    }
}

/// Hears a caller's greeting and answers it: who it is, and what it is to this node.
pub(super) async fn welcome(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    host: &dyn PeerHost,
    terms: &Terms,
) -> Result<(Hello, Standing), HelloError> {
    let mut transcript = Vec::new();
    let heard = Hello::read(&mut Heard { stream, transcript: &mut transcript }).await;
    let judged = heard.and_then(|(hello, settings, version)| {
        let introduction = host.introduce(hello.node, hello.incarnation);
        is_meant(&hello, &introduction.identity)?;
        Ok((hello, settings, version, introduction))
    });
    let (hello, settings, version, introduction) = match judged {
        Ok(judged) => judged,
        Err(error) => {
            if let HelloError::Refused(refusal) = error {
                stream.write_all(&[refusal as u8, VERSIONS.newest]).await?;
                stream.flush().await?;
            }
            return Err(error);
        }
    };
    let answer = encode_answer(version, &introduction, &rand::random(), &terms.settings);
    transcript.extend(&answer);
    stream.write_all(&answer).await?;
    write_proof(stream, terms, Side::Answerer, &transcript).await?;
    let proof = read_proof(stream).await?;
    let is_proved = is_proved(terms, Side::Caller, &transcript, &proof);
    stream.write_all(&[if is_proved { 0 } else { Refusal::Proof as u8 }]).await?;
    stream.flush().await?;
    if !is_proved {
        return Err(Refusal::Proof.into());
    }
    if hello.lane.is_some() {
        host.hear_settings(hello.node, &settings);
    }
    Ok((hello, introduction.standing))
}

/// Whether the one who was called is the one who was meant; both sides ask that.
fn is_meant(hello: &Hello, called: &Identity) -> Result<(), Refusal> {
    if hello.lane.is_none() {
        return Ok(());
    }
    if hello.cluster != called.cluster_id {
        return Err(Refusal::OtherCluster);
    }
    if hello.called != called.node_id || hello.node == called.node_id {
        return Err(Refusal::OtherNode);
    }
    if hello.means != ANY_INCARNATION && hello.means != called.incarnation {
        return Err(Refusal::OtherIncarnation);
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use bytes::Bytes;
    use futures::future::BoxFuture;
    use parking_lot::Mutex;

    use super::super::super::transport::Caller;
    use super::super::secret::Secret;
    use super::*;

    /// Node 1 of cluster 9, which knows node 2 with incarnation 22 and no other.
    #[derive(Default)]
    pub struct Host {
        pub heard: Mutex<Vec<(u64, AgreedSettings)>>,
    }

    impl PeerHost for Host {
        fn introduce(&self, node: u64, incarnation: u64) -> Introduction {
            let standing = match (node, incarnation) {
                (2, 22) => Standing::Member,
                (2, _) => Standing::OtherIncarnation,
                _ => Standing::Stranger,
            };
            Introduction { identity: me(), has_data: true, standing }
        }

        fn answer(&self, _caller: Caller, request: Bytes) -> BoxFuture<'static, Option<Bytes>> {
            Box::pin(async move { Some(request) })
        }

        fn hear_settings(&self, node: u64, settings: &AgreedSettings) {
            self.heard.lock().push((node, settings.clone()));
        }
    }

    fn me() -> Identity {
        Identity { cluster_id: 9, node_id: 1, incarnation: 11, shards: 16 }
    }

    fn caller() -> Hello {
        Hello { cluster: 9, node: 2, incarnation: 22, called: 1, means: 11, lane: Some(Lane::Heartbeat) }
    }

    fn terms(secret: Option<&[u8]>) -> Terms {
        let settings = AgreedSettings::default().with(1, 2_000);
        Terms { secret: secret.map(|bytes| Secret::new(bytes).unwrap()), settings }
    }

    /// What both sides of a greeting come to.
    async fn meet(
        hello: &Hello,
        here: &Terms,
        there: &Terms,
    ) -> (Result<Introduction, HelloError>, Result<(Hello, Standing), HelloError>) {
        let (mut calling, mut called) = tokio::io::duplex(1024);
        let host = Host::default();
        let welcome = async {
            let welcomed = welcome(&mut called, &host, there).await;
            drop(called);
            welcomed
        };
        let greet = async {
            let greeted = greet(&mut calling, hello, here).await;
            drop(calling);
            greeted
        };
        tokio::join!(greet, welcome)
    }

    #[tokio::test]
    async fn both_learn_who_the_other_is_and_everybody_else_is_told_why_not() {
        let open = terms(None);
        let (answer, guest) = meet(&caller(), &open, &open).await;
        assert_eq!(answer.unwrap().identity, me());
        assert_eq!(guest.unwrap(), (caller(), Standing::Member));
        // Another disk under an old number is let in as what it is: what it may say is decided where a membership is known.
        let exchanged = Hello { incarnation: 23, ..caller() };
        assert_eq!(meet(&exchanged, &open, &open).await.1.unwrap().1, Standing::OtherIncarnation);
        let cases = [
            (Hello { cluster: 8, ..caller() }, Refusal::OtherCluster),
            (Hello { called: 3, ..caller() }, Refusal::OtherNode),
            (Hello { node: 1, ..caller() }, Refusal::OtherNode),
            (Hello { means: 12, ..caller() }, Refusal::OtherIncarnation),
        ];
        for (hello, expected) in cases {
            let (told, refused) = meet(&hello, &open, &open).await;
            assert!(matches!(refused, Err(HelloError::Refused(refusal)) if refusal == expected), "{hello:?}");
            assert!(matches!(told, Err(HelloError::Refused(refusal)) if refusal == expected), "{hello:?}");
        }
    }

    #[tokio::test]
    async fn a_stranger_is_told_who_this_is_and_what_it_is_here() {
        let open = terms(None);
        let asks = Hello { cluster: 0, node: 2, incarnation: 5, called: 0, means: 0, lane: None };
        let (answer, guest) = meet(&asks, &open, &open).await;
        let expected = Introduction { identity: me(), has_data: true, standing: Standing::OtherIncarnation };
        assert_eq!(answer.unwrap(), expected);
        assert_eq!(guest.unwrap().0.lane, None);
    }

    #[tokio::test]
    async fn nodes_with_a_secret_refuse_peers_without_it() {
        let (one, other, none) = (terms(Some(b"sixteen bytes ok")), terms(Some(b"another sixteen.")), terms(None));
        let asks = Hello { lane: None, ..caller() };
        for hello in [caller(), asks] {
            assert!(meet(&hello, &one, &one).await.1.is_ok());
            for (here, there) in [(&one, &other), (&one, &none)] {
                assert!(matches!(meet(&hello, here, there).await.0, Err(HelloError::Unproved)));
            }
            let (told, refused) = meet(&hello, &none, &one).await;
            assert!(matches!(refused, Err(HelloError::Refused(Refusal::Proof))));
            assert!(matches!(told, Err(HelloError::Refused(Refusal::Proof))));
        }
    }

    /// Says `hello` and then `proof`, or what proves it; whether that was believed, and the proof.
    async fn say(hello: &[u8], proof: Option<Vec<u8>>, terms: &Terms) -> (bool, Vec<u8>) {
        let (mut calling, mut called) = tokio::io::duplex(1024);
        let host = Host::default();
        let talking = async {
            calling.write_all(hello).await.unwrap();
            let mut transcript = hello.to_vec();
            read_answer(&mut Heard { stream: &mut calling, transcript: &mut transcript }).await.unwrap();
            read_proof(&mut calling).await.unwrap();
            let proves = || terms.secret.as_ref().unwrap().prove(Side::Caller, &transcript).to_vec();
            let proof = proof.unwrap_or_else(proves);
            calling.write_all(&[&[proof.len() as u8], &proof[..]].concat()).await.unwrap();
            proof
        };
        let (welcomed, proof) = tokio::join!(welcome(&mut called, &host, terms), talking);
        (welcomed.is_ok(), proof)
    }

    #[tokio::test]
    async fn a_replayed_proof_is_refused() {
        let terms = terms(Some(b"sixteen bytes ok"));
        let hello = caller().encode(&[7; 16], &terms.settings);
        let (is_believed, proof) = say(&hello, None, &terms).await;
        assert!(is_believed);
        assert!(!say(&hello, Some(proof), &terms).await.0);
    }

    #[tokio::test]
    async fn strangers_and_future_versions_are_refused() {
        let mut future = caller().encode(&[0; 16], &AgreedSettings::default());
        (future[4], future[5]) = (VERSIONS.newest + 1, VERSIONS.newest + 2);
        let mut stranger = caller().encode(&[0; 16], &AgreedSettings::default());
        stranger[..4].copy_from_slice(b"GET ");
        let mut boaster = caller().encode(&[0; 16], &AgreedSettings::default());
        *boaster.last_mut().unwrap() = 33;
        for bytes in [future, stranger, boaster] {
            let (mut here, mut there) = tokio::io::duplex(1024);
            there.write_all(&bytes).await.unwrap();
            let refused = welcome(&mut here, &Host::default(), &terms(None)).await;
            assert!(matches!(refused, Err(HelloError::Refused(Refusal::Protocol))));
        }
    }

    /// What is answered to a caller that speaks these versions: the first two bytes, a reason and a version.
    async fn answered(oldest: u8, newest: u8) -> [u8; 2] {
        let mut hello = caller().encode(&[0; 16], &AgreedSettings::default());
        (hello[4], hello[5]) = (oldest, newest);
        let (mut here, mut there) = tokio::io::duplex(1024);
        there.write_all(&hello).await.unwrap();
        let (host, terms) = (Host::default(), terms(None));
        let talking = async {
            let mut answer = [0; 2];
            there.read_exact(&mut answer).await.unwrap();
            drop(there);
            answer
        };
        tokio::join!(welcome(&mut here, &host, &terms), talking).1
    }

    #[tokio::test]
    async fn the_newest_common_version_is_spoken() {
        let Versions { oldest, newest } = VERSIONS;
        assert_eq!(answered(oldest, oldest).await, [0, oldest], "an older build");
        assert_eq!(answered(oldest, newest).await, [0, newest]);
        assert_eq!(answered(newest, newest + 5).await, [0, newest], "a newer build");
        let refused = [Refusal::Protocol as u8, newest];
        assert_eq!(answered(newest + 1, newest + 5).await, refused, "too new");
        assert_eq!(answered(1, oldest - 1).await, refused, "too old");
    }

    #[tokio::test]
    async fn a_caller_is_told_that_there_is_no_common_version() {
        let no_common = "no common version of the protocol between nodes: this program speaks 2 to 3, that one ";
        let refused = Refusal::Protocol as u8;
        for (answer, expected) in [
            ([refused, 9], "only newer ones, up to 9: upgrade this one"),
            ([0, 9], "only newer ones, up to 9: upgrade this one"),
            ([refused, 1], "1 at most: upgrade that one"),
            ([refused, 0], "is older and does not say what it speaks: upgrade that one"),
        ] {
            assert_eq!(told(answer).await, format!("{no_common}{expected}"), "{answer:?}");
        }
        // No message says in one breath that there is a common version and that there is none.
        for version in [2, 3] {
            let told = told([refused, version]).await;
            assert!(told.contains(&format!("speaks version {version}")) && !told.contains("common"), "{told}");
        }
    }

    /// What a caller makes of an answer that begins so.
    async fn told(answer: [u8; 2]) -> String {
        let (mut here, mut there) = tokio::io::duplex(1024);
        there.write_all(&answer).await.unwrap();
        greet(&mut here, &caller(), &terms(None)).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn the_settings_of_a_caller_are_handed_on() {
        let (mut calling, mut called) = tokio::io::duplex(1024);
        let host = Host::default();
        let (there, here) = (terms(None), Terms { settings: AgreedSettings::default().with(1, 500), ..terms(None) });
        let hello = caller();
        let (greeted, welcomed) = tokio::join!(greet(&mut calling, &hello, &here), welcome(&mut called, &host, &there));
        assert!(greeted.is_ok() && welcomed.is_ok());
        assert_eq!(*host.heard.lock(), [(2, here.settings)]);
    }

    #[test]
    fn golden_bytes() {
        let settings = AgreedSettings::default().with(1, 0x0102);
        let expected = b"dynp\x02\x03\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x16\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x0b\0\0\0\0\0\0\0\x01\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x01\x01\x02\x01\0\0\0\0\0\0";
        assert_eq!(caller().encode(&[5; 16], &settings), expected);
        let introduction = Introduction { identity: me(), has_data: true, standing: Standing::Stranger };
        let expected = b"\0\x02\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x0b\0\0\0\0\0\0\0\x10\0\0\0\x01\x03\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\0";
        assert_eq!(encode_answer(2, &introduction, &[5; 16], &AgreedSettings::default()), expected);
    }
}
