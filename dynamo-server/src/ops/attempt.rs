//! Planning, doing, and planning again where the catalog had moved.
//!
//! A plan is made against the catalog installed on this node at that moment. Two things can show it to be stale: the
//! table is not known here, which only the system group may confirm, and the shard, whose installed description differs
//! from the planned one. Both lead back to planning, within the request's one deadline. The body is decoded again then:
//! it is rare, and so a plan may consume what was decoded.

use dynamo_engine::apply::ddl::DdlOutcome;
use dynamo_engine::apply::{Outcome, Rejection};
use dynamo_engine::catalog::{DdlCommand, TableDescriptor, TableStats};
use dynamo_engine::plan::{PlanError, WritePlan};
use dynamo_engine::read::ReadPlan;
use dynamo_protocol::error::ApiError;
use futures::future::try_join_all;

use crate::env::Env;
use crate::guard::ReadFailure;
use crate::node::Node;
use crate::shard::{Deadline, ShardError};

/// A request's way through planning: remembers whether the system group has confirmed what is installed here.
pub(super) struct Attempts {
    deadline: Deadline,
    confirmed: bool,
}

impl Attempts {
    pub(super) fn new<E: Env>(node: &Node<E>) -> Attempts {
        Attempts { deadline: node.deadline(), confirmed: false }
    }

    pub(super) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// The plan, or `None` when it is to be made again.
    ///
    /// # Errors
    /// The client's mistake; or that the system group did not answer.
    pub(super) async fn plan<E: Env, P>(
        &mut self,
        node: &Node<E>,
        plan: impl Fn() -> Result<P, PlanError>,
    ) -> Result<P, ApiError> {
        loop {
            match plan() {
                Ok(plan) => return Ok(plan),
                Err(PlanError::UnknownTable(_)) if !self.confirmed => {
                    node.refresh_catalog(self.deadline).await.map_err(ShardError::into_api_error)?;
                    self.confirmed = true;
                }
                Err(error) => return Err(error.into_api_error()),
            }
        }
    }

    /// After a stale plan: the next one sees a newer catalog, or the time is over.
    pub(super) async fn again<E: Env>(&mut self, node: &Node<E>) -> Result<(), ApiError> {
        if self.deadline.is_over::<E>() {
            return Err(ApiError::internal());
        }
        node.refresh_catalog(self.deadline).await.map_err(ShardError::into_api_error)?;
        self.confirmed = false;
        Ok(())
    }
}

/// Makes sure that the catalog installed here is as new as this moment.
///
/// # Errors
/// When the system group cannot confirm it in time.
pub(super) async fn confirm<E: Env>(node: &Node<E>, deadline: Deadline) -> Result<(), ApiError> {
    node.refresh_catalog(deadline).await.map_err(ShardError::into_api_error)
}

/// A look at the catalog: confirm, plan. Gives the deadline too, for what may follow.
pub(super) async fn look<E: Env, P>(
    node: &Node<E>,
    plan: impl Fn() -> Result<P, PlanError>,
) -> Result<(P, Deadline), ApiError> {
    let mut attempts = Attempts::new(node);
    // What is wrong with the request is said first, also by a node that cannot confirm anything.
    attempts.plan(node, &plan).await?;
    confirm(node, attempts.deadline()).await?;
    Ok((attempts.plan(node, &plan).await?, attempts.deadline()))
}

/// A table's item counts and sizes.
///
/// # Errors
/// When a shard cannot be believed in time, or its counts cannot be read.
pub(super) async fn stats<E: Env>(
    node: &Node<E>,
    table: &TableDescriptor,
    deadline: Deadline,
) -> Result<TableStats, ApiError> {
    node.table_stats(table, deadline).await.map_err(ReadFailure::into_api_error)
}

/// A change of the catalog: plan, propose.
pub(super) async fn ddl<E: Env>(
    node: &Node<E>,
    plan: impl Fn() -> Result<DdlCommand, PlanError>,
) -> Result<DdlOutcome, ApiError> {
    let mut attempts = Attempts::new(node);
    loop {
        let command = attempts.plan(node, &plan).await?;
        match node.propose_ddl(command, attempts.deadline()).await.map_err(ShardError::into_api_error)? {
            DdlOutcome::Stale => attempts.again(node).await?,
            outcome => return Ok(outcome),
        }
    }
}

/// A read handler: plan, guard, execute.
pub(super) async fn read<E: Env>(
    node: &Node<E>,
    plan: impl Fn() -> Result<ReadPlan, PlanError>,
) -> Result<Vec<u8>, ApiError> {
    let mut attempts = Attempts::new(node);
    loop {
        let plan = attempts.plan(node, &plan).await?;
        match node.read(plan, attempts.deadline()).await {
            Ok(body) => return Ok(body),
            Err(ReadFailure::Stale) => attempts.again(node).await?,
            Err(failure) => return Err(failure.into_api_error()),
        }
    }
}

/// A write handler: plan, propose everything at once, reply.
pub(super) async fn write<E: Env>(
    node: &Node<E>,
    plan: impl Fn() -> Result<WritePlan, PlanError>,
) -> Result<Vec<u8>, ApiError> {
    let mut attempts = Attempts::new(node);
    loop {
        let WritePlan { writes, reply } = attempts.plan(node, &plan).await?;
        let proposals = writes.into_iter().map(|write| node.propose(write.token, write.command, attempts.deadline()));
        let outcomes = try_join_all(proposals).await.map_err(ShardError::into_api_error)?;
        if !outcomes.iter().any(is_stale) {
            return reply.render(outcomes);
        }
        // Only the writes of a batch can be stale in part; doing the others once more gives the same items.
        attempts.again(node).await?;
    }
}

fn is_stale(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Rejected(Rejection::Stale))
}
