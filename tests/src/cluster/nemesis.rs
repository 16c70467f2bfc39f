//! The harm that is done to a running cluster: each harm draws its victims and durations from the seed, and is mended
//! before the next one, so that a run has as many chances to go wrong as it has harms.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fleet::{Fleet, Shape};
use super::rng::Rng;

/// How much longer a harm may last between nodes with a network of their own: the kernel waits twice as long before every
/// further attempt, and only after some of them it would be late to notice that the network is back.
const NAMESPACES_LONGER_MS: u64 = 5_000;

/// One kind of harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// A leader is cut off from everybody but its clients.
    CutLeader,
    /// Any node is cut off.
    CutAny,
    /// A leader hears nobody, but is heard.
    DeafLeader,
    /// A leader is heard by nobody, but hears.
    MuteLeader,
    /// The way between two nodes is cut; the third one reaches both.
    CutPair,
    /// The cable of a leader is pulled: its clients do not reach it either. Needs network namespaces.
    Unplug,
    /// Messages of one node are late.
    Delay,
    /// A leader stands still for longer than a lease (SIGSTOP).
    PauseLeader,
    /// A leader is killed (SIGKILL) and started again.
    KillLeader,
    /// Any node is killed and started again.
    KillAny,
    /// All nodes are killed at once and started again.
    KillAll,
    /// The power of a node is cut: what it has written and not synced is lost. Needs disks of its own.
    PowerCut,
    /// The power of all nodes is cut at once.
    PowerCutAll,
    /// The leader is cut off, and another voter killed and started again within its lease.
    CutLeaderKillVoter,
    /// The wall clock of a node jumps, ahead or back.
    WallJump,
    /// The clock of leases of a node jumps ahead.
    BootJump,
    /// The clock of leases of a node runs at a rate within the bound.
    BootRate,
    /// The disk of a node is slow.
    SlowDisk,
    /// The disk of a node hangs until the harm is over.
    HungDisk,
    /// The disk of a node is all but full.
    FullDisk,
    /// A node is restarted with another election timeout than the others, and later with theirs.
    WrongTimeout,
    /// Leaderships are handed over.
    Transfer,
    /// A node is away until the others have dropped the log that it lacks, so that it needs a snapshot.
    Snapshot,
    /// A node joins; then it leads what it can; then it is removed.
    JoinAndRemove,
    /// The disk of a node is lost while it runs or is down, the node comes back empty under its number, and after a while
    /// the others are told to take it back.
    Wipe,
    /// As [`Harm::Wipe`], and all nodes are killed at once and start again before the empty one is taken back.
    WipeAndKillAll,
    /// A member, at first a founding one, is removed, perhaps after it has died, and a new node joins in its place.
    Replace,
}

use Harm::*;

impl Harm {
    /// What any cluster must survive.
    pub const ALL: [Harm; 27] = [
        CutLeader,
        CutAny,
        DeafLeader,
        MuteLeader,
        CutPair,
        Unplug,
        Delay,
        PauseLeader,
        KillLeader,
        KillAny,
        KillAll,
        PowerCut,
        PowerCutAll,
        CutLeaderKillVoter,
        WallJump,
        BootJump,
        BootRate,
        SlowDisk,
        HungDisk,
        FullDisk,
        WrongTimeout,
        Transfer,
        Snapshot,
        JoinAndRemove,
        Wipe,
        WipeAndKillAll,
        Replace,
    ];

    /// A shorter list for a short run: one of each family.
    pub const SHORT: [Harm; 10] =
        [CutLeader, PauseLeader, CutLeaderKillVoter, WallJump, SlowDisk, Transfer, MuteLeader, Snapshot, Wipe, Replace];

    /// Whether it can be done to such a cluster.
    pub fn is_possible(self, shape: &Shape) -> bool {
        match self {
            Unplug => shape.has_namespaces,
            PowerCut | PowerCutAll => shape.has_power_disks,
            _ => true,
        }
    }
}

/// Does harm and counts it.
pub struct Nemesis {
    rng: Rng,
    /// What was done, and how often.
    pub done: BTreeMap<Harm, u64>,
}

impl Nemesis {
    /// The nemesis of this seed.
    pub fn new(rng: Rng) -> Nemesis {
        Nemesis { rng, done: BTreeMap::new() }
    }

