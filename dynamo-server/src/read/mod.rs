//! A read's way through the node: read set, guard, view, execute.
//!
//! ```text
//!                              ┌ led here:      lease ─▶ intents ───────────▶ view of this node's store ┐
//! plan ─▶ read set ─▶ by shard ┤                                                                        ├─▶ execution
//!                              └ led elsewhere: one call: lease ─▶ intents ─▶ view ─▶ the rows fetched ─┘
//! ```
//!
//! All shards of a read set are asked at the same time, each once, and the first error ends the others; a page asks the
//! shards of the ring only as far as it gets ([`ring`]); a transaction over several shards asks them twice ([`cut`]).
//! What a shard was chosen by, its number and epoch and the versions of the plan's tables, is compared with what is
//! installed in it between check and view; a difference means a new plan and the whole way again, within the same
//! deadline.
//!
//! Where one shard has everything and this node is alone, none of this is looked up or allocated.

mod counts;
mod cut;
mod page_cache;
mod ring;
mod run;
mod stats;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::catalog::{Catalog, TableDescriptor};
use dynamo_engine::read::remote::{FetchRequest, FetchResponse, Fetched, Selector};
use dynamo_engine::read::{Execution, ReadPlan, ReadSet, Step, TableVersion};
use futures::future::try_join_all;
use shard_router::{Epoch, Token, TokenRange};

pub(crate) use self::run::Runner;
use self::run::{RESPONSE_BYTES, Sources};
use crate::env::Env;
use crate::guard::fault::Point;
use crate::guard::{EventualReads, Handler, REPLICA_AGE_MAX, ReadFailure};
use crate::peer::fetch::FetchCall;
use crate::peer::{Fetch, Header};
use crate::raft::rules::{self, Rule};
use crate::router::{IfLost, Place, Router};
use crate::shard::{Deadline, Shard, ShardError};
use crate::transaction::{IntentFilter, Transactions};

/// How long a peer is given at least to answer; half of what is left, where that is more.
const ATTEMPT_MIN: Duration = Duration::from_secs(1);

/// A shard with the part of a read set that it owns.
struct Part<'a, E: Env> {
    /// The shard.
    shard: &'a Arc<Shard<E>>,
    /// Of the map by which it was chosen.
    epoch: Epoch,
    /// What it owns of the read set, in the order of the ring.
    tokens: Vec<TokenRange>,
}

/// What becomes of a shard that is led here.
#[derive(Clone, Copy)]
enum IfHere {
    /// Lease and intents are checked; the store of this node is read later.
    Check,
    /// It is fetched from as another node would be.
    Fetch,
}

/// What answers reads.
pub(crate) struct Reader<E: Env> {
    /// Knows the shards, and the guard in front of them.
    router: Arc<Router<E>>,
    /// Intents in the way of a read are waited for, and settled.
    transactions: Arc<Transactions<E>>,
    /// Who answers reads that are not to be strongly consistent.
    eventual_reads: EventualReads,
    /// Runs what was let through.
    runner: Runner<E>,
}

impl<E: Env> Reader<E> {
    /// That of a node.
    pub(crate) fn new(
        router: Arc<Router<E>>,
        transactions: Arc<Transactions<E>>,
        eventual_reads: EventualReads,
        runner: Runner<E>,
    ) -> Reader<E> {
        Reader { router, transactions, eventual_reads, runner }
    }

    /// Where reads run.
    pub(crate) fn runner(&self) -> &Runner<E> {
        &self.runner
    }

    /// Runs a read plan.
    ///
    /// The plan's tables must still be installed as they were planned; the shards that it reads are checked once each;
    /// only then the state is looked at. What is in memory is read in place; what needs the disk goes to the blocking
    /// pool.
    ///
    /// # Errors
    /// [`ReadFailure::Stale`] asks for another plan; everything else is final.
    pub(crate) async fn execute(&self, plan: ReadPlan, deadline: Deadline) -> Result<Execution, ReadFailure> {
        self.check_running()?;
        let handler = Handler::of(&plan);
        let read = Execution::new(plan);
        if self.may_be_old(&read) {
            return Ok(whole(self.runner.advance(read, Sources::Here, deadline).await?));
        }
        if let [only] = &self.router.shards[..]
            && self.router.is_alone
            && self.is_open(handler, read.plan(), only, only.epoch()).await?
        {
            return Ok(whole(self.runner.advance(read, Sources::Here, deadline).await?));
        }
        match read.rest() {
            ReadSet::Keys(tokens) => self.read_keys(handler, read, &tokens, deadline).await,
            ReadSet::Ranges(spans) => {
                let span = spans.first().copied().unwrap_or(TokenRange::FULL);
                self.read_ring(handler, read, span, deadline).await
            }
            ReadSet::All => self.read_ring(handler, read, TokenRange::FULL, deadline).await,
        }
    }

