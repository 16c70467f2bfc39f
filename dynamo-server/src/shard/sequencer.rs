//! The sequencer of a shard: many commands in, few entries out.
//!
//! Requests put their commands into a bounded queue. One task drains it, gives each command its timestamp and submits
//! them together as one entry, so that a proposal, a sync and a batch are shared by everything that gathered while the
//! entries before were under way. Only a few entries are in flight at a time; that is what makes commands gather when
//! there are many, and costs nothing when there are few.
//!
//! ```text
//! request ─╮                                   ╭─▶ outcome
//! request ─┼─▶ queue ─▶ drain ─▶ stamp ─▶ entry ──(log)──▶ apply ─┼─▶ outcome
//! request ─╯            (slot)                 ╰─▶ outcome
//! ```
//!
//! What is too much is refused before it enters the queue, so it is certainly not done: by the queue's size here, and by
//! how long it makes commands wait in [`admission`](super::admission). That holds for new work alone. The steps that end
//! what was begun (decisions, index entries on their way) have room of their own: refusing them would keep locks and
//! outboxes full.
//!
//! A command can be taken back until it is put into an entry ([`Ticket`]). So a request that is still in the queue when
//! its time is over is refused, too, and its bytes are free at once; only one whose command is in an entry has to be
//! told that the outcome is not known.
//!
//! Wall time is this node's own, unless that is far ahead of most members' (`raft/lease/wall_clocks.rs`).
//!
//! Timestamps rise strictly in log order because one task assigns them and submits in order. Each is below the
//! ceiling that its own entry carries; a new term starts at the ceiling that the shard has applied, so no two leaders
//! ever issue the same or an inverted timestamp. Nothing is stamped before the inherited log is applied.

