//! The harm that is done to a cluster: each scenario takes about 20 virtual seconds and draws its moments from the seed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use lease::RATE_ERROR_PERMILLE;

use super::clients::Record;
use super::world::{NODES, Plan, World, true_ns};
use crate::env::sim::{SimEnv, Weather, chance_below};
use crate::raft::{MemberChange, Pace};
use crate::shard::Deadline;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// The leader is cut off but goes on serving its clients, and a voter is restarted inside the lease.
    CutLeaderAndRestartVoter,
    /// Followers whose disks take long, so that acknowledgements of entries come after those of mere commits.
    SlowFollowerDisks,
    /// The leadership is transferred and the old leader hears nothing of it.
    TransferWithLostMessages,
    /// Every clock at a rate of its own within the bound, and elections all the time.
    SkewedClocks,
    /// The leader stands still for longer than a lease.
    SuspendedLeader,
    /// A node that was away for long stands for election all the time.
    StandingCandidate,
    /// Delays, losses, one-way cuts and power cuts in any order.
    Everything,
    /// Heartbeats are rare, acknowledgements late, a candidate stands ready.
    LateAcknowledgements,
    /// The leader dies while its followers do not know yet what is committed, and their disks are slow.
    SlowNewLeader,
    /// Leaders are removed from the cluster, with and without handing over first, and others take their place.
    RemovedLeader,
    /// One node becomes three and then five, and the first one dies.
    GrowingCluster,
    /// A node was away for longer than the log is kept, and comes back by a snapshot.
    AwayForLong,
    /// A snapshot comes in while its sender and its receiver are restarted and messages get lost.
    SnapshotUnderFire,
    /// The leaderships of all shards move all the time.
    ManyTransfers,
    /// Nodes are told other election timeouts when they restart, as in a rolling change of the flag, and leaders are cut off.
    DifferingSettings,
    /// Wall clocks are set an hour ahead and back, on any machine, while leaders come and go.
    WrongWallClocks,
    /// Disks hang for seconds, the leader's or any other.
    HungDisks,
    /// A follower misses writes that the two others acknowledge; both die, one of them loses its disk, and the follower and
    /// the empty disk are a majority by their numbers.
    LostDisk,
    /// Disks are exchanged for empty ones at any time, while machines restart and messages are late and lost.
    ExchangedDisks,
    /// Disks are full for seconds, the leader's or any other.
    FullDisks,
    /// As in [`LostDisk`], but the disk is not lost: a bit of its log has rotted.
    RottingLogs,
    /// One machine chokes on entries that the others apply, while it is asked to lead and restarts.
    PoisonedReplica,
    /// Reads are held up between their lease and their view while the leader is deposed and elected again.
    PreemptedReads,
    /// Links are cut in one direction: a leader that hears nobody, one that nobody hears, and single links.
    OneWayCuts,
    /// The leader's clock runs at less than half its rate: what no lease survives.
    ClockFarBeyondTheBound,
}

use Scenario::*;

/// Shards of a cluster with several.
const SHARDS: u32 = 3;

/// In every scenario one round of so many ends with links cut one way.
const ONE_WAY_IN: u64 = 4;

/// How long writes may stay away while links are cut one way: the leader notices that it hears nobody, and then the longest
/// promise of any scenario runs out.
const ONE_WAY_OVERCOME_MAX: Duration = Duration::from_secs(30);

/// The machine with the slow clock in [`ClockFarBeyondTheBound`].
const SLOW: u64 = 1;

/// What a cluster must survive.
pub const WITHIN_THE_BOUNDS: [Scenario; 24] = [
    CutLeaderAndRestartVoter,
    SlowFollowerDisks,
    TransferWithLostMessages,
    SkewedClocks,
    SuspendedLeader,
    StandingCandidate,
    Everything,
    LateAcknowledgements,
    SlowNewLeader,
    RemovedLeader,
    GrowingCluster,
    AwayForLong,
    SnapshotUnderFire,
    ManyTransfers,
    DifferingSettings,
    WrongWallClocks,
    HungDisks,
    LostDisk,
    ExchangedDisks,
    FullDisks,
    RottingLogs,
    PoisonedReplica,
    PreemptedReads,
    OneWayCuts,
];