    /// Whether the read may be answered by the replicas of this node as they are.
    fn may_be_old(&self, read: &Execution) -> bool {
        let plan = read.plan();
        if self.eventual_reads == EventualReads::Leader || plan.is_consistent() {
            return false;
        }
        let is_fit = |shard: &Shard<E>| shard.is_recent(REPLICA_AGE_MAX) && is_current(plan, shard);
        match read.rest() {
            ReadSet::Keys(tokens) => tokens.iter().all(|token| is_fit(self.router.shard_of(*token))),
            ReadSet::Ranges(_) | ReadSet::All => self.router.shards.iter().all(|shard| is_fit(shard)),
        }
    }

    /// Single partitions, each of which has one owner.
    async fn read_keys(
        &self,
        handler: Handler,
        read: Execution,
        tokens: &[Token],
        deadline: Deadline,
    ) -> Result<Execution, ReadFailure> {
        if let [token] = tokens {
            let (id, epoch) = self.router.map.locate(*token);
            let shard = self.router.shard(id)?;
            if !rules::is_kept(Rule::ViewAfterLease) {
                let read = whole(self.runner.advance(read, Sources::Here, deadline).await?);
                self.router.guard.faults().pass::<E>(Point::BehindLease).await;
                let is_led = self.is_open(handler, read.plan(), shard, epoch).await?;
                return if is_led { Ok(read) } else { Err(ShardError::NotConfirmed.into()) };
            }
            if self.is_open(handler, read.plan(), shard, epoch).await? {
                return Ok(whole(self.runner.advance(read, Sources::Here, deadline).await?));
            }
        }
        let parts = self.parts(tokens);
        if handler == Handler::TransactGetItems && parts.len() > 1 {
            return self.read_cut(handler, read, &parts, deadline).await;
        }
        let mut asked = Vec::with_capacity(parts.len());
        for part in &parts {
            asked.push(self.source_of(handler, &read, part, deadline));
        }
        let sources = try_join_all(asked).await?;
        debug_assert_eq!(sources.len(), parts.len(), "each part has its source");
        let sources = match sources.iter().all(Option::is_none) {
            true => Sources::Here,
            false => Sources::Parts(parts.into_iter().map(|part| part.tokens).zip(sources).collect()),
        };
        Ok(whole(self.runner.advance(read, sources, deadline).await?))
    }

    /// What a part is read from: `None` is the store of this node.
    async fn source_of(
        &self,
        handler: Handler,
        read: &Execution,
        part: &Part<'_, E>,
        deadline: Deadline,
    ) -> Result<Option<Fetched>, ReadFailure> {
        if self.is_open(handler, read.plan(), part.shard, part.epoch).await? {
            return Ok(None);
        }
        self.obtain(handler, part.shard, part.epoch, read.fetch_request(&part.tokens), deadline).await
    }

