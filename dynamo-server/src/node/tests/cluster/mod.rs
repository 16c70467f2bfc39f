//! Whole clusters on virtual time.
//!
//! Three machines with disks, clocks and a network driven by a seed; clients that stay with one machine each, also
//! with one that was cut off, and write down what they asked, what they were told and when; a scenario that does harm
//! for a while and then mends everything. Afterwards the history of every key must be linearizable, the cluster must
//! serve again, and all replicas must hold the same bytes.
//!
//! | file | what |
//! |---|---|
//! | `world` | the machines, and what can be done to them |
//! | `clients` | the clients and their history |
//! | `scenarios` | the harm |
//! | `verdict` | one seed from beginning to end, and what is wrong with it |
//! | `green` | with every rule kept no seed finds anything |
//! | `red` | with one rule broken some seed does |
//! | `histories/tables` | tables over several shards while leaders come and go |
//! | `histories/streams` | a stream whose records, replayed, must be the table |
//! | `histories/expiry` | items that expire while leaders come and go and clocks are wrong |
//! | `schedules/lease` | rules that chance breaks too seldom: one schedule each, to the letter, red and green |
//! | `schedules/snapshots` | a snapshot of which one message is lost |
//! | `schedules/installation` | a machine that dies at each step of installing a snapshot |
//! | `schedules/late_disk` | a follower's disk hangs while others commit, then its power is cut |
//! | `schedules/compare` | a replica that differs from the others |
//! | `schedules/damaged` | records of a shard that cannot be read at the start |
//! | `schedules/forwarded` | writes by way of another node, when their time is over |
//! | `schedules/removed_while_joining` | a node that is removed while it waits for its vote |
//! | `schedules/replaced` | a member whose disk is lost, and whose replacement is interrupted |
//! | `schedules/set_clocks` | wall clocks that were all ahead and are set right |
//!
//! The long run, ten million operations, and an hour of injected faults in real processes: `scripts/endure.sh`. One seed: see the message of a failure.
//!
//! Torn ends of logs are in every scenario that cuts the power: what was not synced reaches the disk in part, by sectors and
//! bytes as the seed says (`raft_log::MemoryDisk::crash`).

mod basics;
mod clients;
mod green;
mod histories;
mod red;
mod scenarios;
mod schedules;
mod verdict;
mod world;