async fn pause(ms_min: u64, ms_spread: u64) {
    tokio::time::sleep(Duration::from_millis(ms_min + chance_below(ms_spread))).await;
}

/// The clock rates at the edges of the bound, in thousandths.
const SLOWEST: u64 = 1_000 - RATE_ERROR_PERMILLE;
const FASTEST: u64 = 1_000 + RATE_ERROR_PERMILLE;

/// A clock rate within the bound.
fn rate() -> u64 {
    SLOWEST + chance_below(FASTEST - SLOWEST + 1)
}

impl Scenario {
    /// The cluster that this happens to.
    pub fn plan(self) -> Plan {
        match self {
            SkewedClocks => Plan { clocks: vec![rate(), rate(), rate()], ..Plan::default() },
            // The holder slow and the grantors fast, as far as the bound allows; whoever leads is not known yet.
            CutLeaderAndRestartVoter | LateAcknowledgements | StandingCandidate => {
                let mut clocks = vec![FASTEST; 3];
                clocks[chance_below(3) as usize] = SLOWEST;
                let usual = Plan::default().pace;
                let late = Pace { heartbeat: Duration::from_millis(950), ..usual };
                let pace = if self == LateAcknowledgements { late } else { usual };
                Plan { clocks, pace, ..Plan::default() }
            }
            ClockFarBeyondTheBound => Plan { clocks: vec![400, 1_000, 1_000], ..Plan::default() },
            Everything | ManyTransfers | WrongWallClocks | HungDisks | ExchangedDisks | FullDisks | PoisonedReplica => {
                Plan { shards: SHARDS, ..Plan::default() }
            }
            RemovedLeader => Plan { clocks: vec![1_000; 5], shards: SHARDS, ..Plan::default() },
            GrowingCluster => Plan { clocks: vec![1_000; 5], founders: 1, shards: SHARDS, ..Plan::default() },
            AwayForLong | SnapshotUnderFire => {
                // Every look of the upkeep finds the log too long, and a snapshot takes many messages.
                Plan { shards: SHARDS, log_bytes_max: 0, snapshot_chunk_bytes: 128, ..Plan::default() }
            }
            _ => Plan::default(),
        }
    }

    /// Does it.
    pub async fn harm(self, world: &World, record: &Record) {
        for round in 0..3 {
            match self {
                CutLeaderAndRestartVoter => cut_leader_and_restart_voter(world).await,
                SlowFollowerDisks => slow_follower_disks(world).await,
                TransferWithLostMessages => transfer_with_lost_messages(world).await,
                SkewedClocks => cut_leader(world).await,
                ClockFarBeyondTheBound => cut_slow_leader(world).await,
                SuspendedLeader => suspend_leader(world).await,
                StandingCandidate => standing_candidate(world).await,
                Everything => everything(world).await,
                LateAcknowledgements => late_acknowledgements(world, record).await,
                SlowNewLeader => slow_new_leader(world).await,
                RemovedLeader => removed_leader(world).await,
                GrowingCluster => growing_cluster(world, round).await,
                AwayForLong => away_for_long(world, record).await,
                SnapshotUnderFire => snapshot_under_fire(world, record).await,
                ManyTransfers => many_transfers(world).await,
                DifferingSettings => differing_settings(world).await,
                WrongWallClocks => wrong_wall_clocks(world).await,
                HungDisks => hung_disks(world).await,
                LostDisk => lost_disk(world).await,
                ExchangedDisks => exchanged_disks(world).await,
                FullDisks => full_disks(world).await,
                RottingLogs => rotting_logs(world, record).await,
                PoisonedReplica => poisoned_replica(world, record).await,
                PreemptedReads => preempted_reads(world).await,
                OneWayCuts => one_way_cuts(world, record).await,
            }
            world.mend().await;
            record.allow_writes(true);
            world.some_leader().await;
            if chance_below(ONE_WAY_IN) == 0 {
                one_way_cuts(world, record).await;
                world.mend().await;
                world.some_leader().await;
            }
            pause(500, 1_500).await;
        }
    }
}