    /// The shards that own these tokens, each once.
    fn parts(&self, tokens: &[Token]) -> Vec<Part<'_, E>> {
        let mut parts: Vec<Part<'_, E>> = Vec::new();
        for token in tokens {
            let (id, epoch) = self.router.map.locate(*token);
            let tokens = TokenRange::only(*token);
            // Tokens come in the order of the ring, so the last part is the likeliest.
            match parts.iter_mut().rev().find(|part| part.shard.id() == id) {
                Some(part) => part.tokens.push(tokens),
                None => parts.push(Part { shard: &self.router.shards[id.0 as usize], epoch, tokens: vec![tokens] }),
            }
        }
        debug_assert!(
            parts.iter().all(|part| part.tokens.is_sorted()),
            "what a part reads is in the order of the ring"
        );
        debug_assert_eq!(
            parts.iter().map(|part| part.tokens.len()).sum::<usize>(),
            tokens.len(),
            "each token has one owner"
        );
        parts
    }

    /// Checks a shard, and fetches what is needed of it where another node leads it. `None`: it is led here.
    async fn obtain(
        &self,
        handler: Handler,
        shard: &Arc<Shard<E>>,
        epoch: Epoch,
        request: FetchRequest,
        deadline: Deadline,
    ) -> Result<Option<Fetched>, ReadFailure> {
        let Some(response) = self.reach(handler, shard, epoch, &request, IfHere::Check, deadline).await? else {
            return match is_installed(&request.tables, shard) {
                true => Ok(None),
                false => Err(ReadFailure::Stale),
            };
        };
        match Fetched::new(request, response) {
            Ok(fetched) => Ok(Some(fetched)),
            Err(error) => Err(mismatch(shard, &error)),
        }
    }

    /// What a shard answers, wherever it is led.
    async fn fetch(
        &self,
        handler: Handler,
        part: &Part<'_, E>,
        request: &FetchRequest,
        deadline: Deadline,
    ) -> Result<FetchResponse, ReadFailure> {
        let response = self.reach(handler, part.shard, part.epoch, request, IfHere::Fetch, deadline).await?;
        response.ok_or(ReadFailure::Stale)
    }

    /// Goes to the leader of a shard, wherever it is, until it has answered.
    async fn reach(
        &self,
        handler: Handler,
        shard: &Arc<Shard<E>>,
        epoch: Epoch,
        request: &FetchRequest,
        if_here: IfHere,
        deadline: Deadline,
    ) -> Result<Option<FetchResponse>, ReadFailure> {
        let reached = self.router.at_leader(shard, deadline, |place| async move {
            match (place, if_here) {
                (Place::Here, IfHere::Check) => {
                    self.check_here(handler, shard, epoch, request, deadline).await.map(|()| None)
                }
                (Place::Here, IfHere::Fetch) => {
                    self.fetch_here(shard, epoch, handler, request.clone(), deadline).await.map(Some)
                }
                (Place::At(leader), _) => {
                    self.fetch_from(leader, handler, shard, epoch, request, deadline).await.map(Some)
                }
            }
        });
        match reached.await {
            Ok(Some(FetchResponse::Stale)) => Err(ReadFailure::Stale),
            reached => reached,
        }
    }

    /// Asks the leader of a shard. An answer that was lost may be asked for again: nothing was done.
    async fn fetch_from(
        &self,
        leader: u64,
        handler: Handler,
        shard: &Arc<Shard<E>>,
        epoch: Epoch,
        request: &FetchRequest,
        deadline: Deadline,
    ) -> Result<FetchResponse, ReadFailure> {
        // What comes counts when it is here; a page is as good as certain to be large.
        let _expected = match &request.selector {
            Selector::Page(_) => Some(self.runner.room_for(RESPONSE_BYTES)?),
            _ => None,
        };
        // A leader that was cut off must not take all the time; one that has 16 MB to send needs some.
        let half = Deadline::after::<E>((deadline.remaining::<E>() / 2).max(ATTEMPT_MIN)).min(deadline);
        let request = FetchCall { handler, epoch, request };
        Ok(self.router.call_leader::<Fetch>(leader, shard.id(), request, IfLost::AskAgain, half).await??)
    }

    /// Reads for another node what it needs of a shard that this one leads.
    ///
    /// # Errors
    /// As [`Reader::fetch_here`]; that the plan is stale is an answer.
    pub(crate) async fn fetch_for_peer(
        &self,
        header: Header,
        request: FetchCall<FetchRequest>,
    ) -> Result<FetchResponse, ShardError> {
        let FetchCall { handler, epoch, request } = request;
        let shard = self.router.shard(header.shard)?;
        match self.fetch_here(shard, epoch, handler, request, Deadline::after::<E>(header.remaining)).await {
            Ok(response) => Ok(response),
            Err(ReadFailure::Stale) => Ok(FetchResponse::Stale),
            Err(ReadFailure::Shard(error)) => Err(error),
            Err(ReadFailure::Read(error)) => {
                tracing::error!(shard = header.shard.0, %error, "what a peer needs cannot be read");
                Err(ShardError::NotConfirmed)
            }
        }
    }

    /// Reads what is needed of a shard, as far as this node leads it: lease, locks, view and rows.
    ///
    /// # Errors
    /// [`ReadFailure::Stale`] where shard or tables are not as they were planned; [`ShardError::NotLeader`] where another
    /// node leads.
    pub(crate) async fn fetch_here(
        &self,
        shard: &Arc<Shard<E>>,
        epoch: Epoch,
        handler: Handler,
        request: FetchRequest,
        deadline: Deadline,
    ) -> Result<FetchResponse, ReadFailure> {
        self.check_here(handler, shard, epoch, &request, deadline).await?;
        self.runner.serve(shard, request, deadline).await
    }

    /// Lease and locks of a shard that this node leads. From here on its store may be read.
    async fn check_here(
        &self,
        handler: Handler,
        shard: &Arc<Shard<E>>,
        epoch: Epoch,
        request: &FetchRequest,
        deadline: Deadline,
    ) -> Result<(), ReadFailure> {
        self.check_running()?;
        self.router.guard.pass(handler, std::slice::from_ref(shard), deadline).await?;
        self.router.guard.faults().pass::<E>(Point::BehindLease).await;
        if shard.group().published().locks() != 0 {
            self.wait_for_intents(shard, request, deadline).await?;
        }
        self.router.guard.faults().pass::<E>(Point::BehindLocks).await;
        if shard.epoch() == epoch { Ok(()) } else { Err(ReadFailure::Stale) }
    }

    /// Whether a shard that is led here lets a read through at once: lease, then no locks. The other way round, a
    /// transaction could be prepared here and acknowledged between the two. Waits for nothing, but where a test holds reads
    /// up.
    ///
    /// # Errors
    /// [`ReadFailure::Stale`] where the shard, or a table in it, is not as it was planned.
    #[inline]
    async fn is_open(
        &self,
        handler: Handler,
        plan: &ReadPlan,
        shard: &Shard<E>,
        epoch: Epoch,
    ) -> Result<bool, ReadFailure> {
        if !self.router.guard.holds(handler, shard) {
            return Ok(false);
        }
        self.router.guard.faults().pass::<E>(Point::BehindLease).await;
        let is_free = shard.group().published().locks() == 0;
        self.router.guard.faults().pass::<E>(Point::BehindLocks).await;
        if !is_free {
            return Ok(false);
        }
        self.router.guard.count_hit(handler, shard);
        if shard.epoch() == epoch && is_current(plan, shard) { Ok(true) } else { Err(ReadFailure::Stale) }
    }

    /// Waits until no prepared transaction holds what is needed.
    async fn wait_for_intents(
        &self,
        shard: &Arc<Shard<E>>,
        request: &FetchRequest,
        deadline: Deadline,
    ) -> Result<(), ReadFailure> {
        let what = match &request.selector {
            // The second look of a cut says by itself what is locked, and the first was let through.
            Selector::Marks(_) => return Ok(()),
            // What stands in a stream has been committed.
            Selector::Stream(_) => return Ok(()),
            Selector::Keys { keys, .. } | Selector::Cut(keys) => IntentFilter::Keys(keys),
            Selector::Page(page) => IntentFilter::Ranges(&page.ranges),
        };
        Ok(self.transactions.wait_for_intents(shard, &what, deadline).await?)
    }

    /// Bytes of the row that this node has under a key now, whether it is current or not; `None` where that takes a look at the
    /// disk.
    pub(crate) fn row_bytes(&self, key: &[u8]) -> Option<usize> {
        self.runner.row_bytes(key)
    }

    /// A PartiQL statement was carried out as a scan.
    pub(crate) fn count_statement_scan(&self) {
        self.runner.counts().note_statement_scan();
    }

    fn check_running(&self) -> Result<(), ShardError> {
        if self.router.has_failed() { Err(ShardError::Stopped) } else { Ok(()) }
    }
}

