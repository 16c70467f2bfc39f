//! The loop around every operation: plan, execute, and plan again where the catalog has changed meanwhile.
//!
//! A plan is made against the catalog installed on this node at that moment. Two things can show it to be stale: the
//! table is not known here, which only the system group may confirm, and the shard, whose installed description differs
//! from the planned one. Both lead back to planning, within the request's one deadline. The body is decoded again then:
//! it is rare, and so a plan may consume what was decoded.

use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::apply::ddl::DdlOutcome;
use dynamo_engine::apply::{Outcome, Rejection};
use dynamo_engine::catalog::{DdlCommand, MemoryCatalog, TableDescriptor, TableStats};
use dynamo_engine::plan::execute_statement::SelectPlan;
use dynamo_engine::plan::{PlanError, PlannedCommand, WritePlan};
use dynamo_engine::read::{Execution, ReadPlan};
use dynamo_engine::reply::ReplySpec;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::Room;
use dynamo_protocol::limits::{ITEM_BYTES_MAX, TRANSACTION_BYTES_MAX};

use super::Call;
use crate::env::Env;
use crate::guard::ReadFailure;
use crate::memory::{AnswerRoom, COUNTED_BYTES_MIN, Taken};
use crate::node::INLINE_BYTES_MAX;
use crate::shard::{Deadline, ShardError};
use crate::transaction::OnConflict;

/// How often what a body asks for is held while it is carried out: by what is proposed again where something is in the way, and by
/// the reply, which gives back what was not done.
const PLANNED_COPIES: usize = 2;

/// What a stored byte may become as JSON: in a list, two bytes are `{"BOOL":false},`.
const JSON_PER_STORED: usize = 8;

/// How often a stored item is held that is shown: as it was, and as it is.
const STORED_COPIES: usize = 2;

/// What makes a plan of a request's body and the catalog. It borrows nothing, so that it can do so on another thread.
pub(super) trait Planner<P>: Fn(&[u8], &MemoryCatalog) -> Result<P, PlanError> + Clone + Send + 'static {}

impl<P, F: Fn(&[u8], &MemoryCatalog) -> Result<P, PlanError> + Clone + Send + 'static> Planner<P> for F {}

/// How long to wait where planning again would give the same plan. Installing a description in a shard takes some
/// synced writes.
const STALE_PAUSE: Duration = Duration::from_millis(5);

/// How long a mistake of the client's may wait for a newer catalog that would make it none.
const TRY_CONFIRM_MAX: Duration = Duration::from_millis(500);