mod faults;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dynamo_engine::apply::Outcome;
use dynamo_engine::command::{Command, Entry, Stamped};
use hlc::{Clock, NodeClock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;

use self::faults::Faults;
use super::admission::{Admission, Drain, LIMIT_NONE, share};
use super::limits::{ENTRIES_IN_FLIGHT_MAX, ENTRY_BYTES_MAX, ENTRY_COMMANDS_MAX, QUEUE_COMMANDS_MAX};
use super::load::{Load, Weight};
use super::mailbox::AnswerSender;
use super::ticket::Ticket;
use super::{Deadline, ShardError};
use crate::env::Env;
use crate::log_limit::LogLimit;
use crate::raft::{Group, Payload, ProposeError, WallClocks};
use crate::turns::{Timed, stalls};

/// Commands that may wait beyond [`QUEUE_COMMANDS_MAX`] where they end what was begun. Each other shard has one channel
/// with one command under way, and transactions prepared here are bounded.
const RESERVE_COMMANDS: usize = 1024;

/// How often everything else on the thread has its turn before an entry is closed, where commands come together: what clients
/// have sent by then is read, and goes into the entry. So twice as many commands share an entry and a sync, and none waits for
/// more than work that would be done behind it.
const TURNS_BEFORE_ENTRY: u32 = 2;

/// Commands of more bytes do not wait for others: their own work outweighs what they would share.
const GATHERED_BYTES_MAX: usize = 4 << 10;

/// What a sequencer has done so far.
#[derive(Debug, Default)]
pub struct SequencerCounters {
    /// Entries submitted.
    pub entries: AtomicU64,
    /// Commands in them.
    pub commands: AtomicU64,
    /// Commands refused because too much was waiting, those included whose time was over in the queue.
    pub refused: AtomicU64,
}

/// One command and who waits for it.
struct Waiting {
    /// The command, until somebody takes it.
    ticket: Arc<Ticket>,
    /// When it came, on the clock of [`Env::monotonic_ns`].
    since_ns: u64,
    /// Where its outcome goes.
    answer: AnswerSender,
}

impl Waiting {
    /// Bytes of the command.
    fn bytes(&self) -> usize {
        self.ticket.bytes().len()
    }
}

/// Commands that go into one entry: taken, so that nobody can withdraw them any more.
#[derive(Default)]
struct Round {
    /// In the order in which they came.
    commands: Vec<Command>,
    /// For each of them, what has its bytes.
    tickets: Vec<Arc<Ticket>>,
    /// For each of them.
    answers: Vec<AnswerSender>,
    /// Of the commands.
    bytes: usize,
    /// Of the commands; see [`share`].
    shares: usize,
    /// When the first of them came.
    oldest_ns: Option<u64>,
}

impl Round {
    fn push(&mut self, command: Command, waiting: Waiting) {
        self.oldest_ns.get_or_insert(waiting.since_ns);
        self.bytes += waiting.bytes();
        self.shares += share(waiting.bytes());
        self.commands.push(command);
        self.tickets.push(waiting.ticket);
        self.answers.push(waiting.answer);
        debug_assert_eq!(self.commands.len(), self.answers.len(), "each command has somebody who waits for it");
        debug_assert!(self.bytes <= self.shares, "a share is at least the bytes of its command");
    }
}

/// The way into a shard's queue.
pub struct Sequencer {
    /// To the task.
    queue: mpsc::Sender<Waiting>,
    /// What lies in front of the log.
    load: Arc<Load>,
    /// What it has done so far.
    counters: Arc<SequencerCounters>,
    /// Ended with the sequencer.
    task: AbortHandle,
    /// For tests that hold the shard.
    faults: Faults,
}

impl Sequencer {
    /// Starts the task of `group`'s sequencer; it ends when the group stops or the last handle is dropped. What it
    /// stamps is later than everything that `node_clock` has seen by then. Where the queue would go on making commands
    /// wait for longer than about `wait_max`, more are refused.
    pub fn start<E: Env>(
        group: Arc<Group<E>>,
        node_clock: Arc<NodeClock>,
        wall_clocks: Arc<WallClocks>,
        wait_max: Duration,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_COMMANDS_MAX + RESERVE_COMMANDS);
        let load = Arc::new(Load::new());
        let counters = Arc::new(SequencerCounters::default());
        let free = Arc::new(Semaphore::new(ENTRIES_IN_FLIGHT_MAX));
        let faults = Faults::of(&free, &load);
        let task = Task {
            group,
            waiting,
            load: Arc::clone(&load),
            admission: Admission::new(wait_max),
            slots: free,
            clock: None,
            node_clock,
            wall_clocks,
            behind_log: LogLimit::default(),
            counters: Arc::clone(&counters),
            spare: None,
            came_together: false,
        };
        let task = E::spawn(Timed::<E, _>::new(task.run(), stalls().clone())).abort_handle();
        Sequencer { queue, load, counters, task, faults }
    }

    /// Ends the task. Whoever waits is told that the outcome is not known; later proposals, that the shard has stopped.
    pub fn stop(&self) {
        self.task.abort();
    }

    /// Proposes a command and waits for its outcome. Dropping the future before the command was put into an entry takes
    /// it back, as the deadline does.
    ///
    /// # Errors
    /// [`ShardError`]; only [`ShardError::Unknown`] and [`ShardError::DeadlinePassed`] leave open what happened.
    pub async fn propose<E: Env>(&self, command: Command, deadline: Deadline) -> Result<Outcome, ShardError> {
        self.propose_ticket::<E>(Arc::new(Ticket::new(command)), deadline).await
    }

    /// As [`Sequencer::propose`], for who may have to propose the command again.
    ///
    /// # Errors
    /// As [`Sequencer::propose`].
    pub async fn propose_ticket<E: Env>(&self, ticket: Arc<Ticket>, deadline: Deadline) -> Result<Outcome, ShardError> {
        let (bytes, is_new) = (ticket.bytes().len(), ticket.is_new_work());
        let is_full = is_new && self.queue.capacity() <= RESERVE_COMMANDS;
        if is_full || !self.load.has_room(bytes, is_new) {
            return Err(self.refuse());
        }
        let (answer, outcome) = AnswerSender::new();
        self.load.enter(bytes);
        let place = QueuePlace { ticket, load: &self.load };
        let waiting = Waiting { ticket: Arc::clone(&place.ticket), since_ns: E::monotonic_ns(), answer };
        if let Err(error) = self.queue.try_send(waiting) {
            return Err(match error {
                mpsc::error::TrySendError::Full(_) => self.refuse(),
                mpsc::error::TrySendError::Closed(_) => ShardError::Stopped,
            });
        }
        match E::timeout(deadline.remaining::<E>(), outcome).await {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err(ShardError::Unknown),
            // Completion commands are never load-shed: whoever is responsible tries them again.
            None if place.withdraw() && is_new => Err(self.refuse()),
            None => Err(ShardError::DeadlinePassed),
        }
    }

    fn refuse(&self) -> ShardError {
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
        ShardError::Overloaded
    }

    /// What tests do to it.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What it has done so far.
    pub fn counters(&self) -> &SequencerCounters {
        &self.counters
    }

    /// Bytes of commands that wait or are under way.
    pub fn queued_bytes(&self) -> usize {
        self.load.bytes()
    }
}

