//! The pages below `/cluster/`: the status of the cluster for anybody, changes of it for its operator.
//!
//! | page | parameters |
//! |---|---|
//! | `GET /cluster/status` | |
//! | `POST /cluster/add` | `node`, `address` |
//! | `POST /cluster/replace` | `node`, `address` |
//! | `POST /cluster/promote` | `node` |
//! | `POST /cluster/remove` | `node`, `force=true` |
//! | `POST /cluster/transfer` | `shard` (a number or `all`), `to` |
//!
//! Every page takes `format=text` instead of JSON, and changes take `timeout-ms`. Parameters stand in the query, as they
//! are: none of them needs escaping.
//!
//! Requests to the API are not authenticated (any credentials do), so neither could an operator's be. What an operator
//! has and a client in general has not is a login on the machine: changes are taken from the loopback interface only,
//! unless configured otherwise ([`AdminFrom`]). A browser is on that machine, too, and would carry the wish of any page
//! that it shows; so whatever a browser sends (it names the page's origin) is refused, and no page of these answers
//! cross-origin requests. A proxy on the machine would lend its place to everybody, so what a proxy passes on is refused as
//! well: it says so in one of many headers ([`is_passed_on`]), or leaves the `Host` by which its own client called.

use std::net::IpAddr;
use std::time::Duration;

use dynamo_protocol::json::JsonWriter;
use http::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};

use super::hosts::is_loopback_host;
use super::respond::{Reply, plain};
use crate::cluster::{ClusterChange, ClusterChangeError};
use crate::config::AdminFrom;
use crate::env::Env;
use crate::node::Node;
use crate::shard::Deadline;

/// What all these pages begin with.
pub const PREFIX: &str = "/cluster/";

/// Time for a change that names none: a joint membership on each of many shards, and a node that catches up.
const CHANGE_DEFAULT: Duration = Duration::from_secs(60);

/// Time for a change at most.
const CHANGE_MAX: Duration = Duration::from_secs(3_600);

/// Headers by which proxies say that they are one, or for whom they ask, beside those that begin with [`FORWARDED_PREFIX`].
const OF_PROXIES: [&str; 13] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-host",
    "x-original-forwarded-for",
    "x-envoy-external-address",
    "x-azure-clientip",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "proxy-connection",
];
const FORWARDED_PREFIX: &str = "x-forwarded";

/// The answer to a request from `client` for a page below [`PREFIX`].
pub async fn answer<E: Env>(node: &Node<E>, admin_from: AdminFrom, client: IpAddr, head: &Parts) -> Reply {
    let page = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let query = Query(head.uri.query().unwrap_or_default());
    match (&head.method, page) {
        (&Method::GET | &Method::HEAD, "status") => {
            let status = node.cluster().gather_status().await;
            match query.is_text() {
                true => plain(StatusCode::OK, "text/plain", format!("{status}\n")),
                false => plain(StatusCode::OK, "application/json", status.to_json()),
            }
        }
        (&Method::POST, "add" | "replace" | "promote" | "remove" | "transfer") => {
            if let Err(reason) = may_change(admin_from, client, head) {
                return told(&query, StatusCode::FORBIDDEN, reason);
            }
            match change_of(page, &query) {
                Ok(change) => make(node, &change, &query).await,
                Err(reason) => told(&query, StatusCode::BAD_REQUEST, &reason),
            }
        }
        (_, "status" | "add" | "replace" | "promote" | "remove" | "transfer") => {
            told(&query, StatusCode::METHOD_NOT_ALLOWED, "status is read with GET, changes are made with POST")
        }
        _ => told(
            &query,
            StatusCode::NOT_FOUND,
            "there is no such page; see status, add, replace, promote, remove, transfer",
        ),
    }
}

async fn make<E: Env>(node: &Node<E>, change: &ClusterChange, query: &Query<'_>) -> Reply {
    let time = query.get("timeout-ms").and_then(|text| text.parse().ok()).map_or(CHANGE_DEFAULT, Duration::from_millis);
    let deadline = Deadline::after::<E>(time.min(CHANGE_MAX));
    tracing::info!(?change, "the cluster is to change");
    match node.cluster().change(change, deadline).await {
        Ok(done) => told(query, StatusCode::OK, &done),
        Err(error @ ClusterChangeError::Refused(_)) => told(query, StatusCode::CONFLICT, &error.to_string()),
        Err(error @ ClusterChangeError::Unfinished(_)) => {
            told(query, StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
        }
    }
}

/// Whether this request may change the cluster.
fn may_change(admin_from: AdminFrom, client: IpAddr, head: &Parts) -> Result<(), &'static str> {
    if head.headers.contains_key(ORIGIN) {
        return Err("the cluster is not changed from a browser");
    }
    if admin_from == AdminFrom::Any {
        return Ok(());
    }
    if !client.to_canonical().is_loopback() {
        return Err(
            "this came from another machine: the cluster is changed over loopback, by a command on the node's own \
             machine, unless the node runs with --admin-from any",
        );
    }
    if is_passed_on(&head.headers) {
        return Err("the cluster is not changed through a proxy, unless the node runs with --admin-from any");
    }
    Ok(())
}

/// Whether a request comes from somebody else than who has sent it.
fn is_passed_on(headers: &HeaderMap) -> bool {
    let is_of_proxy =
        |name: &HeaderName| OF_PROXIES.contains(&name.as_str()) || name.as_str().starts_with(FORWARDED_PREFIX);
    // Who asks on the machine itself asks for the machine itself.
    let is_local = |host: &HeaderValue| host.to_str().is_ok_and(is_loopback_host);
    headers.keys().any(is_of_proxy) || !headers.get(HOST).is_none_or(is_local)
}

