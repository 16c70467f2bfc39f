//! What a test says to a server that it torments, and who does it.
//!
//! Only in programs that are built with the feature `fault-injection`: the binary `dynamo-server-faults`. It takes a script
//! with `--faults` before it starts, and at any time as the body of `POST /faults`. One order a line, or several with
//! semicolons between them:
//!
//! | order | effect |
//! |---|---|
//! | `cut 2`, `cut to 2`, `cut from 2` | messages between this node and node 2 are lost, both ways or one way |
//! | `delay to 2 150`, `delay from 2 150` | messages take 150 ms longer |
//! | `cut entries to 2` | log entries to node 2 are lost, heartbeats and votes are not |
//! | `mend network` | no more of that |
//! | `clock rate 400` | the clock of leases runs at 400 thousandths of its rate |
//! | `clock jump 5000` | the clock of leases jumps 5 s ahead |
//! | `clock wall -60000` | the wall clock goes back by a minute |
//! | `mend clocks` | right rates, right wall time |
//! | `disk slow 300` | a synced write takes at least 300 ms |
//! | `disk reads 60000` | a read that is given to the pool for the disk takes at least a minute |
//! | `disk free 0` | the disk says that it is full |
//! | `disk log 1000` | the log is shortened when it has more than 1,000 bytes |
//! | `poison 4711` | applying an entry that contains these digits panics; 0 for none |
//! | `mend disk` | no more of that |
//! | `break hold-down` | a rule of lease safety is broken: see [`Rule`]; of two, the later one |
//! | `keep rules` | all of them are kept again |
//! | `stand 0` | this node stands for election in shard 0 at once |
//! | `transfer 0 2` | this node, leading shard 0, hands it to node 2 |

use std::str::{FromStr, SplitWhitespace};
use std::time::Duration;

use crate::env::Env;
use crate::env::faults::{Fault, inject};
use crate::node::Node;
use crate::raft::rules::{Rule, break_rule_everywhere};

/// One line of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The world lies from now on.
    Inject(Fault),
    /// A rule is broken; `None` keeps all of them.
    Break(Option<Rule>),
    /// This node stands for election.
    Stand {
        /// In this shard.
        shard: u32,
    },
    /// This node hands over the leadership.
    Transfer {
        /// Of this shard.
        shard: u32,
        /// To this node.
        to: u64,
    },
}

/// A line that is no order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no order")]
pub struct NoOrder(pub String);

/// Why an order was not obeyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disobeyed {
    /// It is for a running node.
    #[error("there is no node yet to do that")]
    NoNode,
    /// The node has no such shard, or has stopped.
    #[error("shard {0} does not do that")]
    Shard(u32),
}

/// The orders of a script.
///
/// # Errors
/// The first line that is none.
pub fn script(text: &str) -> Result<Vec<Order>, NoOrder> {
    let lines = text.split(['\n', ';']).map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| orders(line).ok_or_else(|| NoOrder(line.to_owned())))
        .collect::<Result<Vec<_>, _>>()
        .map(|orders| orders.into_iter().flatten().collect())
}

/// Does what a script says before there is a node.
///
/// # Errors
/// [`Disobeyed::NoNode`] for orders that only a node can obey.
pub fn obey_at_start(orders: &[Order]) -> Result<(), Disobeyed> {
    for order in orders {
        match *order {
            Order::Inject(fault) => inject(fault),
            Order::Break(rule) => break_rule_everywhere(rule),
            Order::Stand { .. } | Order::Transfer { .. } => return Err(Disobeyed::NoNode),
        }
    }
    Ok(())
}

/// Does what a script says to a running node.
///
/// # Errors
/// The first order that could not be obeyed; those before it were.
pub async fn obey<E: Env>(node: &Node<E>, orders: &[Order]) -> Result<(), Disobeyed> {
    for order in orders {
        match *order {
            Order::Stand { shard } => {
                let group = node.group(shard).ok_or(Disobeyed::Shard(shard))?;
                group.stand().await.map_err(|_| Disobeyed::Shard(shard))?;
            }
            Order::Transfer { shard, to } => {
                let group = node.group(shard).ok_or(Disobeyed::Shard(shard))?;
                // Who cannot be elected would never take over, and the leader would wait for it.
                if !group.members().voters.contains_key(&to) {
                    return Err(Disobeyed::Shard(shard));
                }
                group.transfer(to).await.map_err(|_| Disobeyed::Shard(shard))?;
            }
            Order::Inject(_) | Order::Break(_) => obey_at_start(&[*order])?,
        }
    }
    Ok(())
}

