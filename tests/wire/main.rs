//! Raw HTTP against a server in this process: the envelope, errors to the letter, limits, and what a request may cost.

mod budget;
mod envelope;
mod limits;
mod overload;
mod script;
mod stalled;

use dynamo_server::Server;
use tests::raw::Connection;

/// A server of its own, and a connection to it.
async fn server() -> (Server, Connection) {
    let server = Server::in_memory().await.expect("it starts");
    let connection = Connection::open(server.address()).await;
    (server, connection)
}
