//! How many connections there may be, and what becomes of those that come on top.
//!
//! While all places for clients are taken, somebody must still be able to ask how the node is, and to change its cluster.
//! So a few more connections are let in, as *guests*: a guest is shown the pages for operators and monitoring, one of
//! them, and has its connection closed; a request to the API is throttled. Guests who keep silent make room for the
//! next one, so that nobody can fill these places by waiting in them.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::ending::Progress;
use crate::fnv::hash_128;

/// Connections of clients, unless the operator says otherwise.
pub const CONNECTIONS_DEFAULT: usize = 10_000;

/// Connections beyond those, at the most.
pub const CONNECTIONS_RESERVED_MAX: usize = 64;

/// How long a guest may take to say what it wants.
pub const GUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How many connections a server has at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Those of clients.
    pub clients: usize,
    /// Those that come when there are so many already: for the pages of operators and monitoring.
    pub reserved: usize,
}

impl Default for ConnectionLimits {
    fn default() -> ConnectionLimits {
        ConnectionLimits { clients: CONNECTIONS_DEFAULT, reserved: CONNECTIONS_RESERVED_MAX }
    }
}

/// Who is at the other end of a connection.
#[derive(Debug)]
pub struct Caller {
    /// Where it comes from.
    pub address: IpAddr,
    /// For one that came when there was no place for clients.
    guest: Option<Arc<Guest>>,
    /// The client that it is one of the connections of: a hash of its address and access key.
    client: Arc<AtomicU64>,
    /// Whether the access key is in that hash.
    has_key: AtomicBool,
    /// How far its request has got.
    pub(in crate::http) progress: Progress,
}

impl Caller {
    /// A client of the usual kind.
    pub fn client(address: IpAddr) -> Caller {
        let client = Arc::new(AtomicU64::new(client_of(address, "")));
        Caller { address, guest: None, client, has_key: AtomicBool::new(false), progress: Progress::default() }
    }

    /// The client that it belongs to, by a number that changes once, with the first request.
    pub(super) fn account(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.client)
    }

    /// Its first request names an access key; later ones are taken to name the same.
    pub(in crate::http) fn has_access_key<'a>(&self, key: impl FnOnce() -> &'a str) {
        if !self.has_key.load(Ordering::Relaxed) {
            self.has_key.store(true, Ordering::Relaxed);
            self.client.store(client_of(self.address, key()), Ordering::Relaxed);
        }
    }

    /// Whether it came when there was no place for clients.
    pub fn is_guest(&self) -> bool {
        self.guest.is_some()
    }

    /// A request of it has arrived.
    pub(in crate::http) fn asks(&self) {
        if let Some(guest) = &self.guest {
            guest.has_asked.store(true, Ordering::Relaxed);
        }
    }

    /// Resolves when this connection has to make room for another one.
    pub(super) async fn told_to_leave(&self) {
        match &self.guest {
            Some(guest) => guest.leave.notified().await,
            None => std::future::pending().await,
        }
    }
}

fn client_of(address: IpAddr, access_key: &str) -> u64 {
    // The lower half of a hash is one, too.
    hash_128(&format!("{address} {access_key}")) as u64
}

#[derive(Debug, Default)]
struct Guest {
    /// Whether a request has arrived: such a guest is not sent away.
    has_asked: AtomicBool,
    /// Told when another one needs the place.
    leave: Notify,
}

/// The places of a server.
pub(super) struct Places {
    /// Free places of clients.
    clients: Arc<Semaphore>,
    /// Free places of guests.
    reserved: Arc<Semaphore>,
    /// In the order of their arrival.
    guests: Vec<Weak<Guest>>,
}

impl Places {
    pub(super) fn new(limits: ConnectionLimits) -> Places {
        Places {
            clients: Arc::new(Semaphore::new(limits.clients)),
            reserved: Arc::new(Semaphore::new(limits.reserved)),
            guests: Vec::new(),
        }
    }

    /// A place for a connection from `address`; waits where even guests have none that could be given away.
    pub(super) async fn take(&mut self, address: IpAddr) -> (OwnedSemaphorePermit, Caller) {
        if let Ok(place) = Arc::clone(&self.clients).try_acquire_owned() {
            return (place, Caller::client(address));
        }
        self.guests.retain(|guest| guest.strong_count() > 0);
        if self.reserved.available_permits() == 0 {
            self.send_away_a_silent_guest();
        }
        let place = tokio::select! {
            place = Arc::clone(&self.reserved).acquire_owned() => place,
            place = Arc::clone(&self.clients).acquire_owned() => {
                return (place.expect("these semaphores are never closed"), Caller::client(address));
            }
        };
        let guest = Arc::<Guest>::default();
        self.guests.push(Arc::downgrade(&guest));
        let caller = Caller { guest: Some(guest), ..Caller::client(address) };
        (place.expect("these semaphores are never closed"), caller)
    }

    fn send_away_a_silent_guest(&mut self) {
        let is_silent =
            |guest: &Weak<Guest>| guest.upgrade().is_some_and(|guest| !guest.has_asked.load(Ordering::Relaxed));
        if let Some(at) = self.guests.iter().position(is_silent)
            && let Some(guest) = self.guests.remove(at).upgrade()
        {
            guest.leave.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures::FutureExt;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn take(places: &mut Places) -> Option<(OwnedSemaphorePermit, Caller)> {
        places.take(HERE).now_or_never()
    }

    #[test]
    fn a_client_is_an_address_and_an_access_key() {
        let client = |address: u8, key: &'static str| {
            let caller = Caller::client(Ipv4Addr::new(127, 0, 0, address).into());
            caller.has_access_key(|| key);
            caller.has_access_key(|| unreachable!("only the first request is looked at"));
            caller.account().load(Ordering::Relaxed)
        };
        assert_eq!(client(1, "a"), client(1, "a"));
        assert_ne!(client(1, "a"), client(1, "b"));
        assert_ne!(client(1, "a"), client(2, "a"));
    }

    #[test]
    fn late_connections_are_guests_and_silent_guests_are_closed() {
        let mut places = Places::new(ConnectionLimits { clients: 1, reserved: 2 });
        let client = take(&mut places).unwrap();
        let [first, second] = [take(&mut places).unwrap(), take(&mut places).unwrap()];
        assert_eq!([client.1.is_guest(), first.1.is_guest(), second.1.is_guest()], [false, true, true]);

        // The one that has asked stays; the other one is told to leave, and its place is the next one's.
        first.1.asks();
        assert!(take(&mut places).is_none());
        assert!(first.1.told_to_leave().now_or_never().is_none());
        assert!(second.1.told_to_leave().now_or_never().is_some());
        drop(second);
        let third = take(&mut places).unwrap();
        assert!(third.1.is_guest());

        drop(client);
        assert!(!take(&mut places).unwrap().1.is_guest(), "a client's place is free again");
    }
}
