//! How a node is, for load balancers, probes and people.
//!
//! A node is *ready* for something ([`Capability`]) while nothing that it knows of prevents it. What prevents is listed as
//! typed [`Impairment`]s: whoever finds a new kind of trouble adds a variant here, says what it prevents and how it is
//! worded, and it shows on `/health/ready`, in `healthcheck`, in the metrics and among the complaints of the cluster's
//! status. A node that forwards is ready as long as whoever it forwards to is, as far as it can tell.
//!
//! ```text
//!                       reads   writes   catalog
//! stopped, stopping       x       x         x
//! not admitted            x       x         x
//! the log's disk stalls           x         x       while this node leads anything
//! too many reads hang     x
//! no leader / quorum      x       x         x       catalog: of the system group's shard alone
//! a shard stands still here    x       x       catalog: of the system group's shard alone
//! too little room of a shard      x         x       catalog: of the system group's shard alone
//! ```

use std::fmt;
use std::net::SocketAddr;

use dynamo_protocol::json::JsonWriter;

/// What a client may want of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Reads of items, consistent ones included.
    Reads,
    /// Writes of items, those that need room included.
    Writes,
    /// Changes of tables.
    Catalog,
}

impl Capability {
    /// All of them.
    pub const ALL: [Capability; 3] = [Capability::Reads, Capability::Writes, Capability::Catalog];

    /// Its name in queries, flags and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Capability::Reads => "reads",
            Capability::Writes => "writes",
            Capability::Catalog => "catalog",
        }
    }

    /// The one with this name.
    pub fn of(name: &str) -> Option<Capability> {
        Capability::ALL.into_iter().find(|capability| capability.name() == name)
    }
}

/// Something that keeps a node from what it is there for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Impairment {
    /// A fault stopped the node.
    Stopped(String),
    /// It was told to stop.
    Stopping,
    /// It takes no part in its cluster: the cluster is not founded yet, or does not know the node's data.
    NotAdmitted(String),
    /// The members know this node by another address than the one at which it is, so they do not reach it. By itself that
    /// prevents nothing: it is what prevents a leader from being heard.
    Misplaced {
        /// By the membership.
        known: String,
        /// By this node's own flags.
        given: String,
        /// What it has bound.
        listens_at: SocketAddr,
    },
    /// Nobody is known to lead a shard.
    NoLeader {
        /// The shard.
        shard: u32,
    },
    /// Whoever is known to lead a shard was not heard lately, or this node leads it and no quorum answered lately.
    NoQuorum {
        /// The shard.
        shard: u32,
    },
    /// The disk of the log has not answered for so long. By itself that prevents nothing: others may lead, and do soon.
    DiskStalled {
        /// Whole seconds.
        for_s: u64,
        /// Whether this node still leads a shard.
        leads: bool,
    },
    /// Reads wait for the disk whose requests were given up.
    ReadsHang {
        /// How many.
        count: u64,
        /// Whether no more that may need the disk are begun.
        are_too_many: bool,
    },
    /// This node's wall clock is far ahead of most members', or behind. Its time is not believed where it is ahead.
    ClockApart {
        /// Milliseconds; negative where it is behind.
        ahead_ms: i64,
    },
    /// A shard stands still on this node. Others may serve it, which this node cannot tell any more.
    Quarantined {
        /// The shard.
        shard: u32,
        /// At which entry, and why.
        what: String,
    },
    /// Records cannot be read on this node. By itself that prevents nothing: most can, and others may lead the shard.
    Damaged {
        /// The shard; `None` where it is not known.
        shard: Option<u32>,
        /// What the store says.
        what: String,
        /// Whether no other node has a copy.
        is_alone: bool,
    },
    /// The replicas of a shard that this node leads differ.
    ReplicasDiffer {
        /// The shard.
        shard: u32,
        /// Which of them, and in what.
        what: String,
    },
    /// Too little of this node's disk is free. By itself that prevents nothing: others may lead.
    DiskFull,
    /// A shard takes no writes that need room, where it is led or because of a majority of its voters.
    NoRoom {
        /// The shard.
        shard: u32,
    },
}

impl Impairment {
    /// Whether it keeps the node from this.
    pub fn prevents(&self, capability: Capability) -> bool {
        match self {
            Impairment::Stopped(_) | Impairment::Stopping | Impairment::NotAdmitted(_) => true,
            Impairment::NoLeader { shard } | Impairment::NoQuorum { shard } | Impairment::Quarantined { shard, .. } => {
                capability != Capability::Catalog || *shard == SYSTEM_SHARD
            }
            Impairment::DiskStalled { leads, .. } => *leads && capability != Capability::Reads,
            Impairment::ReadsHang { are_too_many, .. } => *are_too_many && capability == Capability::Reads,
            Impairment::DiskFull
            | Impairment::ReplicasDiffer { .. }
            | Impairment::Damaged { .. }
            | Impairment::Misplaced { .. }
            | Impairment::ClockApart { .. } => false,
            Impairment::NoRoom { shard } => match capability {
                Capability::Reads => false,
                Capability::Writes => true,
                Capability::Catalog => *shard == SYSTEM_SHARD,
            },
        }
    }

