//! Settings that change in the background, as the service changes them and as waiters read it.
//!
//! The service answers most changes of settings at once and carries them out later: the reply and every description
//! until then show the change under way (a status `UPDATING`, often beside the old values). Here such a change is one
//! [`TableStep::Begin`], which does what shows at once and leaves the step *pending*; [`TableStep::Finish`] ends all that
//! is pending. The catalog's driver proposes the latter as soon as it sees the former, and the reply to the change waits
//! for it, so that the pending state lasts as long as a command takes. Nothing here reads a clock: what is pending is
//! part of the descriptor.
//!
//! | step | at once | at the end |
//! |---|---|---|
//! | `Billing` | mode; units of on demand are gone; limits go | the date of the switch to on demand |
//! | `Throughput`, `IndexThroughput` | dates; with a switch of the mode, the units | units, the count of decreases |
//! | `OnDemand`, `IndexOnDemand` | limits, `-1` among them | `-1` goes |
//! | `Warm`, `IndexWarm`, `Sse`, `Class` | | all of it |
//! | `Stream` | all of it | |
//!
//! A table is as warm as it ever was: what its units or its mode amounted to is kept when they go.

use super::change::DAY_MS;
use crate::catalog::{
    BillingMode, IndexId, OnDemandLimits, TableClass, TableClassSettings, TableDescriptor, TableStep, Throughput,
    WarmThroughput,
};

/// Units per second that every on-demand table and index is warm for from the start: (reads, writes).
///
/// Source: AWS, *Developer guide: Understanding DynamoDB warm throughput*.
pub const WARM_ON_DEMAND: (u64, u64) = (12_000, 4_000);

impl TableStep {
    /// The step as a request makes it: begun, where the service carries it out in the background.
    pub fn as_requested(self) -> TableStep {
        let is_background = match &self {
            TableStep::OnDemand(limits) => [limits.read_units_max, limits.write_units_max].contains(&Some(-1)),
            step => {
                step.holds_table()
                    || step.holds_index().is_some()
                    || matches!(step, TableStep::Warm(_) | TableStep::IndexWarm { .. } | TableStep::Sse(_))
            }
        };
        if is_background { TableStep::Begin(Box::new(self)) } else { self }
    }

    /// Is it a step that may be pending: one that is not about other steps?
    pub fn is_plain(&self) -> bool {
        !matches!(self, TableStep::Begin(_) | TableStep::Finish)
    }

    /// Does it change units or the billing mode of the table?
    pub fn is_iops(&self) -> bool {
        matches!(self, TableStep::Billing(_) | TableStep::BillingAgain | TableStep::Throughput { .. })
    }

    /// Is the table `UPDATING` while it is pending?
    pub fn holds_table(&self) -> bool {
        self.is_iops() || matches!(self, TableStep::Stream(_) | TableStep::Class(_))
    }

    /// The index that is `UPDATING` while it is pending.
    pub fn holds_index(&self) -> Option<IndexId> {
        match self {
            TableStep::IndexThroughput { index, .. } | TableStep::IndexOnDemand { index, .. } => Some(*index),
            _ => None,
        }
    }
}

impl TableDescriptor {
    /// Is the billing mode being switched?
    pub fn is_switching(&self) -> bool {
        self.pending.iter().any(|step| matches!(step, TableStep::Billing(_)))
    }