async fn cut_leader(world: &World) {
    let leader = world.some_leader().await;
    world.isolate(leader);
    pause(4_000, 3_000).await;
}

/// One voter has not heard the leader for long, so it promises nothing any more; the other one makes the quorum of the
/// leader's lease. Then the leader is cut off from both, and the other one restarts.
async fn cut_leader_and_restart_voter(world: &World) {
    let leader = world.some_leader().await;
    let others = world.others(leader);
    let (away, voter) = if chance_below(2) == 0 { (others[0], others[1]) } else { (others[1], others[0]) };
    world.network.cut((leader, away));
    world.network.cut((away, leader));
    pause(2_200, 1_500).await;
    world.isolate(leader);
    world.restart(voter).await;
    pause(4_000, 1_500).await;
}

/// Acknowledgements of entries wait for the disk, those of commits do not; then both followers are cut off while late
/// acknowledgements are still on their way.
async fn slow_follower_disks(world: &World) {
    let leader = world.some_leader().await;
    for other in world.others(leader) {
        world.machine(other).slow_disk(Some(400_000));
        world.network.set_weather((other, leader), Weather { delay_us_max: 150_000, ..Weather::default() });
    }
    pause(2_000, 1_000).await;
    for other in world.others(leader) {
        world.network.cut((leader, other));
    }
    pause(3_500, 1_500).await;
}

async fn transfer_with_lost_messages(world: &World) {
    let leader = world.some_leader().await;
    let others = world.others(leader);
    let target = others[chance_below(2) as usize];
    let Some(node) = world.node(leader) else { return };
    // The answers of the others are lost, or what they say first of all: that another term has begun.
    for other in &others {
        world.network.cut((*other, leader));
    }
    // A machine that was deposed meanwhile transfers nothing.
    let _ = world.machine(leader).scope(node.router.system().group().transfer(target)).await;
    pause(4_000, 2_000).await;
}

async fn suspend_leader(world: &World) {
    let leader = world.some_leader().await;
    world.machine(leader).suspend();
    pause(2_500, 3_000).await;
    world.machine(leader).resume();
    pause(1_000, 1_000).await;
}

async fn standing_candidate(world: &World) {
    let leader = world.some_leader().await;
    let away = world.others(leader)[chance_below(2) as usize];
    world.network.cut((leader, away));
    for _ in 0..40 {
        if let Some(node) = world.node(away) {
            // Refused while its own promise binds it.
            let _ = world.machine(away).scope(node.router.system().group().stand()).await;
        }
        pause(50, 100).await;
    }
    world.isolate(leader);
    for _ in 0..30 {
        if let Some(node) = world.node(away) {
            let _ = world.machine(away).scope(node.router.system().group().stand()).await;
        }
        pause(50, 100).await;
    }
}

async fn everything(world: &World) {
    world.set_weather(Weather { delay_us_min: 100, delay_us_max: 60_000, loss_permille: 50 });
    for _ in 0..6 {
        let one = 1 + chance_below(3);
        let other = world.others(one)[chance_below(2) as usize];
        match chance_below(5) {
            0 => world.network.cut((one, other)),
            1 => world.isolate(one),
            2 => world.restart(one).await,
            3 => world.machine(one).slow_disk(Some(100_000)),
            _ => world.network.heal(),
        }
        pause(300, 1_200).await;
    }
}

/// One voter has promised nothing for long and stands whenever it can; the other hears the leader, but the leader hears
/// its answers late. Then the leader is cut off.
async fn late_acknowledgements(world: &World, record: &Record) {
    let leader = world.some_leader().await;
    let others = world.others(leader);
    let (away, voter) = (others[0], others[1]);
    // Otherwise the log of the one that is away is too short for it to be elected.
    record.allow_writes(false);
    pause(1_500, 10).await;
    world
        .network
        .set_weather((voter, leader), Weather { delay_us_min: 600_000, delay_us_max: 700_000, ..Weather::default() });
    world.network.cut((leader, away));
    world.network.cut((away, leader));
    pause(3_500, 1_000).await;
    world.network.cut((leader, voter));
    record.allow_writes(true);
    for _ in 0..120 {
        if let Some(node) = world.node(away) {
            let _ = world.machine(away).scope(node.router.system().group().stand()).await;
        }
        pause(10, 30).await;
    }
}