    /// Whether the cluster's status should complain about it in this node's name. What the status sees for itself, by
    /// putting the nodes' views side by side, is not complained about twice.
    pub fn is_complaint(&self) -> bool {
        match self {
            Impairment::NotAdmitted(_)
            | Impairment::Misplaced { .. }
            | Impairment::DiskStalled { .. }
            | Impairment::ReadsHang { .. }
            | Impairment::ClockApart { .. }
            | Impairment::ReplicasDiffer { .. }
            | Impairment::Damaged { .. }
            | Impairment::Quarantined { .. } => true,
            Impairment::Stopped(_)
            | Impairment::Stopping
            | Impairment::NoLeader { .. }
            | Impairment::NoQuorum { .. }
            | Impairment::DiskFull
            | Impairment::NoRoom { .. } => false,
        }
    }
}

/// What the operator of a node that is alone can do about damage: nobody else has what it lacks.
const REMEDY_ALONE: &str = "No other node has a copy: stop this one and restore its directory from a backup, or, without one, \
                            copy what can be read to a new server, item by item";

/// The shard of the system group, which decides about tables.
const SYSTEM_SHARD: u32 = 0;

impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Impairment::Stopped(reason) => write!(f, "stopped: {reason}"),
            Impairment::Stopping => f.write_str("the node is stopping"),
            Impairment::NotAdmitted(reason) => write!(f, "the node takes no part: {reason}"),
            Impairment::Misplaced { known, given, listens_at } => write!(
                f,
                "the members know this node by {known}, but it was given {given} and listens at {listens_at}: they do not \
                 reach it. Start it with {known} in --peers or as --peer-listen"
            ),
            Impairment::NoLeader { shard } => write!(f, "no leader of shard {shard} is known"),
            Impairment::NoQuorum { shard } => write!(f, "no quorum of shard {shard} was heard lately"),
            Impairment::DiskStalled { for_s, .. } => write!(f, "the disk of the log has not answered for {for_s} s"),
            Impairment::ReadsHang { count, .. } => write!(f, "{count} reads hang at the disk"),
            Impairment::ClockApart { ahead_ms: ahead_ms @ 0.. } => {
                write!(f, "the wall clock is {ahead_ms} ms ahead of most members'")
            }
            Impairment::ClockApart { ahead_ms } => {
                write!(f, "the wall clock is {} ms behind most members'", ahead_ms.unsigned_abs())
            }
            Impairment::Quarantined { shard, what } => write!(f, "shard {shard} stands still at {what}"),
            Impairment::Damaged { shard, what, is_alone } => {
                let whose = shard.map(|shard| format!(" of shard {shard}")).unwrap_or_default();
                let remedy = if *is_alone { REMEDY_ALONE } else { "Replace this node" };
                write!(f, "records{whose} cannot be read here: {what}. {remedy}")
            }
            Impairment::ReplicasDiffer { shard, what } => write!(f, "the replicas of shard {shard} differ {what}"),
            Impairment::DiskFull => f.write_str("the disk is full: too little of it is free"),
            Impairment::NoRoom { shard } => write!(f, "shard {shard} takes no writes that need room"),
        }
    }
}

/// One shard on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardHealth {
    /// Its number.
    pub shard: u32,
    /// The term in which this node leads it, with everything inherited applied.
    pub leading_term: Option<u64>,
    /// The node that leads it, as far as is known.
    pub leader: Option<u64>,
    /// Whether reads are let through by a lease right now.
    pub has_lease: bool,
    /// The index behind the last applied entry.
    pub applied_next: u64,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Everything that keeps it from something.
    pub impairments: Vec<Impairment>,
    /// The shards on this node.
    pub shards: Vec<ShardHealth>,
}

impl Health {
    /// Whether the process does what it should.
    pub fn is_live(&self) -> bool {
        self.stopped().is_none()
    }

    /// The fault that stopped the node.
    pub fn stopped(&self) -> Option<&str> {
        self.impairments.iter().find_map(|impairment| match impairment {
            Impairment::Stopped(reason) => Some(reason.as_str()),
            _ => None,
        })
    }

    /// Whether too little of the disk is free.
    pub fn is_disk_full(&self) -> bool {
        self.impairments.contains(&Impairment::DiskFull)
    }

    /// Whether nothing is known that prevents this.
    pub fn is_ready_for(&self, capability: Capability) -> bool {
        !self.impairments.iter().any(|impairment| impairment.prevents(capability))
    }

    /// Whether the node can do everything.
    pub fn is_ready(&self) -> bool {
        Capability::ALL.into_iter().all(|capability| self.is_ready_for(capability))
    }