    /// Begins a change; `false` where it is about an index that is not there.
    pub(super) fn begin(&mut self, step: &TableStep, now_ms: u64) -> bool {
        match step {
            TableStep::Billing(mode) => self.begin_billing(*mode),
            // The units of a switch show at once and are no change of the units that there were.
            TableStep::Throughput { read_units, write_units } if self.is_switching() => {
                (self.throughput.read_units, self.throughput.write_units) = (*read_units, *write_units);
            }
            TableStep::IndexThroughput { index, read_units, write_units } if self.is_switching() => {
                return self.with_index(*index, |index| {
                    (index.throughput.read_units, index.throughput.write_units) = (*read_units, *write_units);
                });
            }
            TableStep::Throughput { read_units, write_units } => {
                self.throughput.begin(*read_units, *write_units, now_ms);
            }
            TableStep::IndexThroughput { index, read_units, write_units } => {
                let (reads, writes) = (*read_units, *write_units);
                if !self.with_index(*index, |index| index.throughput.begin(reads, writes, now_ms)) {
                    return false;
                }
            }
            TableStep::OnDemand(limits) => self.on_demand = Some(*limits),
            TableStep::IndexOnDemand { index, limits } => {
                let is_known = self.with_index(*index, |index| index.on_demand = Some(*limits));
                if !is_known {
                    return false;
                }
            }
            TableStep::IndexWarm { index, .. } => {
                let is_known = self.index_by_id(*index).is_some();
                if !is_known {
                    return false;
                }
            }
            TableStep::Stream(view) => self.set_stream(*view, now_ms),
            _ => {}
        }
        self.pending.push(step.clone());
        true
    }

    /// Ends everything that is pending.
    pub(super) fn finish_pending(&mut self, now_ms: u64) {
        for step in std::mem::take(&mut self.pending) {
            self.finish(&step, now_ms);
        }
    }

    fn finish(&mut self, step: &TableStep, now_ms: u64) {
        match step {
            TableStep::Billing(BillingMode::PayPerRequest) => self.on_demand_since_ms = Some(now_ms),
            TableStep::Throughput { read_units, write_units } => {
                keep_warm(&mut self.warm, self.billing_mode, &self.throughput);
                self.throughput.finish(*read_units, *write_units);
            }
            TableStep::IndexThroughput { index, read_units, write_units } => {
                let mode = self.billing_mode;
                self.with_index(*index, |index| {
                    keep_warm(&mut index.warm, mode, &index.throughput);
                    index.throughput.finish(*read_units, *write_units);
                });
            }
            TableStep::OnDemand(_) => self.on_demand = self.on_demand.and_then(without_lifted),
            TableStep::IndexOnDemand { index, .. } => {
                self.with_index(*index, |index| index.on_demand = index.on_demand.and_then(without_lifted));
            }
            TableStep::Warm(warm) => raise_warm(&mut self.warm, *warm),
            TableStep::IndexWarm { index, warm } => {
                self.with_index(*index, |index| raise_warm(&mut index.warm, *warm));
            }
            TableStep::Sse(sse) => self.sse = sse.clone(),
            TableStep::Class(class) => self.finish_class(*class, now_ms),
            _ => {}
        }
    }

    /// On-demand limits go with any switch, provisioned units with the one to on demand.
    fn begin_billing(&mut self, mode: BillingMode) {
        let before = std::mem::replace(&mut self.billing_mode, mode);
        keep_warm(&mut self.warm, before, &self.throughput);
        self.on_demand = None;
        for index in self.indexes.iter_mut().filter(|index| !index.local) {
            keep_warm(&mut index.warm, before, &index.throughput);
            index.on_demand = None;
        }
        if mode == BillingMode::PayPerRequest {
            let global = self.indexes.iter_mut().filter(|index| !index.local).map(|index| &mut index.throughput);
            for throughput in global.chain([&mut self.throughput]) {
                (throughput.read_units, throughput.write_units) = (0, 0);
            }
        }
    }

    /// A table that never had another class has none to describe.
    fn finish_class(&mut self, class: TableClass, now_ms: u64) {
        let current = self.table_class.map_or(TableClass::Standard, |settings| settings.class);
        if class != current {
            self.table_class = Some(TableClassSettings { class, updated_ms: Some(now_ms) });
        }
    }
}

/// What units and mode amount to: (reads, writes).
pub fn warm_floor(mode: BillingMode, throughput: &Throughput) -> (u64, u64) {
    match mode {
        BillingMode::PayPerRequest => WARM_ON_DEMAND,
        BillingMode::Provisioned => (throughput.read_units, throughput.write_units),
    }
}

