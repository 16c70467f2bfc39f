//! Decide: the first decision that reaches the record shard stands. Forget: removes a record that is complete.

use hlc::Timestamp;

use super::Decision;
use crate::apply::{Applier, Fault, Outcome};
use crate::command::{Decide, Forget, Prepared, TransactionId, Verdict};
use crate::keyspace::local;

impl Applier<'_> {
    /// Applies a decision, or gives the one that stands.
    pub(in crate::apply) fn decide(&mut self, decide: &Decide) -> Result<Outcome, Fault> {
        if let Some(decision) = self.shard.locks.decision(decide.id) {
            let decision = Some(Decision::clone(decision));
            return Ok(Outcome::Decided { decision, actions: Vec::new() });
        }
        match &decide.verdict {
            Verdict::Ask => Ok(Outcome::Decided { decision: None, actions: Vec::new() }),
            Verdict::Commit { at, prepares, reads } => self.decide_commit(decide.id, *at, prepares, reads),
            Verdict::Abort { deadline_ms } => self.decide_abort(decide.id, *deadline_ms),
        }
    }

    /// Commits if the prepare here is still there; writes this shard's items at once, in the same entry.
    fn decide_commit(
        &mut self,
        id: TransactionId,
        at: Timestamp,
        prepares: &[Prepared],
        reads: &[u32],
    ) -> Result<Outcome, Fault> {
        let here = self.shard.locks.of(id).cloned();
        let named = here.filter(|here| prepares.iter().any(|prepared| prepared.ts == here.ts));
        let Some(prepared) = named else {
            let decision = Some(Decision::Aborted { deadline_ms: 0 });
            return Ok(Outcome::Decided { decision, actions: Vec::new() });
        };
        let intents = self.intents(&prepared)?;
        let decision = Decision::Committed { at, prepares: prepares.to_vec() };
        self.record(id, decision.clone());
        if let Some(token) = &prepared.client_token {
            self.remember_token(token, reads)?;
        }
        let actions = self.carry_out(&prepared, intents, Some(at))?;
        Ok(Outcome::Decided { decision: Some(decision), actions })
    }

    /// Aborts, and keeps the record for as long as a prepare might still come.
    fn decide_abort(&mut self, id: TransactionId, deadline_ms: u64) -> Result<Outcome, Fault> {
        let decision = Decision::Aborted { deadline_ms };
        if let Some(prepared) = self.shard.locks.of(id).cloned() {
            let intents = self.intents(&prepared)?;
            self.carry_out(&prepared, intents, None)?;
        }
        if self.entry.ts.physical_ms() <= deadline_ms {
            self.record(id, decision.clone());
        }
        Ok(Outcome::Decided { decision: Some(decision), actions: Vec::new() })
    }

    /// Applies the end of a decision.
    pub(in crate::apply) fn forget(&mut self, forget: &Forget) -> Outcome {
        let is_over = match self.shard.locks.decision(forget.id).map(AsRef::as_ref) {
            Some(Decision::Committed { .. }) => true,
            Some(Decision::Aborted { deadline_ms }) => self.entry.ts.physical_ms() > *deadline_ms,
            None => false,
        };
        if is_over {
            self.shard.locks.forget(forget.id);
            self.delete(local::decision(self.shard.id, forget.id.0));
        }
        Outcome::Done
    }

    fn record(&mut self, id: TransactionId, decision: Decision) {
        self.put(local::decision(self.shard.id, id.0), decision.to_bytes());
        self.shard.locks.record(id, decision);
    }
}
