//! File descriptors: how many this process may have, and who gets them.
//!
//! Every connection and every open file is a descriptor, and the system gives a process only so many: often 1,024, of which
//! more can be had for the asking. A process that runs out can neither accept a connection nor open a table of its store,
//! and a store that cannot write its files ends the node. So the limit is raised as far as the system allows, and what it
//! allows is shared out beforehand ([`Descriptors::share`]): first what the process itself cannot do without, then files
//! and peers, and what is left is how many clients there may be. So it is never a flush that finds none left.

use std::io;

use crate::http::{CONNECTIONS_RESERVED_MAX, ConnectionLimits};

/// The least with which a node can work: some files, some peers, some clients.
pub const DESCRIPTORS_MIN: u64 = 256;

/// Standard streams, signals, listeners, the lock; of both stores their logs, manifests, locks and folders, tables that
/// are being written, files of snapshots.
const OWN: u64 = 64;

/// Of one event loop: its queue of events, its alarm, what it is woken by.
const OF_A_LOOP: u64 = 4;

/// Tables of both stores that are worth keeping open.
const FILES_MAX: u64 = 640;

/// Tables of both stores that a node needs open: RocksDB has no fewer than twenty for each.
const FILES_MIN: u64 = 80;

/// Fewer RocksDB does not have.
const LOG_FILES_MIN: u64 = 20;

/// Connections from peers and to them.
const PEERS_MAX: u64 = 1_152;

/// The same where descriptors are few: a handful of peers, three connections each way.
const PEERS_MIN: u64 = 40;

/// Who gets how many descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// Open tables of the state.
    pub state_files: u64,
    /// Open tables of the log.
    pub log_files: u64,
    /// Connections from peers.
    pub peers: u64,
    /// Connections of clients, and of those that come when there are so many already.
    pub connections: ConnectionLimits,
}

/// Why a process does not start.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "this process may have {limit} open files, and needs at least {DESCRIPTORS_MIN}: raise the limit (`ulimit -n`, \
     LimitNOFILE of systemd, --ulimit nofile of a container)"
)]
pub struct TooFew {
    /// What the system allows.
    pub limit: u64,
}

impl Descriptors {
    /// Shares out `limit` descriptors in a process on so many processors. A member of a cluster has peers. There are to
    /// be `clients` connections if possible.
    ///
    /// # Errors
    /// Where there are fewer than [`DESCRIPTORS_MIN`].
    pub fn share(limit: u64, processors: usize, is_member: bool, clients: usize) -> Result<Descriptors, TooFew> {
        // Loops are as many as processors; on a machine with hundreds of them nobody has a limit of hundreds.
        let own = OWN + (OF_A_LOOP * processors as u64).min(limit / 8);
        let Some(rest) = limit.checked_sub(own).filter(|_| limit >= DESCRIPTORS_MIN) else {
            return Err(TooFew { limit });
        };
        let files = (rest / 4).clamp(FILES_MIN, FILES_MAX);
        let peers = if is_member { (rest / 8).clamp(PEERS_MIN, PEERS_MAX) } else { 0 };
        let reserved = (rest / 16).clamp(1, CONNECTIONS_RESERVED_MAX as u64);
        let left = usize::try_from(rest.saturating_sub(files + peers + reserved)).unwrap_or(usize::MAX);
        let log_files = (files / 5).max(LOG_FILES_MIN);
        Ok(Descriptors {
            state_files: files - log_files,
            log_files,
            // The other half is for connections to them.
            peers: peers / 2,
            connections: ConnectionLimits { clients: clients.min(left).max(1), reserved: reserved as usize },
        })
    }
}

/// How many descriptors this process may have now.
pub fn limit() -> u64 {
    get().map_or(DESCRIPTORS_MIN, |limits| limits.rlim_cur)
}

/// Raises the limit as far as the system allows; afterwards [`limit`] says how far that was. For a process that is a server
/// and nothing else.
#[cfg(feature = "cli")]
pub fn raise() {
    /// More is not asked for. Some systems allow a thousand million, and tools that walk through them all take minutes then.
    const RAISED_MAX: u64 = 1 << 20;
    /// Where more is refused although the system named more: what macOS gives.
    const RAISED_OTHERWISE: u64 = 10_240;
    let Ok(limits) = get() else { return };
    for wanted in [limits.rlim_max.min(RAISED_MAX), limits.rlim_max.min(RAISED_OTHERWISE)] {
        if wanted <= limits.rlim_cur {
            return;
        }
        let raised = libc::rlimit { rlim_cur: wanted, rlim_max: limits.rlim_max };
        // SAFETY: the structure outlives the call, which only reads it.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) } == 0 {
            return;
        }
    }
}

fn get() -> io::Result<libc::rlimit> {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure outlives the call, which fills it in.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limits) } {
        0 => Ok(limits),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(shares: &Descriptors) -> u64 {
        let connections = shares.connections.clients + shares.connections.reserved;
        shares.state_files + shares.log_files + 2 * shares.peers + connections as u64
    }

    #[test]
    fn an_ample_limit_gives_everybody_what_is_wanted() {
        let shares = Descriptors::share(20_000, 2, true, 10_000).unwrap();
        assert_eq!((shares.state_files, shares.log_files, shares.peers), (512, 128, 576));
        let wanted = ConnectionLimits { clients: 10_000, reserved: CONNECTIONS_RESERVED_MAX };
        assert_eq!(shares.connections, wanted);
        assert_eq!(Descriptors::share(u64::MAX, 2, true, 10_000).unwrap(), shares);
    }

    #[test]
    fn a_usual_limit_leaves_most_to_the_clients() {
        let shares = Descriptors::share(1_024, 2, false, 10_000).unwrap();
        assert!((600..700).contains(&shares.connections.clients), "{shares:?}");
    }

    proptest! {
        #[test]
        fn no_more_is_given_away_than_there_is(
            limit in DESCRIPTORS_MIN..100_000, processors in 1..200usize, is_member: bool, clients in 1..50_000usize,
        ) {
            let shares = Descriptors::share(limit, processors, is_member, clients).unwrap();
            prop_assert!(all(&shares) + OWN <= limit, "{:?}", shares);
            prop_assert!(shares.connections.clients <= clients && shares.connections.reserved > 0);
            prop_assert!(shares.state_files > 20 && shares.log_files >= 20);
        }
    }

    #[test]
    fn too_few_are_refused_and_the_system_names_its_limit() {
        assert_eq!(Descriptors::share(255, 2, false, 10), Err(TooFew { limit: 255 }));
        assert!(limit() > 0);
    }
}
