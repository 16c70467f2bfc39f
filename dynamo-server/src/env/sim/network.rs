//! The simulated network: seeded delays, losses, one-way cuts, and a hash of everything that was ever sent.
//!
//! A message and its answer travel independently. Each draws its own delay, so messages overtake each other; each may
//! be lost; a link may be cut in one direction only. What is on its way stays on its way when its sender dies or gives
//! up waiting. A message that arrives is answered by a task of the receiving machine, on that machine's clock, and
//! dies with it.
//!
//! The hash ([`SimNetwork::trace`]) covers the time, the ends and the bytes of every message: two runs with the same
//! hash were the same run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{SimEnv, SimNode, chance_below, count_fault, elapsed};
use crate::env::{
    Caller, Env, Identity, Introduction, Lane, PeerAnswer, PeerHost, PeerRequest, Transport, TransportError,
};

/// From which machine to which.
pub type Link = (u64, u64);

/// How a link treats its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// The shortest way, in microseconds.
    pub delay_us_min: u64,
    /// The longest.
    pub delay_us_max: u64,
    /// How many of a thousand messages are lost.
    pub loss_permille: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Weather { delay_us_min: 100, delay_us_max: 2_000, loss_permille: 0 }
    }
}

/// The network between the machines of one simulation.
#[derive(Default)]
pub struct SimNetwork {
    /// A lock for some lines, never over an await.
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The nodes that listen, by number.
    hosts: BTreeMap<u64, Host>,
    /// Ways on which nothing arrives.
    cut: BTreeSet<Link>,
    /// Ways that lose, delay or repeat; others deliver.
    weather: BTreeMap<Link, Weather>,
    /// Says of a message whether it is lost.
    thief: Option<Thief>,
    /// A digest of everything that was sent: equal seeds have equal ones.
    trace: u64,
    /// Messages sent so far.
    messages: u64,
    /// Messages that a cut or the weather swallowed.
    lost: u64,
    /// Calls that nobody has given up and that are not answered, by way and first bytes; and the most that there ever were at
    /// once on the lane for entries.
    under_way: BTreeMap<(Link, Lane, Bytes), u64>,
    /// The most messages that were on one way at a time.
    at_once_max: u64,
}

#[derive(Clone)]
struct Host {
    /// Where the node runs.
    machine: Arc<SimNode>,
    /// Who answers there.
    host: Arc<dyn PeerHost>,
}

/// Sees every message, with its way, and says whether it is lost.
pub type Thief = Box<dyn FnMut(Link, &[u8]) -> bool + Send>;

/// What becomes of a message: the time that it takes, `None` where it is lost.
type Way = Option<Duration>;

impl SimNetwork {
    /// A network without machines, on which the sun shines.
    pub fn new() -> Arc<SimNetwork> {
        Arc::default()
    }

    /// The machine is off: whoever calls it is refused.
    pub fn leave(&self, machine: u64) {
        self.inner.lock().hosts.remove(&machine);
    }

    /// Nothing gets through this link any more, in this direction; nor does what is on its way.
    pub fn cut(&self, link: Link) {
        if self.inner.lock().cut.insert(link) {
            count_fault("link cut in one direction");
        }
    }

    /// This link works again, in this direction.
    pub fn restore(&self, link: Link) {
        self.inner.lock().cut.remove(&link);
    }

    /// Nothing gets through to or from this machine.
    pub fn isolate(&self, machine: u64, machines: impl IntoIterator<Item = u64>) {
        for other in machines.into_iter().filter(|other| *other != machine) {
            self.cut((machine, other));
            self.cut((other, machine));
        }
    }

    /// How a link treats its messages from now on.
    pub fn set_weather(&self, link: Link, weather: Weather) {
        count_fault("link with late or lost messages");
        self.inner.lock().weather.insert(link, weather);
    }

    /// From now on these messages are lost: for tests that know which ones matter.
    pub fn lose(&self, thief: impl FnMut(Link, &[u8]) -> bool + Send + 'static) {
        self.inner.lock().thief = Some(Box::new(thief));
    }

    /// Everything gets through again, as quickly as at first.
    pub fn heal(&self) {
        let mut inner = self.inner.lock();
        inner.cut.clear();
        inner.weather.clear();
        inner.thief = None;
    }

    /// The hash of everything that was sent so far, how many messages it was, and how many were lost.
    pub fn trace(&self) -> (u64, u64, u64) {
        let inner = self.inner.lock();
        (inner.trace, inner.messages, inner.lost)
    }