/// What the leader says takes long, so that its followers learn late that an acknowledged write is committed; then it
/// dies. Its successor's disk is slow: for a while it is elected and heard, but its first entry, and with it everything
/// inherited, is not committed.
async fn slow_new_leader(world: &World) {
    let leader = world.some_leader().await;
    for other in world.others(leader) {
        let slow = Weather { delay_us_min: 100_000, delay_us_max: 150_000, ..Weather::default() };
        world.network.set_weather((leader, other), slow);
    }
    pause(1_000, 500).await;
    world.kill(leader).await;
    for other in world.others(leader) {
        world.machine(other).slow_disk(Some(300_000));
    }
    pause(5_000, 1_500).await;
}

/// Somebody new comes, so that there stay enough, and then the leader goes: it hands over first, or it writes its own
/// removal into the log, perhaps cut off before it knows what became of that. Removed or not, it goes on answering its
/// clients as far as it believes that it may.
async fn removed_leader(world: &World) {
    let leader = world.some_leader().await;
    let stands_by = world.machines().into_iter().find(|id| *id > NODES && !world.present().contains(id));
    if let Some(new) = stands_by {
        world.join(new).await;
    }
    let removal = MemberChange::Remove { node: leader };
    if let (1.., Some(node)) = (chance_below(3), world.node(leader)) {
        let change = removal.clone();
        world.machine(leader).spawn(async move {
            let group = node.router.system().group();
            group.change_members(&change, Deadline::after::<SimEnv>(Duration::from_secs(3))).await
        });
        pause(0, 40).await;
        if chance_below(2) == 0 {
            world.isolate(leader);
        }
    }
    world.change(&removal).await;
    pause(2_500, 1_500).await;
    world.retire(leader).await;
}

async fn growing_cluster(world: &World, round: u64) {
    world.set_weather(Weather { delay_us_min: 100, delay_us_max: 20_000, loss_permille: 20 });
    match round {
        0 | 1 => {
            for new in [2 + 2 * round, 3 + 2 * round] {
                world.join(new).await;
            }
            let one = world.present()[chance_below(3) as usize];
            world.restart(one).await;
        }
        _ => {
            let leader = world.some_leader().await;
            world.change(&MemberChange::Remove { node: leader }).await;
            world.retire(leader).await;
        }
    }
    pause(2_000, 1_000).await;
}

/// The log is dropped all the time, so that whoever was away does not find its place in it any more.
async fn away_for_long(world: &World, record: &Record) {
    let away = 1 + chance_below(NODES);
    world.kill(away).await;
    pause(3_500, 1_500).await;
    let before = world.snapshots();
    world.start(away).await;
    pause(2_500, 1_000).await;
    record.snapshots.fetch_add(world.snapshots() - before, Ordering::Relaxed);
}

async fn snapshot_under_fire(world: &World, record: &Record) {
    let away = 1 + chance_below(NODES);
    world.kill(away).await;
    pause(3_500, 500).await;
    world.set_weather(Weather { delay_us_min: 1_000, delay_us_max: 40_000, loss_permille: 60 });
    world.start(away).await;
    for _ in 0..4 {
        pause(200, 700).await;
        match chance_below(4) {
            0 => world.restart(away).await,
            1 => world.restart(world.others(away)[chance_below(2) as usize]).await,
            2 => world.transfer(chance_below(u64::from(SHARDS)) as u32, world.others(away)[0]).await,
            _ => {}
        }
    }
    world.network.heal();
    pause(2_000, 500).await;
    record.snapshots.fetch_add(world.snapshots(), Ordering::Relaxed);
}

async fn many_transfers(world: &World) {
    world.set_weather(Weather { delay_us_min: 100, delay_us_max: 10_000, loss_permille: 10 });
    for _ in 0..15 {
        world.transfer(chance_below(u64::from(SHARDS)) as u32, 1 + chance_below(NODES)).await;
        pause(50, 600).await;
    }
}

