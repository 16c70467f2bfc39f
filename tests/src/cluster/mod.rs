//! A cluster of real server processes, clients that write down what they see, and a nemesis that injects faults.
//!
//! ```text
//! clients ──HTTP──▶ node 1 ◀──peers──▶ node 2 ◀──peers──▶ node 3        each a process of `dynamo-server-faults`
//!    │                 ▲                  ▲                  ▲
//!    │                 ╰── cut, pause, kill, clocks, disks ──┴─── nemesis (seeded)
//!    ╰── record ──▶ checker: linearizable per item, serializable per transaction, sums kept
//! ```
//!
//! [`fleet`] starts, kills, pauses and asks the processes; [`client`] speaks HTTP so that every way to fail is told
//! apart; [`workload`] is what clients do; [`record`] keeps and judges what they saw; [`nemesis`] does the harm; [`run`]
//! puts all of it together into one run and its report; [`journal`] makes a table of many of them.
//!
//! There are two kinds of network. On the loopback interface messages are lost by a switch inside the server's transport,
//! which needs no privilege. Where network namespaces can be had ([`host::namespace`]), every node can have one, and packets are
//! dropped between them ([`host::network`]): connections hang, and TCP itself is under test. Where file systems can be mounted,
//! every node can have one of its own, whose power is cut ([`host::power`]): what was written and not synced is lost.
//!
//! A seed decides what the clients ask and what harm is done when; the processes and the machine decide the rest, so
//! a seed does not replay a run to the letter (the simulation of `dynamo-server` does that). What a run finds is
//! in its record all the same.

pub mod client;
pub mod fleet;
pub mod host;
pub mod journal;
pub mod nemesis;
pub mod record;
pub mod rng;
pub mod run;
pub mod workload;