/// What a table or an index is warm for: at least what was asked for or kept, and what it amounts to now.
pub fn warm_now(kept: Option<&WarmThroughput>, floor: (u64, u64)) -> (u64, u64) {
    let kept = kept.copied().unwrap_or_default();
    let at_least =
        |kept: Option<i64>, floor: u64| kept.and_then(|units| u64::try_from(units).ok()).unwrap_or(0).max(floor);
    (at_least(kept.read_units_per_second, floor.0), at_least(kept.write_units_per_second, floor.1))
}

/// Keeps what units and mode amount to, before they change.
fn keep_warm(warm: &mut Option<WarmThroughput>, mode: BillingMode, throughput: &Throughput) {
    let (reads, writes) = warm_now(warm.as_ref(), warm_floor(mode, throughput));
    *warm = Some(WarmThroughput {
        read_units_per_second: Some(reads.cast_signed()),
        write_units_per_second: Some(writes.cast_signed()),
    });
}

fn raise_warm(kept: &mut Option<WarmThroughput>, asked: WarmThroughput) {
    let before = kept.unwrap_or_default();
    *kept = Some(WarmThroughput {
        read_units_per_second: asked.read_units_per_second.max(before.read_units_per_second),
        write_units_per_second: asked.write_units_per_second.max(before.write_units_per_second),
    });
}

/// Limits without those that were lifted; none where all were.
fn without_lifted(limits: OnDemandLimits) -> Option<OnDemandLimits> {
    let set = |limit: Option<i64>| limit.filter(|limit| *limit >= 0);
    let limits =
        OnDemandLimits { read_units_max: set(limits.read_units_max), write_units_max: set(limits.write_units_max) };
    (limits != OnDemandLimits::default()).then_some(limits)
}

impl Throughput {
    /// The dates of a change that was asked for; on another day than the last decrease, none was made yet.
    fn begin(&mut self, read_units: u64, write_units: u64, now_ms: u64) {
        if read_units > self.read_units || write_units > self.write_units {
            self.increased_ms = Some(now_ms);
        }
        if read_units < self.read_units || write_units < self.write_units {
            if self.decreased_ms.is_none_or(|before| before / DAY_MS != now_ms / DAY_MS) {
                self.decreases_that_day = 0;
            }
            self.decreased_ms = Some(now_ms);
        }
    }