impl<E: Env> Call<'_, E> {
    /// A read handler: plan, guard, execute.
    pub(super) async fn read(&self, plan: impl Planner<ReadPlan>) -> Result<Vec<u8>, ApiError> {
        loop {
            let planned = self.plan(plan.clone()).await?;
            match self.node.reader.execute(planned, self.deadline).await {
                Ok(read) => {
                    self.keep_room(read.room());
                    return Ok(match self.body.len() <= INLINE_BYTES_MAX {
                        true => read.into_body(),
                        // With it goes the plan, which may have hundreds of thousands of names.
                        false => E::background(move || read.into_body()).await,
                    });
                }
                Err(ReadFailure::Stale) => self.again().await?,
                Err(failure) => return Err(failure.into_api_error()),
            }
        }
    }

    /// A read whose answer the handler makes: plan, guard, execute. A plan may read nothing.
    pub(super) async fn execute(
        &self,
        plan: impl Fn() -> Result<SelectPlan, PlanError>,
    ) -> Result<(SelectPlan, Option<Execution>), ApiError> {
        loop {
            let mut planned = self.plan_here(&plan).await?;
            let Some(read) = planned.read.take() else { return Ok((planned, None)) };
            match self.node.reader.execute(read, self.deadline).await {
                Ok(read) => {
                    self.keep_room(read.room());
                    return Ok((planned, Some(read)));
                }
                Err(ReadFailure::Stale) => self.again().await?,
                Err(failure) => return Err(failure.into_api_error()),
            }
        }
    }

    /// A write handler: plan, propose everything at once, reply.
    ///
    /// Only the writes of a batch can be stale in part. Those are planned and proposed again; what is done stays done,
    /// since doing it twice could undo what another client has written in between. What a shard refuses is settled, too:
    /// of a batch it goes back to the client as unprocessed.
    pub(super) async fn write(&self, plan: impl Planner<WritePlan>) -> Result<Vec<u8>, ApiError> {
        let mut done: Vec<Option<Settled>> = Vec::new();
        let mut room = None;
        loop {
            let WritePlan { writes, reply } = self.plan(plan.clone()).await?;
            let (_planned, proposed) = self.memory_for_writes()?;
            if room.is_none() && reply.shows_items() {
                room = self.room_to_show(&writes)?;
            }
            done.resize(writes.len(), None);
            let open = still_open(writes, &done);
            let on_conflict = match reply {
                // The writes of a batch are on their own, and there is no error for one of them: they wait.
                ReplySpec::Batch(_) => OnConflict::Wait,
                _ => OnConflict::Answer,
            };
            // Each command takes its own from here on; where all of them would find none, nothing was begun.
            drop(proposed);
            let (transactions, deadline) = (&self.node.transactions, self.deadline);
            let outcomes = match <[PlannedCommand; 1]>::try_from(open) {
                // The future of a proposal is some kilobytes long, and is moved about where it is one of several.
                Ok([write]) => vec![transactions.propose(write, on_conflict, deadline).await],
                Err(writes) => transactions.propose_all(writes, on_conflict, deadline).await,
            };
            keep(&mut done, outcomes.into_iter().map(settled).collect::<Result<_, _>>()?);
            if done.iter().all(Option::is_some) {
                let outcomes: Vec<Settled> = done.into_iter().flatten().collect();
                let bytes = reply.bytes_to_show(&outcomes);
                if self.body.len() + bytes <= INLINE_BYTES_MAX {
                    return reply.render(outcomes);
                }
                let room = match room {
                    Some(room) => room,
                    None => self.room_shown(&outcomes, bytes)?,
                };
                self.keep_room(Some(Arc::clone(&room) as Arc<dyn Room>));
                let render = move || {
                    let rendered = reply.render(outcomes);
                    room.settle(rendered.as_ref().map_or_else(ApiError::bytes, Vec::capacity));
                    rendered
                };
                let rendered = self.node.off_loop.run::<E, _>(self.deadline, render).await;
                // It is done, whatever becomes of the answer.
                return rendered.unwrap_or_else(|_| Err(ApiError::internal()));
            }
            self.again().await?;
        }
    }

    /// Memory for what a large body has become, and for as much once more while it is proposed.
    ///
    /// # Errors
    /// Where there is none.
    fn memory_for_writes(&self) -> Result<(Option<Taken>, Option<Taken>), ApiError> {
        if self.body.len() <= INLINE_BYTES_MAX {
            return Ok((None, None));
        }
        let memory = self.node.memory();
        let bytes = memory.fitting(2 * PLANNED_COPIES * self.body.len()) / 2;
        let take = || memory.take(bytes).ok_or_else(ApiError::throughput_exceeded);
        Ok((Some(take()?), Some(take()?)))
    }

    /// Room for the items that the answer to these writes may show, before anything is done: what is done is told, however
    /// large. An item may be as large as any; where so much for each write does not leave plenty, those count that are there
    /// now. `None`: they are small.
    ///
    /// # Errors
    /// Where there is none.
    fn room_to_show(&self, writes: &[PlannedCommand]) -> Result<Option<Arc<AnswerRoom>>, ApiError> {
        let memory = self.node.memory();
        let keys = || writes.iter().flat_map(|write| write.command.item_keys());
        let room_for = |rows: usize| STORED_COPIES * rows + JSON_PER_STORED * rows.min(TRANSACTION_BYTES_MAX);
        if let Some(taken) = memory.take_of_plenty(room_for(keys().count() * ITEM_BYTES_MAX)) {
            return Ok(Some(AnswerRoom::of(taken)));
        }
        let rows = keys().map(|key| self.node.reader.row_bytes(key).unwrap_or(ITEM_BYTES_MAX)).sum();
        match room_for(rows) {
            ..COUNTED_BYTES_MIN => Ok(None),
            bytes => {
                memory.take_for_answer(bytes).map(AnswerRoom::of).map(Some).ok_or_else(ApiError::throughput_exceeded)
            }
        }
    }

    /// Room for rows that were small when they were looked at, and are `bytes` long now that they are shown.
    ///
    /// # Errors
    /// Where there is none, and nothing was done.
    fn room_shown(&self, outcomes: &[Settled], bytes: usize) -> Result<Arc<AnswerRoom>, ApiError> {
        let memory = self.node.memory();
        let taken = match outcomes.iter().flatten().any(Outcome::is_done) {
            true => Some(memory.take_anyway(bytes)),
            false => memory.take_for_answer(bytes),
        };
        taken.map(AnswerRoom::of).ok_or_else(ApiError::throughput_exceeded)
    }

    /// A change of the catalog: plan, propose.
    pub(super) async fn ddl(&self, plan: impl Planner<DdlCommand>) -> Result<DdlOutcome, ApiError> {
        self.ddl_after(plan, |_| Ok(())).await.map(|(outcome, ())| outcome)
    }

    /// A change of the catalog: plan, look at what is about to change, propose. Gives what was seen, too.
    pub(super) async fn ddl_after<T>(
        &self,
        plan: impl Planner<DdlCommand>,
        look: impl Fn(&DdlCommand) -> Result<T, ApiError>,
    ) -> Result<(DdlOutcome, T), ApiError> {
        loop {
            let command = self.plan_ddl(plan.clone()).await?;
            let seen = look(&command)?;
            match self.node.catalog.change(command, self.deadline).await.map_err(ShardError::into_api_error)? {
                DdlOutcome::Stale => self.again().await?,
                outcome => return Ok((outcome, seen)),
            }
        }
    }

    /// A look at the catalog: plan, confirm, plan. What is wrong with the request is said first, also by a node that
    /// cannot confirm anything.
    pub(super) async fn look<P: Send + 'static>(&self, plan: impl Planner<P>) -> Result<P, ApiError> {
        self.plan(plan.clone()).await?;
        self.confirm().await?;
        self.plan(plan).await
    }

    /// Makes sure that the catalog installed here is as new as this moment.
    ///
    /// # Errors
    /// When the system group cannot confirm it in time.
    pub(super) async fn confirm(&self) -> Result<(), ApiError> {
        self.node.catalog.refresh(self.deadline).await.map_err(ShardError::into_api_error)
    }

    /// A table's item counts and sizes.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn stats(&self, table: &TableDescriptor) -> Result<TableStats, ApiError> {
        self.node.reader.table_stats(table).map_err(ReadFailure::into_api_error)
    }

    /// The plan by the catalog of this moment, with an unknown table or index confirmed to be so. That of a small request is
    /// made here, that of a large one where it holds nobody up.
    ///
    /// # Errors
    /// The client's mistake; or that the system group did not answer.
    async fn plan<P: Send + 'static>(&self, plan: impl Planner<P>) -> Result<P, ApiError> {
        let mut has_looked_again = false;
        loop {
            let catalog = self.node.catalog.installed();
            let planned = if self.body.len() <= INLINE_BYTES_MAX {
                plan(self.body, &catalog)
            } else {
                let (body, plan) = (self.body.clone(), plan.clone());
                let made = self.node.off_loop.read::<E, _>(body.len(), self.deadline, move || plan(&body, &catalog));
                made.await.unwrap_or_else(|error| Err(PlanError::Client(error.into_api_error())))
            };
            match planned {
                Ok(planned) => return Ok(planned),
                Err(error) if has_looked_again => return Err(error.into_api_error()),
                Err(error) => self.look_again_after(error).await?,
            }
            has_looked_again = true;
        }
    }

    /// As [`Call::plan`], for a plan that is made of what was read before, and so of little.
    async fn plan_here<P>(&self, plan: impl Fn() -> Result<P, PlanError>) -> Result<P, ApiError> {
        match plan() {
            Ok(planned) => Ok(planned),
            Err(error) => {
                self.look_again_after(error).await?;
                plan().map_err(PlanError::into_api_error)
            }
        }
    }

    /// Makes the catalog here newer, if that may mend what a plan stumbled over.
    ///
    /// # Errors
    /// What is final.
    async fn look_again_after(&self, error: PlanError) -> Result<(), ApiError> {
        match error {
            // That something does not exist, or is not ready, is an answer like any other: only a confirmed catalog gives it.
            PlanError::UnknownIndex(_) if self.node.catalog.is_led_here() => Ok(()),
            PlanError::UnknownTable(_) | PlanError::UnknownIndex(_) => self.confirm().await,
            PlanError::Client(error) => Err(error),
        }
    }

    /// What is made of the body alone: of a small one here, of a large one where that holds nobody up.
    pub(crate) async fn decode<P: Send + 'static>(
        &self,
        decode: impl FnOnce(&[u8]) -> Result<P, ApiError> + Send + 'static,
    ) -> Result<P, ApiError> {
        if self.body.len() <= INLINE_BYTES_MAX {
            return decode(self.body);
        }
        let body = self.body.clone();
        let decoded = self.node.off_loop.read::<E, _>(body.len(), self.deadline, move || decode(&body)).await;
        decoded.unwrap_or_else(|error| Err(error.into_api_error()))
    }

    /// As [`Call::plan`], for a change of the catalog: every rule that it may break depends on the catalog.
    async fn plan_ddl<P: Send + 'static>(&self, plan: impl Planner<P>) -> Result<P, ApiError> {
        match self.plan(plan.clone()).await {
            Err(error) => match self.try_confirm().await {
                true => self.plan(plan).await,
                false => Err(error),
            },
            planned => planned,
        }
    }

    /// Makes the catalog here as new as this moment, unless that takes long; whether it is.
    async fn try_confirm(&self) -> bool {
        let deadline = Deadline::after::<E>(TRY_CONFIRM_MAX).min(self.deadline);
        self.node.catalog.is_led_here() || self.node.catalog.refresh(deadline).await.is_ok()
    }

    /// After a stale plan: the next one sees a newer catalog, or the time is over. Where the catalog is no newer, the
    /// shard that refused the plan is ahead of it or behind it for a moment, which is waited for.
    async fn again(&self) -> Result<(), ApiError> {
        let planned = self.node.catalog.installed();
        self.confirm().await?;
        if Arc::ptr_eq(&planned, &self.node.catalog.installed()) {
            E::sleep(STALE_PAUSE).await;
        }
        if self.deadline.is_over::<E>() { Err(ApiError::internal()) } else { Ok(()) }
    }
}