    /// The most calls of one kind and group that were ever under way at once from one machine to another on the lane for
    /// entries, counted as long as the caller waits.
    pub fn at_once_max(&self) -> u64 {
        self.inner.lock().at_once_max
    }

    /// Sends a message on its way.
    fn send(&self, link: Link, body: &[u8]) -> Way {
        let mut inner = self.inner.lock();
        let weather = inner.weather.get(&link).copied().unwrap_or_default();
        debug_assert!(weather.delay_us_min <= weather.delay_us_max, "a delay lies between two bounds");
        debug_assert!(weather.loss_permille <= 1_000, "no more is lost than is sent");
        let spread = weather.delay_us_max.saturating_sub(weather.delay_us_min) + 1;
        let delay = Duration::from_micros(weather.delay_us_min + chance_below(spread));
        let is_stolen = inner.thief.as_mut().is_some_and(|thief| thief(link, body));
        let is_lost = chance_below(1_000) < weather.loss_permille || is_stolen;
        inner.record(link, body, delay);
        inner.lost += u64::from(is_lost);
        (!is_lost).then_some(delay)
    }

    /// Takes a message to its end; whether it arrived.
    async fn travel(&self, link: Link, way: Way) -> bool {
        let Some(delay) = way else { return false };
        tokio::time::sleep(delay).await;
        let mut inner = self.inner.lock();
        let is_cut = inner.cut.contains(&link);
        inner.lost += u64::from(is_cut);
        !is_cut
    }

    /// A call from beginning to end; dropping `answer` means that the caller hears nothing.
    async fn carry(
        self: Arc<Self>,
        caller: Caller,
        to: u64,
        body: Bytes,
        way: Way,
        answer: oneshot::Sender<Result<PeerAnswer, TransportError>>,
    ) {
        let (from, link) = (caller.node, (caller.node, to));
        if !self.travel(link, way).await {
            return;
        }
        let host = self.inner.lock().hosts.get(&to).cloned();
        let result = match host {
            None => Err(TransportError::NotSent),
            // A machine that dies meanwhile answers nothing.
            Some(host) => match host.machine.spawn(host.host.answer(caller, body)).await {
                Ok(Some(body)) => Ok(PeerAnswer { incarnation: host.machine.incarnation(), body }),
                Ok(None) | Err(_) => return,
            },
        };
        let back = (to, from);
        let way = self.send(back, result.as_ref().map_or(&[], |answer| &answer.body));
        if self.travel(back, way).await {
            // The caller may have given up.
            let _ = answer.send(result);
        }
    }
}

impl Inner {
    /// FNV-1a over eight bytes at a time: quick, and equal for equal runs, which is all that is asked of it.
    fn record(&mut self, (from, to): Link, body: &[u8], delay: Duration) {
        self.messages += 1;
        let head = [elapsed().as_nanos() as u64, from << 32 | to, delay.as_nanos() as u64, body.len() as u64];
        let words = body.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        });
        for word in head.into_iter().chain(words) {
            self.trace = (self.trace ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17);
        }
    }
}

/// Bytes by which calls are told apart: format, kind and group of a message of Raft's, which is none of others'.
const HEAD: usize = 3;

/// A call that is under way until this is dropped.
struct UnderWay<'a> {
    /// Where it is counted.
    network: &'a SimNetwork,
    /// Which message.
    key: (Link, Lane, Bytes),
}

impl<'a> UnderWay<'a> {
    fn begin(network: &'a SimNetwork, key: (Link, Lane, Bytes)) -> UnderWay<'a> {
        let mut inner = network.inner.lock();
        let count = inner.under_way.entry(key.clone()).or_default();
        *count += 1;
        let count = *count;
        if key.1 == Lane::Data {
            inner.at_once_max = inner.at_once_max.max(count);
        }
        UnderWay { network, key }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut inner = self.network.inner.lock();
        if let Some(count) = inner.under_way.get_mut(&self.key) {
            debug_assert!(*count > 0, "a call ends once");
            *count -= 1;
        }
    }
}

/// A machine's plug in the network, or the plug of a machine without any.
#[derive(Clone)]
pub struct SimTransport {
    /// Whose way to the peers this is.
    pub(super) machine: Arc<SimNode>,
    /// `None` for a node that is alone.
    pub(super) network: Option<Arc<SimNetwork>>,
}

impl Transport for SimTransport {
    fn listen(&self, _me: &Identity, host: Arc<dyn PeerHost>) {
        if let Some(network) = &self.network {
            let host = Host { machine: Arc::clone(&self.machine), host };
            network.inner.lock().hosts.insert(self.machine.id(), host);
        }
    }