/// The orders of one line: two for a cut both ways.
fn orders(line: &str) -> Option<Vec<Order>> {
    let mut words = line.split_whitespace();
    let first = (words.next()?, words.next()?);
    let orders = match first {
        ("cut", "to") => vec![Order::Inject(Fault::CutTo(number(&mut words)?))],
        ("cut", "from") => vec![Order::Inject(Fault::CutFrom(number(&mut words)?))],
        ("cut", "entries") if words.next()? == "to" => vec![Order::Inject(Fault::CutEntriesTo(number(&mut words)?))],
        ("cut", peer) => {
            let peer = peer.parse().ok()?;
            vec![Order::Inject(Fault::CutTo(peer)), Order::Inject(Fault::CutFrom(peer))]
        }
        ("delay", "to") => vec![Order::Inject(Fault::DelayTo(number(&mut words)?, millis(&mut words)?))],
        ("delay", "from") => vec![Order::Inject(Fault::DelayFrom(number(&mut words)?, millis(&mut words)?))],
        ("mend", "network") => vec![Order::Inject(Fault::MendNetwork)],
        ("clock", "rate") => vec![Order::Inject(Fault::BootClockRate(number(&mut words)?))],
        ("clock", "jump") => vec![Order::Inject(Fault::BootClockJump(millis(&mut words)?))],
        ("clock", "wall") => vec![Order::Inject(Fault::WallClockJump(number(&mut words)?))],
        ("mend", "clocks") => vec![Order::Inject(Fault::MendClocks)],
        ("disk", "slow") => vec![Order::Inject(Fault::SlowDisk(millis(&mut words)?))],
        ("disk", "reads") => vec![Order::Inject(Fault::SlowReads(millis(&mut words)?))],
        ("disk", "free") => vec![Order::Inject(Fault::FreeBytes(number(&mut words)?))],
        ("disk", "log") => vec![Order::Inject(Fault::LogBytes(number(&mut words)?))],
        ("poison", number) => vec![Order::Inject(Fault::Poison(number.parse().ok()?))],
        ("mend", "disk") => vec![Order::Inject(Fault::MendDisk)],
        ("break", rule) => vec![Order::Break(Some(rule_named(rule)?))],
        ("keep", "rules") => vec![Order::Break(None)],
        ("stand", shard) => vec![Order::Stand { shard: shard.parse().ok()? }],
        ("transfer", shard) => vec![Order::Transfer { shard: shard.parse().ok()?, to: number(&mut words)? }],
        _ => return None,
    };
    words.next().is_none().then_some(orders)
}

fn number<T: FromStr>(words: &mut SplitWhitespace<'_>) -> Option<T> {
    words.next()?.parse().ok()
}

fn millis(words: &mut SplitWhitespace<'_>) -> Option<Duration> {
    number(words).map(Duration::from_millis)
}

fn rule_named(name: &str) -> Option<Rule> {
    match name {
        "anchor-at-send" => Some(Rule::AnchorAtSend),
        "own-term-gate" => Some(Rule::OwnTermGate),
        "transfer-revokes" => Some(Rule::TransferRevokes),
        "hold-down" => Some(Rule::HoldDown),
        "grantor-promises" => Some(Rule::GrantorPromises),
        "promise-outlasts-belief" => Some(Rule::PromiseOutlastsBelief),
        "every-membership" => Some(Rule::EveryMembership),
        "hold-down-for-the-promise-before" => Some(Rule::HoldDownForThePromiseBefore),
        "count-what-was-promised" => Some(Rule::CountWhatWasPromised),
        "ask-oneself" => Some(Rule::AskOneself),
        "known-age" => Some(Rule::KnownAge),
        "most-clocks-are-right" => Some(Rule::MostClocksAreRight),
        "incarnations" => Some(Rule::Incarnations),
        "view-after-lease" => Some(Rule::ViewAfterLease),
        "wait-for-room" => Some(Rule::WaitForRoom),
        "poison-stops" => Some(Rule::PoisonStops),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_lines_of_orders() {
        let orders = script("cut 2; delay to 3 150\nbreak hold-down\n\nclock wall -60000\ntransfer 4 1").unwrap();
        assert_eq!(
            orders,
            [
                Order::Inject(Fault::CutTo(2)),
                Order::Inject(Fault::CutFrom(2)),
                Order::Inject(Fault::DelayTo(3, Duration::from_millis(150))),
                Order::Break(Some(Rule::HoldDown)),
                Order::Inject(Fault::WallClockJump(-60_000)),
                Order::Transfer { shard: 4, to: 1 },
            ]
        );
        assert_eq!(script("").unwrap(), []);
    }

    #[test]
    fn what_is_no_order_is_refused() {
        for line in ["cut", "cut two", "cut to", "break everything", "disk", "stand 1 2", "delay to 3", "mend"] {
            assert_eq!(script(&format!("cut 1\n{line}")), Err(NoOrder(line.to_owned())));
        }
    }

    #[test]
    fn only_a_node_can_stand() {
        assert_eq!(obey_at_start(&script("stand 0").unwrap()), Err(Disobeyed::NoNode));
    }
}