    /// The units of a change that was begun.
    fn finish(&mut self, read_units: u64, write_units: u64) {
        if read_units < self.read_units || write_units < self.write_units {
            self.decreases_that_day += 1;
        }
        (self.read_units, self.write_units) = (read_units, write_units);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{SseSettings, fixture};

    fn begin(table: &mut TableDescriptor, step: TableStep, now_ms: u64) {
        assert!(table.step(&TableStep::Begin(Box::new(step)), now_ms, &mut 100));
    }

    fn finish(table: &mut TableDescriptor, now_ms: u64) {
        assert!(table.step(&TableStep::Finish, now_ms, &mut 100));
        assert_eq!(table.pending, []);
    }

    fn units(table: &TableDescriptor) -> (u64, u64, u64) {
        let Throughput { read_units, write_units, decreases_that_day, .. } = table.throughput;
        (read_units, write_units, decreases_that_day)
    }

    #[test]
    fn units_change_at_the_end_and_stay_warm() {
        let mut table = fixture::orders();
        (table.warm, table.throughput) = (None, Throughput::new(5, 6));
        begin(&mut table, TableStep::Throughput { read_units: 2, write_units: 7 }, DAY_MS);
        assert_eq!((units(&table), table.throughput.decreased_ms), ((5, 6, 0), Some(DAY_MS)));
        assert!(table.is_updating());
        finish(&mut table, DAY_MS + 1);
        assert_eq!((units(&table), table.throughput.increased_ms), ((2, 7, 1), Some(DAY_MS)));
        assert_eq!(warm_now(table.warm.as_ref(), warm_floor(table.billing_mode, &table.throughput)), (5, 7));
        begin(&mut table, TableStep::Throughput { read_units: 1, write_units: 7 }, DAY_MS + 2);
        finish(&mut table, DAY_MS + 3);
        assert_eq!(units(&table), (1, 7, 2));
        begin(&mut table, TableStep::Throughput { read_units: 1, write_units: 6 }, 2 * DAY_MS);
        assert_eq!(units(&table), (1, 7, 0));
        finish(&mut table, 2 * DAY_MS);
        assert_eq!(units(&table), (1, 6, 1));
    }

    #[test]
    fn a_switch_to_on_demand_and_back() {
        let mut table = fixture::orders();
        (table.warm, table.on_demand_since_ms) = (None, None);
        table.throughput = Throughput { increased_ms: Some(3), ..Throughput::new(5, 6) };
        begin(&mut table, TableStep::Billing(BillingMode::PayPerRequest), 7);
        assert_eq!((units(&table), table.on_demand_since_ms, table.on_demand), ((0, 0, 0), None, None));
        assert_eq!(warm_now(table.warm.as_ref(), (0, 0)), (5, 6));
        finish(&mut table, 8);
        assert_eq!(table.on_demand_since_ms, Some(8));
        begin(&mut table, TableStep::Billing(BillingMode::Provisioned), 9);
        begin(&mut table, TableStep::Throughput { read_units: 1, write_units: 1 }, 9);
        assert_eq!(units(&table), (1, 1, 0));
        finish(&mut table, 10);
        assert_eq!((table.throughput.increased_ms, table.throughput.decreased_ms), (Some(3), None));
        assert_eq!(warm_now(table.warm.as_ref(), (1, 1)), WARM_ON_DEMAND);
        begin(&mut table, TableStep::BillingAgain, 11);
        assert!(table.is_updating());
        finish(&mut table, 12);
        assert_eq!(table.on_demand_since_ms, Some(8));
    }

    #[test]
    fn lifted_limits_go_at_the_end() {
        let mut table = fixture::orders();
        let limits = |reads, writes| OnDemandLimits { read_units_max: reads, write_units_max: writes };
        begin(&mut table, TableStep::OnDemand(limits(Some(-1), Some(5))), 1);
        assert_eq!((table.on_demand, table.is_updating()), (Some(limits(Some(-1), Some(5))), false));
        finish(&mut table, 2);
        assert_eq!(table.on_demand, Some(limits(None, Some(5))));
        begin(&mut table, TableStep::OnDemand(limits(None, Some(-1))), 3);
        finish(&mut table, 4);
        assert_eq!(table.on_demand, None);
    }

    #[test]
    fn a_class_and_a_key() {
        let mut table = fixture::orders();
        (table.table_class, table.sse) = (None, None);
        begin(&mut table, TableStep::Class(TableClass::Standard), 1);
        assert!(table.is_updating());
        finish(&mut table, 2);
        assert_eq!(table.table_class, None);
        begin(&mut table, TableStep::Class(TableClass::StandardInfrequentAccess), 3);
        assert_eq!(table.table_class, None);
        finish(&mut table, 4);
        assert_eq!(table.table_class.and_then(|settings| settings.updated_ms), Some(4));
        let sse = Some(SseSettings { key: None });
        begin(&mut table, TableStep::Sse(sse.clone()), 5);
        assert_eq!((&table.sse, table.is_updating()), (&None, false));
        finish(&mut table, 6);
        assert_eq!(table.sse, sse);
    }

    #[test]
    fn an_index_that_is_gone_takes_no_change() {
        let mut table = fixture::orders();
        let index = IndexId(99);
        for step in [
            TableStep::IndexThroughput { index, read_units: 1, write_units: 1 },
            TableStep::IndexOnDemand { index, limits: OnDemandLimits::default() },
            TableStep::IndexWarm { index, warm: WarmThroughput::default() },
        ] {
            assert!(!table.step(&TableStep::Begin(Box::new(step)), 1, &mut 100));
        }
        assert_eq!(table.pending, []);
    }
}
