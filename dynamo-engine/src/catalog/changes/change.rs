//! What each step of a change does to a descriptor.

use crate::catalog::{
    BillingMode, IndexDescriptor, IndexId, IndexState, StreamSettings, StreamView, TableClassSettings, TableDescriptor,
    TableStep, Throughput, TtlSettings,
};

/// Milliseconds of a UTC day, for the count of decreases.
pub(super) const DAY_MS: u64 = 86_400_000;

impl TableDescriptor {
    /// Makes one step at the log's time `now_ms`; `next_id` is the replicated counter.
    ///
    /// A step for an index that is not there, or a transition that [`IndexState::may_become`] forbids, changes nothing
    /// and answers `false`: the plan was made for another version.
    pub fn step(&mut self, step: &TableStep, now_ms: u64, next_id: &mut u64) -> bool {
        match step {
            TableStep::Billing(mode) => self.set_billing(*mode, now_ms),
            TableStep::Throughput { read_units, write_units } => {
                self.throughput.set(*read_units, *write_units, now_ms);
            }
            TableStep::IndexThroughput { index, read_units, write_units } => {
                return self.with_index(*index, |index| index.throughput.set(*read_units, *write_units, now_ms));
            }
            TableStep::OnDemand(limits) => self.on_demand = Some(*limits),
            TableStep::IndexOnDemand { index, limits } => {
                return self.with_index(*index, |index| index.on_demand = Some(*limits));
            }
            TableStep::Warm(warm) => self.warm = Some(*warm),
            TableStep::IndexWarm { index, warm } => {
                return self.with_index(*index, |index| index.warm = Some(*warm));
            }
            TableStep::Stream(view) => self.set_stream(*view, now_ms),
            TableStep::Sse(sse) => self.sse = sse.clone(),
            TableStep::Class(class) => {
                self.table_class = Some(TableClassSettings { class: *class, updated_ms: Some(now_ms) });
            }
            TableStep::DeletionProtection(on) => self.deletion_protection = *on,
            TableStep::Tag { key, value } => {
                self.tags.insert(key.clone(), value.clone());
            }
            TableStep::Untag { key } => {
                self.tags.remove(key);
            }
            TableStep::Ttl { attribute, enabled } => {
                let changed_ms = Some(now_ms);
                self.ttl = Some(TtlSettings { attribute: attribute.clone(), enabled: *enabled, changed_ms });
            }
            TableStep::AttributeDefinitions(definitions) => self.attribute_definitions = definitions.clone(),
            TableStep::CreateIndex(index) => {
                let id = IndexId(*next_id);
                *next_id += 1;
                self.indexes.push(IndexDescriptor { id, state: IndexState::Writing, ..index.clone() });
            }
            TableStep::AdvanceIndex { index, to } => return self.advance_index(*index, *to),
            TableStep::RemoveIndex { index } => return self.remove_index(*index),
            TableStep::Begin(step) => return self.begin(step, now_ms),
            TableStep::BillingAgain => {}
            TableStep::Finish => self.finish_pending(now_ms),
        }
        true
    }

    pub(super) fn with_index(&mut self, id: IndexId, change: impl FnOnce(&mut IndexDescriptor)) -> bool {
        self.indexes.iter_mut().find(|index| index.id == id).map(change).is_some()
    }

    /// On-demand limits go with any switch, provisioned units with the one to on demand.
    fn set_billing(&mut self, mode: BillingMode, now_ms: u64) {
        self.billing_mode = mode;
        self.on_demand = None;
        self.indexes.iter_mut().for_each(|index| index.on_demand = None);
        if mode == BillingMode::PayPerRequest {
            self.on_demand_since_ms = Some(now_ms);
            self.throughput.clear(now_ms);
            for index in self.indexes.iter_mut().filter(|index| !index.local) {
                index.throughput.clear(now_ms);
            }
        }
    }

    pub(super) fn set_stream(&mut self, view: Option<StreamView>, now_ms: u64) {
        match (view, &mut self.stream) {
            (Some(view), _) => self.stream = Some(StreamSettings { enabled: true, view, since_ms: now_ms }),
            (None, Some(stream)) => stream.enabled = false,
            (None, None) => {}
        }
    }

    fn advance_index(&mut self, id: IndexId, to: IndexState) -> bool {
        let index = self.indexes.iter_mut().find(|index| index.id == id && index.state.may_become(to));
        index.map(|index| index.state = to).is_some()
    }