fn change_of(page: &str, query: &Query<'_>) -> Result<ClusterChange, String> {
    Ok(match page {
        "add" => ClusterChange::Add { node: query.node()?, address: query.address()?, incarnation: None },
        "replace" => {
            let address = query.get("address").map(|_| query.address()).transpose()?;
            ClusterChange::Replace { node: query.node()?, address }
        }
        "promote" => ClusterChange::Promote { node: query.node()? },
        "remove" => ClusterChange::Remove { node: query.node()?, force: query.get("force") == Some("true") },
        _ => {
            let shard = match query.get("shard") {
                Some("all") => None,
                _ => Some(u32::try_from(query.number("shard")?).map_err(|_| "shard is too large")?),
            };
            ClusterChange::Transfer { shard, to: query.number("to")? }
        }
    })
}

/// The parameters behind the question mark.
pub(super) struct Query<'a>(pub(super) &'a str);

impl<'a> Query<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.split('&').filter_map(|part| part.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn is_text(&self) -> bool {
        self.get("format") == Some("text")
    }

    fn number(&self, name: &str) -> Result<u64, String> {
        let text = self.get(name).ok_or_else(|| format!("the parameter {name} is missing"))?;
        text.parse().map_err(|_| format!("{name}={text} is not a number"))
    }

    fn node(&self) -> Result<u64, String> {
        match self.number("node")? {
            0 => Err("node numbers begin at 1".to_owned()),
            node => Ok(node),
        }
    }

    fn address(&self) -> Result<String, String> {
        let address = self.get("address").ok_or("the parameter address is missing")?;
        crate::config::check_peer_address("address", address).map_err(|error| error.to_string())?;
        Ok(address.to_owned())
    }
}

/// A sentence, as text or in JSON.
fn told(query: &Query<'_>, status: StatusCode, message: &str) -> Reply {
    if query.is_text() {
        return plain(status, "text/plain", format!("{message}\n"));
    }
    let mut out = Vec::new();
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("done").bool(status == StatusCode::OK).key("message").str(message).end_object();
    plain(status, "application/json", out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri("/cluster/remove");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_this_machine_changes_the_cluster_unless_configured_and_never_a_browser() {
        let local: IpAddr = "127.0.0.1".parse().unwrap();
        let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        let remote: IpAddr = "192.0.2.1".parse().unwrap();
        let (plain, browser) = (head(&[]), head(&[("origin", "http://localhost")]));
        let proxied = head(&[("x-forwarded-for", "192.0.2.1")]);
        let may = |from, client, head: &Parts| may_change(from, client, head).is_ok();
        assert!(may(AdminFrom::Loopback, local, &plain) && may(AdminFrom::Loopback, mapped, &plain));
        assert!(!may(AdminFrom::Loopback, remote, &plain) && !may(AdminFrom::Loopback, local, &proxied));
        assert!(may(AdminFrom::Any, remote, &plain) && may(AdminFrom::Any, remote, &proxied));
        assert!(!may(AdminFrom::Loopback, local, &browser) && !may(AdminFrom::Any, remote, &browser));
    }

    #[test]
    fn proxied_requests_do_not_count_as_local() {
        let local: IpAddr = "127.0.0.1".parse().unwrap();
        let may = |headers: &[(&str, &str)]| may_change(AdminFrom::Loopback, local, &head(headers)).is_ok();
        for (name, value) in [
            ("Via", "1.1 proxy"),
            ("X-Real-IP", "192.0.2.1"),
            ("Forwarded", "for=192.0.2.1"),
            ("X-Forwarded-For", ""),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "db.example"),
            ("CF-Connecting-IP", "192.0.2.1"),
            ("Host", "db.example"),
            ("Host", "10.0.0.1:8000"),
        ] {
            assert!(!may(&[(name, value)]), "{name}: {value}");
        }
        for host in ["localhost:8000", "127.0.0.1", "127.0.0.2:8000", "[::1]:8000"] {
            assert!(may(&[("Host", host)]), "{host}");
        }
    }

    #[test]
    fn parameters_are_read_or_missed_by_name() {
        let add = change_of("add", &Query("format=text&node=4&address=h:7004"));
        assert_eq!(add, Ok(ClusterChange::Add { node: 4, address: "h:7004".to_owned(), incarnation: None }));
        assert!(change_of("add", &Query("node=0&address=h:7004")).unwrap_err().contains("begin at 1"));
        let replace = change_of("replace", &Query("node=2"));
        assert_eq!(replace, Ok(ClusterChange::Replace { node: 2, address: None }));
        let all = change_of("transfer", &Query("shard=all&to=2"));
        assert_eq!(all, Ok(ClusterChange::Transfer { shard: None, to: 2 }));
        let one = change_of("transfer", &Query("shard=3&to=2"));
        assert_eq!(one, Ok(ClusterChange::Transfer { shard: Some(3), to: 2 }));
        let forced = change_of("remove", &Query("node=3&force=true"));
        assert_eq!(forced, Ok(ClusterChange::Remove { node: 3, force: true }));
        for (page, query, said) in [
            ("add", "node=4", "address is missing"),
            ("add", "node=4&address=h", "HOST:PORT"),
            ("promote", "", "node is missing"),
            ("remove", "node=x", "not a number"),
            ("transfer", "shard=99999999999&to=1", "too large"),
        ] {
            let reason = change_of(page, &Query(query)).unwrap_err();
            assert!(reason.contains(said), "{page}?{query}: {reason}");
        }
    }
}
