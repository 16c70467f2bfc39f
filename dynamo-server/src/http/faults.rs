//! `POST /faults`: a script of faults for this process. Only under the feature `fault-injection`.

use http::{HeaderMap, StatusCode};
use hyper::body::Incoming;

use super::body;
use super::budget::BodyBudget;
use super::respond::{Reply, plain};
use crate::env::Env;
use crate::faults;
use crate::node::Node;

/// Obeys the script in the body.
pub(super) async fn answer<E: Env>(node: &Node<E>, headers: &HeaderMap, body: Incoming, budget: &BodyBudget) -> Reply {
    let Ok(script) = body::read::<E>(headers, body, budget).await else {
        return refused("the script could not be read");
    };
    let orders = match faults::script(&String::from_utf8_lossy(&script)) {
        Ok(orders) => orders,
        Err(error) => return refused(error),
    };
    match faults::obey(node, &orders).await {
        Ok(()) => plain(StatusCode::OK, "text/plain", "done\n"),
        Err(error) => refused(error),
    }
}

fn refused(reason: impl std::fmt::Display) -> Reply {
    plain(StatusCode::BAD_REQUEST, "text/plain", format!("{reason}\n"))
}