/// A command's place in the queue, given back when dropped unless the command is in an entry by then.
struct QueuePlace<'a> {
    /// The command, until somebody takes it.
    ticket: Arc<Ticket>,
    /// Where it is counted.
    load: &'a Load,
}

impl QueuePlace<'_> {
    /// Takes the command back; false where it is in an entry, or was taken back before.
    fn withdraw(&self) -> bool {
        let is_mine = self.ticket.take().is_some();
        if is_mine {
            let bytes = self.ticket.bytes().len();
            self.load.leave_queue(bytes);
            self.load.leave(bytes);
        }
        is_mine
    }
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        self.withdraw();
    }
}

struct Task<E: Env> {
    /// Where entries are proposed.
    group: Arc<Group<E>>,
    /// The queue.
    waiting: mpsc::Receiver<Waiting>,
    /// What lies in front of the log.
    load: Arc<Load>,
    /// The judge of the queue.
    admission: Admission,
    /// One for each entry that may be in flight.
    slots: Arc<Semaphore>,
    /// The clock of the term that this node leads, with that term.
    clock: Option<(u64, Clock)>,
    /// The hybrid time of the whole node.
    node_clock: Arc<NodeClock>,
    /// What this node's wall time is worth.
    wall_clocks: Arc<WallClocks>,
    /// Lines about a wall clock that is behind.
    behind_log: LogLimit,
    /// What it has done so far.
    counters: Arc<SequencerCounters>,
    /// A command that no longer fitted the last entry.
    spare: Option<Waiting>,
    /// Whether the last entry had several commands: a lone writer waits for nobody.
    came_together: bool,
}

impl<E: Env> Task<E> {
    async fn run(mut self) {
        while let Some(first) = self.next().await {
            // First a slot, then the rest of the queue: while all slots are taken, commands gather.
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
            if self.came_together && first.bytes() <= GATHERED_BYTES_MAX {
                for _ in 0..TURNS_BEFORE_ENTRY {
                    tokio::task::yield_now().await;
                }
            }
            let round = self.drain(first);
            self.came_together = round.commands.len() > 1;
            if self.submit(round, slot).await.is_err() {
                return;
            }
        }
    }

    async fn next(&mut self) -> Option<Waiting> {
        match self.spare.take() {
            Some(spare) => Some(spare),
            None => self.waiting.recv().await,
        }
    }

    /// Takes what waits, as much as fits one entry. What was withdrawn takes no room.
    fn drain(&mut self, first: Waiting) -> Round {
        debug_assert!(self.spare.is_none(), "what did not fit an entry is the first of the next one");
        let mut round = Round::default();
        let commands_max = self.load.commands_max();
        let mut next = Some(first);
        while let Some(waiting) = next {
            let is_too_much = !round.commands.is_empty() && round.bytes + waiting.bytes() > ENTRY_BYTES_MAX;
            if is_too_much && !waiting.ticket.is_taken() {
                self.spare = Some(waiting);
                break;
            }
            if let Some(command) = waiting.ticket.take() {
                self.load.leave_queue(waiting.bytes());
                round.push(command, waiting);
            }
            if round.commands.len() >= commands_max {
                break;
            }
            next = self.waiting.try_recv().ok();
        }
        debug_assert!(round.commands.len() <= ENTRY_COMMANDS_MAX, "an entry is bounded in commands");
        debug_assert!(round.commands.len() <= 1 || round.bytes <= ENTRY_BYTES_MAX, "an entry is bounded in bytes");
        self.judge(round.oldest_ns, round.shares);
        round
    }