/// A read for which everything was there.
fn whole((read, step): (Execution, Step)) -> Execution {
    debug_assert_eq!(step, Step::Done, "a read that has all shards of its read set comes to its end");
    read
}

/// Whether the plan's tables are installed in the shard as they were planned. A version older than the plan's is as good:
/// what a plan reads was there everywhere before the description said so.
fn is_current<E: Env>(plan: &ReadPlan, shard: &Shard<E>) -> bool {
    let catalog = shard.group().published().catalog();
    plan.tables().into_iter().all(|planned| {
        let same = |installed: &Arc<TableDescriptor>| installed.id == planned.id;
        let installed = catalog.table(&planned.name).filter(same).or_else(|| catalog.table_by_id(planned.id));
        installed.is_some_and(|installed| {
            Arc::ptr_eq(&installed, planned) || installed.schema_version <= planned.schema_version
        })
    })
}

/// As [`is_current`], by number.
fn is_installed<E: Env>(tables: &[TableVersion], shard: &Shard<E>) -> bool {
    let catalog = shard.group().published().catalog();
    let is_there = |table: &TableVersion| {
        catalog.table_by_id(table.id).is_some_and(|installed| installed.schema_version <= table.version)
    };
    tables.iter().all(is_there)
}

fn mismatch<E: Env>(shard: &Shard<E>, error: &dyn std::fmt::Display) -> ReadFailure {
    tracing::error!(shard = shard.id().0, %error, "a peer does not answer what it was asked");
    ShardError::NotConfirmed.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::TokioEnv;

    /// The front runs requests as tasks; a future that is not `Send` would only be noticed there.
    #[allow(dead_code)]
    fn reads_can_be_tasks(reader: &Reader<TokioEnv>, plan: ReadPlan, deadline: Deadline) {
        fn is_send<T: Send>(_: T) {}
        is_send(reader.execute(plan, deadline));
    }
}
