//! Raw HTTP against a server in this process: the envelope, errors to the letter, limits, and what a request may cost.

mod budget;
mod envelope;
mod expiry;
mod limits;
mod overload;
mod partiql;
mod protocol;
mod script;
mod stalled;
mod strangers;

use dynamo_server::Server;
use tests::raw::Connection;

/// A server of its own, and a connection to it.
async fn server() -> (Server, Connection) {
    let server = Server::in_memory().await.expect("it starts");
    let connection = Connection::open(server.address()).await;
    (server, connection)
}

/// Creates the table `tbl`, whose key is the text `k`.
async fn create_table(connection: &mut Connection) {
    let table = tests::table_of("tbl", "k");
    assert_eq!(connection.call("CreateTable", table).await.status, 200);
}