    /// Does one harm, lets it last, and mends it.
    pub async fn strike(&mut self, fleet: &mut Fleet, harm: Harm) {
        *self.done.entry(harm).or_default() += 1;
        let lease_ms = fleet.shape().election_timeout.as_millis() as u64;
        let shard = self.rng.below(u64::from(fleet.shape().shards)) as u32;
        let any = self.rng.pick(&fleet.ids());
        let leader = fleet.leader(shard).await.unwrap_or(any);
        let others = fleet.others(leader);
        // Long enough for another leader to be elected, or not quite.
        let longest_ms = lease_ms * 4 + if fleet.shape().has_namespaces { NAMESPACES_LONGER_MS } else { 0 };
        let while_ms = self.rng.between(lease_ms * 3 / 2, longest_ms);
        match harm {
            CutLeader => fleet.isolate(leader).await,
            CutAny => fleet.isolate(any).await,
            DeafLeader => fleet.deafen(leader).await,
            MuteLeader => fleet.mute(leader).await,
            CutPair => fleet.part(leader, self.rng.pick(&others)).await,
            Unplug => fleet.unplug(leader),
            Delay => {
                let ms = self.rng.between(5, lease_ms / 3);
                for other in &others {
                    fleet.order(leader, &format!("delay to {other} {ms}")).await;
                }
            }
            PauseLeader => fleet.pause(leader),
            KillLeader => fleet.kill(leader),
            KillAny => fleet.kill(any),
            KillAll => fleet.ids().into_iter().for_each(|id| fleet.kill(id)),
            PowerCut => fleet.cut_power(&[any]),
            PowerCutAll => fleet.cut_power(&fleet.ids()),
            CutLeaderKillVoter => {
                fleet.isolate(leader).await;
                let voter = self.rng.pick(&others);
                fleet.kill(voter);
                start(fleet, voter);
            }
            WallJump => {
                let ms = self.rng.pick(&[-3_600_000_i64, -2_000, -300, 300, 2_000, 60_000]);
                fleet.order(any, &format!("clock wall {ms}")).await;
            }
            BootJump => {
                let ms = self.rng.between(10, lease_ms * 3);
                fleet.order(any, &format!("clock jump {ms}")).await;
            }
            BootRate => {
                let rate = self.rng.between(950, 1_050);
                fleet.order(any, &format!("clock rate {rate}")).await;
            }
            SlowDisk => {
                let ms = self.rng.between(20, lease_ms / 2);
                fleet.order(any, &format!("disk slow {ms}")).await;
            }
            HungDisk => drop(fleet.order(any, "disk slow 60000").await),
            FullDisk => drop(fleet.order(any, &format!("disk free {}", self.rng.below(300_000_000))).await),
            WrongTimeout => {
                let timeout_ms = self.rng.pick(&[lease_ms / 2, lease_ms * 2, lease_ms * 3]);
                fleet.set_election_timeout(any, Some(Duration::from_millis(timeout_ms)));
                fleet.kill(any);
                start(fleet, any);
                tokio::time::sleep(Duration::from_millis(while_ms)).await;
                fleet.set_election_timeout(any, None);
                fleet.kill(any);
            }
            Transfer => self.transfer_all(fleet).await,
            Snapshot => {
                fleet.kill(any);
                for other in fleet.others(any) {
                    fleet.order(other, "disk log 1000").await;
                }
            }
            JoinAndRemove => return self.join_and_remove(fleet).await,
            Wipe => return self.wipe(fleet, any, false).await,
            WipeAndKillAll => return self.wipe(fleet, any, true).await,
            Replace => return self.replace(fleet, any).await,
        }
        tokio::time::sleep(Duration::from_millis(while_ms)).await;
        self.mend(fleet).await;
    }

    /// Everything works again: whoever is dead is started, and nothing is injected any more.
    pub async fn mend(&mut self, fleet: &mut Fleet) {
        fleet.mend().await;
        for id in fleet.ids() {
            if !fleet.is_running(id) {
                start(fleet, id);
            }
        }
        for id in fleet.ids() {
            fleet.wait_live(id).await;
        }
        // Who was started or mended meanwhile heard nothing of it.
        fleet.mend().await;
    }

    /// Nothing else is harmed meanwhile: a change of the members needs those whom it is about.
    async fn join_and_remove(&mut self, fleet: &mut Fleet) {
        let through = self.rng.pick(&fleet.ids());
        let guest = fleet.add_place();
        fleet.join(guest).unwrap_or_else(|log| panic!("node {guest} does not join:\n{log}"));
        fleet.wait_joined(guest).await;
        for shard in 0..fleet.shape().shards {
            if let Some(leader) = fleet.leader(shard).await {
                fleet.order(leader, &format!("transfer {shard} {guest}")).await;
            }
        }
        tokio::time::sleep(fleet.shape().election_timeout).await;
        fleet.change(through, &format!("remove?node={guest}")).await;
        fleet.drop_place(guest);
    }

    /// As [`Nemesis::join_and_remove`], the other way round: for a while the cluster has a member less. The clients of the
    /// one that goes stay with its place, and are answered by the one that comes.
    async fn replace(&mut self, fleet: &mut Fleet, goes: u64) {
        let through = self.rng.pick(&fleet.others(goes));
        if self.rng.below(2) == 0 {
            fleet.kill(goes);
        }
        fleet.change(through, &format!("remove?node={goes}")).await;
        let comes = fleet.succeed(goes);
        fleet.join(comes).unwrap_or_else(|log| panic!("node {comes} does not join:\n{log}"));
        fleet.wait_joined(comes).await;
    }

    /// The number stays; what lay on the disk does not. Until the members are told, the empty disk must count for nothing.
    async fn wipe(&mut self, fleet: &mut Fleet, lost: u64, kill_all: bool) {
        let lease_ms = fleet.shape().election_timeout.as_millis() as u64;
        fleet.wipe(lost);
        if self.rng.below(2) == 0 {
            tokio::time::sleep(Duration::from_millis(self.rng.between(0, 2 * lease_ms))).await;
        }
        start(fleet, lost);
        tokio::time::sleep(Duration::from_millis(self.rng.between(0, 3 * lease_ms))).await;
        if kill_all {
            fleet.ids().into_iter().for_each(|id| fleet.kill(id));
            // Whoever comes first finds the empty one.
            start(fleet, lost);
            for id in fleet.others(lost) {
                start(fleet, id);
                tokio::time::sleep(Duration::from_millis(self.rng.between(0, 2 * lease_ms))).await;
            }
        }
        self.mend(fleet).await;
        let through = self.rng.pick(&fleet.others(lost));
        fleet.change(through, &format!("replace?node={lost}")).await;
    }

    async fn transfer_all(&mut self, fleet: &Fleet) {
        for shard in 0..fleet.shape().shards {
            if let Some(leader) = fleet.leader(shard).await {
                let to = self.rng.pick(&fleet.others(leader));
                fleet.order(leader, &format!("transfer {shard} {to}")).await;
            }
        }
    }
}

fn start(fleet: &mut Fleet, id: u64) {
    fleet.come_back(id).unwrap_or_else(|log| panic!("node {id} did not start again:\n{log}"));
}