    /// What keeps the node from something, and how much more does; `None` where it can do everything.
    pub fn first_hindrance(&self) -> Option<String> {
        let prevents =
            |impairment: &&Impairment| Capability::ALL.iter().any(|capability| impairment.prevents(*capability));
        let mut hindrances = self.impairments.iter().filter(prevents);
        let first = hindrances.next()?;
        Some(match hindrances.count() {
            0 => first.to_string(),
            more => format!("{first} (and {more} more, see /health/ready)"),
        })
    }

    /// For the cluster's status.
    pub(in crate::cluster) fn complaints(&self) -> Vec<String> {
        let complaints = self.impairments.iter().filter(|impairment| impairment.is_complaint());
        complaints.map(Impairment::to_string).collect()
    }

    /// One JSON object: `ready`, `reads`, `writes`, `catalog` as booleans and the `reasons`.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut json = JsonWriter::new(&mut out);
        json.begin_object();
        json.key("ready").bool(self.is_ready());
        for capability in Capability::ALL {
            json.key(capability.name()).bool(self.is_ready_for(capability));
        }
        json.key("reasons").begin_array();
        for impairment in &self.impairments {
            json.begin_object().key("reason").str(&impairment.to_string()).key("prevents").begin_array();
            for capability in Capability::ALL.into_iter().filter(|capability| impairment.prevents(*capability)) {
                json.str(capability.name());
            }
            json.end_array().end_object();
        }
        json.end_array().end_object();
        out
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |is_ready| if is_ready { "ready" } else { "not ready" };
        f.write_str(word(self.is_ready()))?;
        for capability in Capability::ALL {
            write!(f, "\n{}: {}", capability.name(), word(self.is_ready_for(capability)))?;
        }
        for impairment in &self.impairments {
            write!(f, "\n! {impairment}")?;
        }
        for shard in &self.shards {
            write!(f, "\nshard {}: applied {}", shard.shard, shard.applied_next)?;
            match (shard.leading_term, shard.leader) {
                (Some(term), _) => write!(f, ", leads term {term}")?,
                (None, Some(leader)) => write!(f, ", led by node {leader}")?,
                (None, None) => f.write_str(", no leader is known")?,
            }
            f.write_str(if shard.has_lease { ", lease" } else { ", no lease" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(impairments: &[Impairment]) -> Health {
        Health { impairments: impairments.to_vec(), shards: Vec::new() }
    }

    #[test]
    fn impairments_withdraw_capabilities() {
        let stopped = Impairment::Stopped("the disk".to_owned());
        let full = |shard| Impairment::NoRoom { shard };
        let lost = |shard| Impairment::NoQuorum { shard };
        for (impairments, ready) in [
            (vec![], [true, true, true]),
            (vec![Impairment::DiskFull], [true, true, true]),
            (vec![full(0)], [true, false, false]),
            (vec![full(1)], [true, false, true]),
            (vec![lost(0)], [false, false, false]),
            (vec![lost(3)], [false, false, true]),
            (vec![Impairment::NoLeader { shard: 1 }, full(0)], [false, false, false]),
            (vec![Impairment::Quarantined { shard: 2, what: "entry 1-2".to_owned() }], [false, false, true]),
            (vec![Impairment::Stopping], [false, false, false]),
            (vec![Impairment::NotAdmitted("removed".to_owned())], [false, false, false]),
            (vec![stopped], [false, false, false]),
        ] {
            let health = health(&impairments);
            assert_eq!(Capability::ALL.map(|capability| health.is_ready_for(capability)), ready, "{health}");
            assert_eq!(health.is_ready(), ready == [true; 3]);
        }
    }

    #[test]
    fn both_texts_name_each_capability_and_reason() {
        let health = health(&[Impairment::NoRoom { shard: 0 }]);
        let text = "not ready\nreads: ready\nwrites: not ready\ncatalog: not ready\n\
                    ! shard 0 takes no writes that need room";
        assert_eq!(health.to_string(), text);
        let json = r#"{"ready":false,"reads":true,"writes":false,"catalog":false,"reasons":[{"reason":"shard 0 takes no writes that need room","prevents":["writes","catalog"]}]}"#;
        assert_eq!(String::from_utf8(health.to_json()).unwrap(), json);
    }

    #[test]
    fn damage_says_what_can_be_done_about_it() {
        let damaged = |shard, is_alone| Impairment::Damaged { shard, what: "rot".to_owned(), is_alone }.to_string();
        assert_eq!(damaged(Some(3), false), "records of shard 3 cannot be read here: rot. Replace this node");
        let alone = damaged(None, true);
        assert!(alone.starts_with("records cannot be read here: rot. ") && alone.contains("backup"), "{alone}");
        assert!(!alone.contains("Replace"), "nobody could take its place: {alone}");
    }

    #[test]
    fn capabilities_are_found_by_their_names() {
        assert!(Capability::ALL.into_iter().all(|capability| Capability::of(capability.name()) == Some(capability)));
        assert_eq!(Capability::of("everything"), None);
    }
}
