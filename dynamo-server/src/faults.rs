//! The script language in which a test injects faults into a server, and its interpreter.
//!
//! Only in programs that are built with the feature `fault-injection`: the binary `dynamo-server-faults`. It takes a script
//! with `--faults` before it starts, and at any time as the body of `POST /faults`. One command a line, or several with
//! semicolons between them:
//!
//! | command | effect |
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
//! | `break hold-off` | a rule of lease safety is broken: see [`Rule`]; of two, the later one |
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
pub enum Command {
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

/// A line that is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no command")]
pub struct UnknownCommand(pub String);

/// Why a command was not executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// It is for a running node.
    #[error("there is no node yet to do that")]
    NoNode,
    /// The node has no such shard, or has stopped.
    #[error("shard {0} does not do that")]
    Shard(u32),
}

/// The commands of a script.
///
/// # Errors
/// The first line that is none.
pub fn script(text: &str) -> Result<Vec<Command>, UnknownCommand> {
    let lines = text.split(['\n', ';']).map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| commands(line).ok_or_else(|| UnknownCommand(line.to_owned())))
        .collect::<Result<Vec<_>, _>>()
        .map(|commands| commands.into_iter().flatten().collect())
}

/// Does what a script says before there is a node.
///
/// # Errors
/// [`Failed::NoNode`] for commands that only a node can execute.
pub fn execute_at_start(commands: &[Command]) -> Result<(), Failed> {
    for command in commands {
        match *command {
            Command::Inject(fault) => inject(fault),
            Command::Break(rule) => break_rule_everywhere(rule),
            Command::Stand { .. } | Command::Transfer { .. } => return Err(Failed::NoNode),
        }
    }
    Ok(())
}

/// Does what a script says to a running node.
///
/// # Errors
/// The first command that could not be executed; those before it were.
pub async fn execute<E: Env>(node: &Node<E>, commands: &[Command]) -> Result<(), Failed> {
    for command in commands {
        match *command {
            Command::Stand { shard } => {
                let group = node.group(shard).ok_or(Failed::Shard(shard))?;
                group.stand().await.map_err(|_| Failed::Shard(shard))?;
            }
            Command::Transfer { shard, to } => {
                let group = node.group(shard).ok_or(Failed::Shard(shard))?;
                // Who cannot be elected would never take over, and the leader would wait for it.
                if !group.members().voters.contains_key(&to) {
                    return Err(Failed::Shard(shard));
                }
                group.transfer(to).await.map_err(|_| Failed::Shard(shard))?;
            }
            Command::Inject(_) | Command::Break(_) => execute_at_start(&[*command])?,
        }
    }
    Ok(())
}

/// The commands of one line: two for a cut both ways.
fn commands(line: &str) -> Option<Vec<Command>> {
    let mut words = line.split_whitespace();
    let first = (words.next()?, words.next()?);
    let commands = match first {
        ("cut", "to") => vec![Command::Inject(Fault::CutTo(number(&mut words)?))],
        ("cut", "from") => vec![Command::Inject(Fault::CutFrom(number(&mut words)?))],
        ("cut", "entries") if words.next()? == "to" => vec![Command::Inject(Fault::CutEntriesTo(number(&mut words)?))],
        ("cut", peer) => {
            let peer = peer.parse().ok()?;
            vec![Command::Inject(Fault::CutTo(peer)), Command::Inject(Fault::CutFrom(peer))]
        }
        ("delay", "to") => vec![Command::Inject(Fault::DelayTo(number(&mut words)?, millis(&mut words)?))],
        ("delay", "from") => vec![Command::Inject(Fault::DelayFrom(number(&mut words)?, millis(&mut words)?))],
        ("mend", "network") => vec![Command::Inject(Fault::MendNetwork)],
        ("clock", "rate") => vec![Command::Inject(Fault::BootClockRate(number(&mut words)?))],
        ("clock", "jump") => vec![Command::Inject(Fault::BootClockJump(millis(&mut words)?))],
        ("clock", "wall") => vec![Command::Inject(Fault::WallClockJump(number(&mut words)?))],
        ("mend", "clocks") => vec![Command::Inject(Fault::MendClocks)],
        ("disk", "slow") => vec![Command::Inject(Fault::SlowDisk(millis(&mut words)?))],
        ("disk", "reads") => vec![Command::Inject(Fault::SlowReads(millis(&mut words)?))],
        ("disk", "free") => vec![Command::Inject(Fault::FreeBytes(number(&mut words)?))],
        ("disk", "log") => vec![Command::Inject(Fault::LogBytes(number(&mut words)?))],
        ("poison", number) => vec![Command::Inject(Fault::Poison(number.parse().ok()?))],
        ("mend", "disk") => vec![Command::Inject(Fault::MendDisk)],
        ("break", rule) => vec![Command::Break(Some(rule_named(rule)?))],
        ("keep", "rules") => vec![Command::Break(None)],
        ("stand", shard) => vec![Command::Stand { shard: shard.parse().ok()? }],
        ("transfer", shard) => vec![Command::Transfer { shard: shard.parse().ok()?, to: number(&mut words)? }],
        _ => return None,
    };
    words.next().is_none().then_some(commands)
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
        "hold-off" => Some(Rule::HoldOff),
        "grantor-promises" => Some(Rule::GrantorPromises),
        "promise-outlasts-validity" => Some(Rule::PromiseOutlastsValidity),
        "every-membership" => Some(Rule::EveryMembership),
        "hold-off-for-the-promise-before" => Some(Rule::HoldOffForThePromiseBefore),
        "count-what-was-promised" => Some(Rule::CountWhatWasPromised),
        "ask-oneself" => Some(Rule::AskOneself),
        "known-age" => Some(Rule::KnownAge),
        "most-clocks-are-right" => Some(Rule::MostClocksAreRight),
        "slow-leaders-catch-up" => Some(Rule::SlowLeadersCatchUp),
        "incarnations" => Some(Rule::Incarnations),
        "view-after-lease" => Some(Rule::ViewAfterLease),
        "wait-for-room" => Some(Rule::WaitForRoom),
        "sync-first" => Some(Rule::SyncFirst),
        "quorum-is-heard" => Some(Rule::QuorumIsHeard),
        "poison-stops" => Some(Rule::PoisonStops),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_lines_of_commands() {
        let commands = script("cut 2; delay to 3 150\nbreak hold-off\n\nclock wall -60000\ntransfer 4 1").unwrap();
        assert_eq!(
            commands,
            [
                Command::Inject(Fault::CutTo(2)),
                Command::Inject(Fault::CutFrom(2)),
                Command::Inject(Fault::DelayTo(3, Duration::from_millis(150))),
                Command::Break(Some(Rule::HoldOff)),
                Command::Inject(Fault::WallClockJump(-60_000)),
                Command::Transfer { shard: 4, to: 1 },
            ]
        );
        assert_eq!(script("").unwrap(), []);
    }

    #[test]
    fn unknown_commands_are_refused() {
        for line in ["cut", "cut two", "cut to", "break everything", "disk", "stand 1 2", "delay to 3", "mend"] {
            assert_eq!(script(&format!("cut 1\n{line}")), Err(UnknownCommand(line.to_owned())));
        }
    }

    #[test]
    fn only_a_node_can_stand() {
        assert_eq!(execute_at_start(&script("stand 0").unwrap()), Err(Failed::NoNode));
    }
}