/// What came of a write: an outcome, or a refusal.
type Settled = Result<Outcome, ApiError>;

/// What came of a proposal.
///
/// # Errors
/// Where it is not certain whether the write was done, or nobody could be asked.
fn settled(result: Result<Outcome, ShardError>) -> Result<Settled, ApiError> {
    match result {
        Ok(outcome) => Ok(Ok(outcome)),
        Err(error) if error.is_refusal() => Ok(Err(error.into_api_error())),
        Err(error) => Err(error.into_api_error()),
    }
}

/// The writes that have no outcome yet, in their order.
fn still_open<W>(writes: Vec<W>, done: &[Option<Settled>]) -> Vec<W> {
    debug_assert_eq!(writes.len(), done.len(), "planned again, a batch has as many writes");
    writes.into_iter().zip(done).filter_map(|(write, outcome)| outcome.is_none().then_some(write)).collect()
}

/// Puts the outcomes of the open writes into their places, except those that ask for another plan.
fn keep(done: &mut [Option<Settled>], outcomes: Vec<Settled>) {
    debug_assert_eq!(
        done.iter().filter(|place| place.is_none()).count(),
        outcomes.len(),
        "one outcome for each write that was open"
    );
    for (place, outcome) in done.iter_mut().filter(|place| place.is_none()).zip(outcomes) {
        *place = (!is_stale(&outcome)).then_some(outcome);
    }
}