/// Whoever restarts is told something else; then the leader is cut off from whoever could still be told by it.
async fn differing_settings(world: &World) {
    let paces = [500, 1_000, 2_000, 4_000].map(|ms| Pace::for_election_timeout(Duration::from_millis(ms)));
    let one = 1 + chance_below(NODES);
    world.set_pace(one, paces[chance_below(4) as usize]);
    world.restart(one).await;
    pause(2_000, 2_000).await;
    let leader = world.leader().unwrap_or(1);
    let others = world.others(leader);
    let voter = others[chance_below(2) as usize];
    world.isolate(leader);
    world.set_pace(voter, paces[chance_below(4) as usize]);
    world.restart(voter).await;
    pause(4_000, 2_000).await;
}

/// However long that lasts: as long as a majority hears each other, somebody acknowledges writes.
async fn one_way_cuts(world: &World, record: &Record) {
    let leader = world.some_leader().await;
    let others = world.others(leader);
    if others.len() < 2 {
        // Of two that do not hear each other neither is a majority.
        return;
    }
    let one = others[chance_below(others.len() as u64) as usize];
    let (cut, links): (_, Vec<(u64, u64)>) = match chance_below(4) {
        0 => ("the leader hears one no longer", vec![(one, leader)]),
        1 => ("one hears the leader no longer", vec![(leader, one)]),
        2 => ("nobody hears the leader", others.iter().map(|other| (leader, *other)).collect()),
        _ => ("the leader hears nobody", others.iter().map(|other| (*other, leader)).collect()),
    };
    links.into_iter().for_each(|link| world.network.cut(link));
    let cut_ns = true_ns();
    let goes_on = async {
        while record.last_write_ns.load(Ordering::Relaxed) <= cut_ns {
            pause(20, 1).await;
        }
    };
    if tokio::time::timeout(ONE_WAY_OVERCOME_MAX, goes_on).await.is_err() {
        record.blame(format!("nothing was written for {ONE_WAY_OVERCOME_MAX:?} while {cut}"));
    }
    pause(500, 1_500).await;
}

async fn hung_disks(world: &World) {
    let one = if chance_below(2) == 0 { world.some_leader().await } else { 1 + chance_below(NODES) };
    world.machine(one).freeze_disk_after(chance_below(4));
    pause(3_000, 5_000).await;
    if chance_below(2) == 0 {
        world.isolate(one);
        pause(1_000, 2_000).await;
    }
    world.machine(one).thaw_disk();
    pause(500, 1_000).await;
}

async fn wrong_wall_clocks(world: &World) {
    // Most clocks are right, and were within the last seconds.
    pause(4_000, 1).await;
    let one = 1 + chance_below(NODES);
    for _ in 0..6 {
        let ahead_ms = [3_600_000, 86_400_000, -3_600_000, 1_500, 0][chance_below(5) as usize];
        world.machine(one).set_wall_ahead(ahead_ms);
        match chance_below(4) {
            0 => world.restart(one).await,
            1 => world.transfer(chance_below(u64::from(SHARDS)) as u32, one).await,
            2 => world.isolate(one),
            _ => world.network.heal(),
        }
        pause(300, 1_500).await;
    }
}

async fn lost_disk(world: &World) {
    let behind = 1 + chance_below(NODES);
    world.isolate(behind);
    // The two others elect a leader, if it was the leader, and acknowledge.
    pause(3_000, 1_500).await;
    let mut others = world.others(behind);
    others.swap(0, chance_below(2) as usize);
    let (lost, away) = (others[0], others[1]);
    if chance_below(2) == 0 {
        world.kill(behind).await;
    }
    world.kill(away).await;
    world.wipe(lost).await;
    world.network.heal();
    world.start(lost).await;
    if world.node(behind).is_none() {
        world.start(behind).await;
    }
    pause(4_000, 2_000).await;
}