    async fn call(&self, request: PeerRequest, limit: Duration) -> Result<PeerAnswer, TransportError> {
        let Some(network) = &self.network else { return Err(TransportError::NotSent) };
        let PeerRequest { to, incarnation: means, body, lane, .. } = request;
        let caller = Caller { node: self.machine.id(), incarnation: self.machine.incarnation(), means };
        let way = network.send((caller.node, to), &body);
        let head = body.slice(..HEAD.min(body.len()));
        let _under_way = UnderWay::begin(network, ((caller.node, to), lane, head));
        let (answer, answered) = oneshot::channel();
        // No task of the sending machine: what is sent is sent.
        tokio::spawn(Arc::clone(network).carry(caller, to, body, way, answer));
        let answered = async {
            match answered.await {
                Ok(result) => result,
                Err(_) => std::future::pending().await,
            }
        };
        SimEnv::timeout(limit, answered).await.unwrap_or(Err(TransportError::TimedOut))
    }

    async fn inquire(&self, peer: u64, _address: &str, limit: Duration) -> Result<Introduction, String> {
        let Some(network) = &self.network else { return Err("there is no network".to_owned()) };
        let (me, incarnation) = (self.machine.id(), self.machine.incarnation());
        let asking = async {
            let there = network.send((me, peer), b"who");
            if !network.travel((me, peer), there).await {
                return std::future::pending().await;
            }
            let host = network.inner.lock().hosts.get(&peer).cloned().ok_or("it is off")?;
            let introduction = host.host.introduce(me, incarnation);
            let back = network.send((peer, me), b"me");
            if !network.travel((peer, me), back).await {
                return std::future::pending().await;
            }
            Ok(introduction)
        };
        SimEnv::timeout(limit, asking).await.unwrap_or(Err("it does not answer".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::run;
    use futures::future::BoxFuture;

    use super::*;
    use crate::env::{AgreedSettings, Standing};

    struct Echo(Identity);

    impl PeerHost for Echo {
        fn introduce(&self, _node: u64, _incarnation: u64) -> Introduction {
            Introduction { identity: self.0.clone(), has_data: false, standing: Standing::Member }
        }

        fn answer(&self, _caller: Caller, body: Bytes) -> BoxFuture<'static, Option<Bytes>> {
            Box::pin(async move { Some(body) })
        }

        fn hear_settings(&self, _node: u64, _settings: &AgreedSettings) {}
    }

    fn echoing(network: &Arc<SimNetwork>, id: u64) -> SimEnv {
        let env = SimEnv::in_network(&SimNode::new(id, 1), network);
        let me = Identity { cluster_id: 1, node_id: id, incarnation: id, shards: 1 };
        env.transport().listen(&me, Arc::new(Echo(me.clone())));
        env
    }

    async fn call(env: &SimEnv, to: u64) -> Result<Bytes, TransportError> {
        let body = Bytes::from_static(b"question");
        let request = PeerRequest { to, incarnation: to, address: String::new(), lane: Lane::Data, body };
        env.transport().call(request, Duration::from_millis(100)).await.map(|answer| answer.body)
    }

    #[test]
    fn a_cut_is_one_way_and_a_machine_that_is_off_refuses() {
        run(5, async {
            let network = SimNetwork::new();
            let (one, two) = (echoing(&network, 1), echoing(&network, 2));
            assert_eq!(call(&one, 2).await.as_deref(), Ok(&b"question"[..]));
            network.cut((2, 1));
            assert_eq!(call(&one, 2).await, Err(TransportError::TimedOut), "the answer is lost");
            assert_eq!(call(&two, 1).await, Err(TransportError::TimedOut), "the question is lost");
            network.heal();
            assert!(call(&two, 1).await.is_ok());
            network.leave(1);
            assert_eq!(call(&two, 1).await, Err(TransportError::NotSent));
        });
    }

    #[test]
    fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
        let trace = |seed| {
            run(seed, async {
                let network = SimNetwork::new();
                let (one, _two) = (echoing(&network, 1), echoing(&network, 2));
                network.set_weather((1, 2), Weather { loss_permille: 300, ..Weather::default() });
                let mut arrived = 0;
                for _ in 0..50 {
                    arrived += u64::from(call(&one, 2).await.is_ok());
                }
                assert!((10..50).contains(&arrived), "{arrived} of 50 arrived");
                network.trace()
            })
        };
        assert_eq!(trace(1), trace(1));
        assert_ne!(trace(1).0, trace(2).0);
    }
}