fn is_stale(outcome: &Settled) -> bool {
    matches!(outcome, Ok(Outcome::Rejected(Rejection::Stale)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settled_writes_are_not_proposed_again() {
        let mut done = vec![None; 4];
        assert_eq!(still_open(vec!["a", "b", "c", "d"], &done), ["a", "b", "c", "d"]);
        let stale = || Ok(Outcome::Rejected(Rejection::Stale));
        keep(&mut done, vec![Ok(Outcome::Done), stale(), Ok(Outcome::TokenMismatch), stale()]);
        assert_eq!(still_open(vec!["a", "b", "c", "d"], &done), ["b", "d"]);
        let refused = settled(Err(ShardError::Overloaded)).expect("a refusal settles a write");
        keep(&mut done, vec![refused, Ok(Outcome::Conflict)]);
        let names: Vec<Result<Outcome, String>> =
            done.into_iter().flatten().map(|settled| settled.map_err(|error| error.type_name().to_owned())).collect();
        let refused = Err(ApiError::throughput_exceeded().type_name().to_owned());
        assert_eq!(names, [Ok(Outcome::Done), refused, Ok(Outcome::TokenMismatch), Ok(Outcome::Conflict)]);
        assert!(settled(Err(ShardError::Unknown)).is_err(), "what may have been done is not said to be undone");
    }
}
