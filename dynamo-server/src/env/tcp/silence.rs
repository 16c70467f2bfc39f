//! How long a connection may be silent: a network that drops packets tells nobody, and neither side of a connection
//! learns from the other that it is of no use any more.
//!
//! Left alone, the kernel sends what was not acknowledged again after 0.2 s, 0.4 s, 0.8 s and so on, for a quarter of an
//! hour. After a cut of half a minute the next attempt may be half a minute away, and everything that was asked meanwhile
//! waits behind it. So a connection on which sent bytes stay unacknowledged for [`SILENCE_MAX`] is given up, and the next
//! one is tried at once and every second (`link`): a network that works again is noticed within about a second, however
//! long it did not. The kernel of a peer that is busy or stands still acknowledges all the same, up to a full window of
//! what it has not read, so slowness alone seldom costs a connection; where it does, callers hear that the peer is
//! unreachable and ask again.
//!
//! The side that has nothing to send would never notice: it asks from time to time whether the other one is there
//! (keepalive), so that connections that the other has given up do not pile up.
//!
//! `TCP_USER_TIMEOUT` is RFC 5482's, as Linux has it. On other systems only the keepalive is set, and what waits for an
//! acknowledgement waits as long as the system lets it.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Sent bytes that stay unacknowledged for so long end the connection: three attempts of the kernel, where a round trip is
/// short.
#[cfg(target_os = "linux")]
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// A connection on which nothing comes is asked after so long, and then this often.
const ASK_AFTER: Duration = Duration::from_secs(2);
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Sets up a connection between two nodes.
///
/// # Errors
/// When it has ended already.
pub(super) fn bound(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(ASK_AFTER).with_interval(ASK_EVERY))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(SILENCE_MAX))?;
    stream.set_nodelay(true)
}
