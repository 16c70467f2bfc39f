//! `POST /faults`: a script of faults for this process. Only under the feature `fault-injection`.

use http::StatusCode;

use super::respond::{Reply, plain};
use crate::env::Env;
use crate::faults;
use crate::node::Node;

/// Executes the script in the body, `None` where there is none.
pub(super) async fn answer<E: Env>(node: &Node<E>, script: Option<&[u8]>) -> Reply {
    let Some(script) = script else {
        return refused("the script could not be read");
    };
    let commands = match faults::script(&String::from_utf8_lossy(script)) {
        Ok(commands) => commands,
        Err(error) => return refused(error),
    };
    match faults::execute(node, &commands).await {
        Ok(()) => plain(StatusCode::OK, "text/plain", "done\n"),
        Err(error) => refused(error),
    }
}

fn refused(reason: impl std::fmt::Display) -> Reply {
    plain(StatusCode::BAD_REQUEST, "text/plain", format!("{reason}\n"))
}