    /// Says how much may wait from now on.
    fn judge(&mut self, oldest_ns: Option<u64>, taken: usize) {
        let at_ns = E::monotonic_ns();
        let waited_ns = oldest_ns.map_or(0, |since_ns| at_ns.saturating_sub(since_ns));
        let is_empty = self.spare.is_none() && self.waiting.is_empty();
        let limit = self.admission.observe(Drain { at_ns, waited_ns, taken, is_empty });
        if self.load.set_limit(limit) == LIMIT_NONE && limit != LIMIT_NONE {
            let (shard, waited_ms) = (self.group.shard().0, waited_ns / 1_000_000);
            tracing::warn!(shard, waited_ms, "more writes than the shard can take; some are refused");
        }
    }

    async fn submit(&mut self, round: Round, slot: OwnedSemaphorePermit) -> Result<(), ProposeError> {
        let Round { commands, tickets, answers, bytes, .. } = round;
        let weight = Weight::of(&self.load, bytes);
        debug_assert!(self.slots.available_permits() < ENTRIES_IN_FLIGHT_MAX, "an entry in flight has a slot");
        if commands.is_empty() {
            return Ok(());
        }
        let entry = match self.stamp(commands) {
            Ok(entry) => entry,
            Err(error) => {
                AnswerSender::refuse_all(answers, &error);
                return Ok(());
            }
        };
        self.counters.entries.fetch_add(1, Ordering::Relaxed);
        self.counters.commands.fetch_add(entry.commands.len() as u64, Ordering::Relaxed);
        let payload = Payload::of_parts(entry, tickets.iter().map(|ticket| ticket.bytes()));
        let load = Arc::clone(&self.load);
        let deliver = move |result: Result<Vec<Outcome>, ProposeError>| {
            // What the commands were given is theirs as long as they are under way.
            drop((slot, weight, tickets));
            match result {
                Ok(outcomes) => {
                    debug_assert_eq!(outcomes.len(), answers.len(), "one outcome per command");
                    load.learn(&outcomes);
                    AnswerSender::send_all(answers.into_iter().zip(outcomes.into_iter().map(Ok)));
                }
                Err(error) => AnswerSender::refuse_all(answers, &ShardError::from(error)),
            }
        };
        self.group.propose(payload, Box::new(deliver)).await
    }

    /// Gives each command its timestamp, in the term that this node leads.
    fn stamp(&mut self, commands: Vec<Command>) -> Result<Entry, ShardError> {
        let term = self
            .group
            .lease()
            .leading_term()
            .ok_or_else(|| ShardError::NotLeader { leader: self.group.other_leader() })?;
        let clock = match &mut self.clock {
            Some((of_term, clock)) if *of_term == term => clock,
            stale => {
                let resumed = Clock::resume(self.group.published().ceiling());
                &mut stale.insert((term, resumed)).1
            }
        };
        let stamped_ms = self.wall_clocks.believed(E::wall_ms(), E::monotonic_ns());
        // A node takes over no time that is too far ahead, but its own wall clock may have been set back since.
        if clock.observe(self.node_clock.reading(stamped_ms), stamped_ms).is_err()
            && let Some(left_out) = self.behind_log.permits::<E>()
        {
            let shard = self.group.shard().0;
            tracing::warn!(shard, left_out, "the wall clock was set back; timestamps go on from the log's");
        }
        let stamp = |command: Command| {
            if let Some(decided) = command.decided_at() {
                clock.observe_decided(decided);
            }
            // Fail closed where no timestamp can be given: there is none left below the end of time.
            let ts = clock.tick_or_raise(stamped_ms).map_err(|_| ShardError::Stopped)?;
            Ok(Stamped { ts, command })
        };
        let commands = commands.into_iter().map(stamp).collect::<Result<Vec<Stamped>, ShardError>>()?;
        debug_assert!(!commands.is_empty(), "an entry has a command");
        debug_assert!(
            commands.windows(2).all(|pair| pair[0].ts < pair[1].ts),
            "timestamps rise in the order of the log"
        );
        debug_assert!(commands.iter().all(|stamped| stamped.ts < clock.ceiling()), "a timestamp is below its ceiling");
        self.node_clock.observe_local(clock.last());
        Ok(Entry { stamped_ms, ceiling: clock.ceiling(), commands })
    }
}