    fn remove_index(&mut self, id: IndexId) -> bool {
        let before = self.indexes.len();
        self.indexes.retain(|index| index.id != id || index.state != IndexState::Dropping);
        self.attribute_definitions.retain(|attribute| {
            self.keys.contains(&attribute.name) || self.indexes.iter().any(|index| index.keys.contains(&attribute.name))
        });
        self.indexes.len() < before
    }
}

impl Throughput {
    /// How often units were lowered on the UTC day of `now_ms`, as long as nothing later was.
    pub fn decreases_today(&self, now_ms: u64) -> u64 {
        let is_over = self.decreased_ms.is_some_and(|last| last / DAY_MS < now_ms / DAY_MS);
        if is_over { 0 } else { self.decreases_that_day }
    }

    /// Sets the units and keeps the history: an update that lowers anything counts as one decrease, and one that
    /// raises anything moves the time of the last increase.
    fn set(&mut self, read_units: u64, write_units: u64, now_ms: u64) {
        if read_units > self.read_units || write_units > self.write_units {
            self.increased_ms = Some(now_ms);
        }
        if read_units < self.read_units || write_units < self.write_units {
            let same_day = self.decreased_ms.is_some_and(|before| before / DAY_MS == now_ms / DAY_MS);
            self.decreases_that_day = if same_day { self.decreases_that_day + 1 } else { 1 };
            self.decreased_ms = Some(now_ms);
        }
        self.read_units = read_units;
        self.write_units = write_units;
    }

    /// On-demand billing has no units; switching to it shows as a decrease's time but is not counted as one.
    fn clear(&mut self, now_ms: u64) {
        if self.read_units > 0 || self.write_units > 0 {
            self.decreased_ms = Some(now_ms);
        }
        self.read_units = 0;
        self.write_units = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Projection, fixture};

    fn step(table: &mut TableDescriptor, step: TableStep) -> bool {
        table.step(&step, DAY_MS + 5, &mut 100)
    }

    #[test]
    fn throughput_has_a_history() {
        let mut throughput = Throughput::new(5, 5);
        throughput.set(10, 5, 1);
        assert_eq!((throughput.increased_ms, throughput.decreased_ms), (Some(1), None));
        throughput.set(3, 7, 2);
        assert_eq!(
            (throughput.increased_ms, throughput.decreased_ms, throughput.decreases_that_day),
            (Some(2), Some(2), 1)
        );
        throughput.set(2, 7, 3);
        assert_eq!(throughput.decreases_that_day, 2);
        throughput.set(1, 7, DAY_MS);
        assert_eq!(throughput.decreases_that_day, 1);
    }

    #[test]
    fn on_demand_clears_all_units() {
        let mut table = fixture::orders();
        table.indexes[1].throughput = Throughput::new(4, 4);
        assert!(step(&mut table, TableStep::Billing(BillingMode::PayPerRequest)));
        assert_eq!((table.throughput.read_units, table.indexes[1].throughput.read_units), (0, 0));
        assert_eq!((table.on_demand_since_ms, table.on_demand), (Some(DAY_MS + 5), None));
    }

    #[test]
    fn an_index_lives_and_dies() {
        let mut table = fixture::orders();
        let new = fixture::index(
            0,
            "new",
            false,
            fixture::keys(("digest", crate::catalog::KeyType::B), None),
            Projection::All,
        );
        assert!(step(&mut table, TableStep::CreateIndex(new)));
        let id = IndexId(100);
        assert_eq!(table.index_by_id(id).map(|index| index.state), Some(IndexState::Writing));
        assert!(table.is_updating());
        assert!(!step(&mut table, TableStep::AdvanceIndex { index: id, to: IndexState::Active }));
        for to in [IndexState::Backfilling, IndexState::Active, IndexState::Dropping] {
            assert!(!step(&mut table, TableStep::RemoveIndex { index: id }));
            assert!(step(&mut table, TableStep::AdvanceIndex { index: id, to }));
        }
        assert!(step(&mut table, TableStep::RemoveIndex { index: id }));
        assert!(!table.is_updating());
        let names: Vec<&str> = table.attribute_definitions.iter().map(|attribute| attribute.name.as_str()).collect();
        assert_eq!(names, ["customer", "placed", "state", "digest"], "digest is still a local index's key");
    }

    #[test]
    fn a_stream_stays_described_when_it_is_off() {
        let mut table = fixture::orders();
        assert!(step(&mut table, TableStep::Stream(None)));
        assert_eq!(table.stream.map(|stream| (stream.enabled, stream.since_ms)), Some((false, 1_700_000_000_001)));
        assert!(step(&mut table, TableStep::Stream(Some(StreamView::NewImage))));
        assert_eq!(table.live_stream().map(|stream| stream.since_ms), Some(DAY_MS + 5));
    }
}