async fn full_disks(world: &World) {
    let one = if chance_below(2) == 0 { world.some_leader().await } else { 1 + chance_below(NODES) };
    world.machine(one).fill_disk();
    pause(1_000, 4_000).await;
    match chance_below(3) {
        0 => {
            world.isolate(one);
            pause(1_000, 2_000).await;
        }
        1 => world.transfer(chance_below(u64::from(SHARDS)) as u32, one).await,
        _ => {}
    }
    pause(500, 1_500).await;
    world.machine(one).make_room();
    pause(500, 1_000).await;
}

/// What was acknowledged lies on two machines. One of them is off, and of the other one's log a bit rots while it is off, too;
/// the third has missed it.
async fn rotting_logs(world: &World, record: &Record) {
    let behind = 1 + chance_below(NODES);
    world.isolate(behind);
    pause(3_000, 1_500).await;
    let mut others = world.others(behind);
    others.swap(0, chance_below(2) as usize);
    let (rotten, away) = (others[0], others[1]);
    // What says that the last write was durable is settled: its own rot would not be noticed before.
    record.allow_writes(false);
    pause(700, 300).await;
    world.kill(away).await;
    world.kill(rotten).await;
    world.machine(rotten).rot_log();
    world.network.heal();
    record.allow_writes(true);
    if world.try_start(rotten).await.is_err() {
        // As an operator does; it comes back as another disk.
        world.wipe(rotten).await;
        world.start(rotten).await;
    }
    pause(4_000, 2_000).await;
}

/// What one machine has choked on last is read where another one leads, before anything is written over it.
async fn poisoned_replica(world: &World, record: &Record) {
    let one = 1 + chance_below(NODES);
    world.machine(one).choke_on(Some(chance_below(10)));
    for _ in 0..4 {
        let shard = chance_below(u64::from(SHARDS)) as u32;
        world.transfer(shard, one).await;
        pause(300, 500).await;
        record.allow_writes(false);
        pause(100, 100).await;
        world.transfer(shard, world.others(one)[0]).await;
        pause(300, 300).await;
        record.allow_writes(true);
        if chance_below(4) == 0 {
            world.restart(one).await;
        }
    }
    pause(500, 1_000).await;
}

/// The leader is cut off, another one writes, and the first one leads again while reads from before are still under way.
async fn preempted_reads(world: &World) {
    let leader = world.some_leader().await;
    world.preempt_reads(5_000);
    world.isolate(leader);
    pause(4_000, 2_000).await;
    world.network.heal();
    for _ in 0..4 {
        pause(200, 400).await;
        world.transfer(0, leader).await;
    }
    pause(1_500, 1_500).await;
}

async fn exchanged_disks(world: &World) {
    world.set_weather(Weather { delay_us_min: 100, delay_us_max: 15_000, loss_permille: 20 });
    let lost = 1 + chance_below(NODES);
    let others = world.others(lost);
    world.wipe(lost).await;
    if chance_below(2) == 0 {
        pause(0, 1_000).await;
    }
    world.start(lost).await;
    for _ in 0..3 {
        pause(100, 900).await;
        match chance_below(4) {
            0 => world.restart(others[chance_below(2) as usize]).await,
            // Once more: an incarnation that never was a member goes, another comes.
            1 => {
                world.wipe(lost).await;
                world.start(lost).await;
            }
            2 => {
                for id in world.machines() {
                    world.kill(id).await;
                }
                for id in [lost, others[0], others[1]] {
                    pause(0, 600).await;
                    world.start(id).await;
                }
            }
            _ => world.transfer(chance_below(u64::from(SHARDS)) as u32, others[0]).await,
        }
    }
    pause(1_000, 1_000).await;
}

/// The machine whose clock is slow leads, and is cut off.
async fn cut_slow_leader(world: &World) {
    for _ in 0..10 {
        let leader = world.some_leader().await;
        if leader == SLOW {
            world.isolate(leader);
            return pause(4_000, 2_000).await;
        }
        let Some(node) = world.node(leader) else { continue };
        let _ = world.machine(leader).scope(node.router.system().group().transfer(SLOW)).await;
        pause(1_000, 1_000).await;
    }
}
