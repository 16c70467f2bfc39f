//! `TableDescription`, the one structure that four operations answer.
//!
//! | operation | status | differs from DescribeTable in |
//! |---|---|---|
//! | CreateTable | `CREATING` | indexes are `CREATING` too; no date of the switch to on demand |
//! | DescribeTable | that of its phase; `UPDATING` also while an index is built or removed | |
//! | UpdateTable | as DescribeTable, with what the request left [pending](crate::catalog::pending) | |
//! | DeleteTable | `DELETING` | no keys, no indexes, no creation date |
//!
//! What is pending ends before a reply is sent where all shards answer, so the next DescribeTable says `ACTIVE`. Members stand in the order in which the service writes them; attribute definitions and
//! projected attributes are sorted by name, indexes are not.
//!
//! Source: AWS, *API Reference: TableDescription*; replies of the service recorded by public test suites.

use dynamo_protocol::json::JsonWriter;

use crate::catalog::pending::{warm_floor, warm_now};
use crate::catalog::{
    BillingMode, IndexDescriptor, IndexState, KeyAttribute, KeySchema, OnDemandLimits, Projection, Stats,
    TableDescriptor, TablePhase, TableStats, TableStep, Throughput, WarmThroughput,
};
use crate::context::RequestContext;
use crate::reply::timestamp;

/// Which reply the description is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// CreateTable.
    Created,
    /// DescribeTable, of a table in that phase.
    Described(TablePhase),
    /// UpdateTable.
    Updated,
    /// DeleteTable.
    Deleted,
}

/// Writes a table's description as one JSON object.
pub struct TableDescription<'a> {
    /// The table.
    pub table: &'a TableDescriptor,
    /// Its counts.
    pub stats: &'a TableStats,
    /// Who asks, for ARNs.
    pub context: &'a RequestContext<'a>,
    /// Which reply this is.
    pub occasion: Occasion,
}

impl TableDescription<'_> {
    /// Appends the object.
    pub fn write(&self, json: &mut JsonWriter<'_>) {
        let whole = self.occasion != Occasion::Deleted;
        json.begin_object();
        if whole {
            json.key("AttributeDefinitions").begin_array();
            let mut definitions: Vec<&KeyAttribute> = self.table.attribute_definitions.iter().collect();
            definitions.sort_by_key(|definition| &definition.name);
            definitions.into_iter().for_each(|definition| write_definition(json, definition));
            json.end_array();
        }
        json.key("TableName").str(&self.table.name);
        if whole {
            json.key("KeySchema");
            write_keys(json, &self.table.keys);
        }
        json.key("TableStatus").str(self.status());
        if whole {
            json.key("CreationDateTime").timestamp_ms(self.table.created_ms);
        }
        json.key("ProvisionedThroughput");
        write_throughput(json, &self.table.throughput, self.context.now_ms);
        json.key("TableSizeBytes").u64(self.stats.table.bytes);
        json.key("ItemCount").u64(self.stats.table.items);
        json.key("TableArn").str(&self.context.table_arn(&self.table.name));
        json.key("TableId").str(&self.table.uuid);
        self.write_billing(json);
        if whole {
            self.write_local_indexes(json);
            self.write_global_indexes(json);
            self.write_stream(json);
            self.write_sse(json);
        }
        if let Some(settings) = &self.table.table_class {
            json.key("TableClassSummary").begin_object().key("TableClass").str(settings.class.name());
            if let Some(ms) = settings.updated_ms {
                json.key("LastUpdateDateTime").timestamp_ms(ms);
            }
            json.end_object();
        }
        json.key("DeletionProtectionEnabled").bool(self.table.deletion_protection);
        if whole {
            let is_pending = self.is_pending(|step| matches!(step, TableStep::OnDemand(_)));
            write_on_demand(json, self.table.on_demand.as_ref(), is_pending);
            self.write_table_warm(json);
        }
        json.end_object();
    }

    fn status(&self) -> &'static str {
        match self.occasion {
            Occasion::Created | Occasion::Described(TablePhase::Creating) => "CREATING",
            Occasion::Deleted | Occasion::Described(TablePhase::Deleting) => "DELETING",
            Occasion::Described(TablePhase::Changing) => "UPDATING",
            Occasion::Updated | Occasion::Described(TablePhase::Active) if self.table.is_updating() => "UPDATING",
            Occasion::Updated | Occasion::Described(TablePhase::Active) => "ACTIVE",
        }
    }

    fn is_pending(&self, step: impl Fn(&TableStep) -> bool) -> bool {
        self.table.pending.iter().any(step)
    }

    fn write_billing(&self, json: &mut JsonWriter<'_>) {
        if self.table.billing_mode == BillingMode::Provisioned && self.table.on_demand_since_ms.is_none() {
            return;
        }
        json.key("BillingModeSummary").begin_object().key("BillingMode").str(self.table.billing_mode.name());
        if let Some(ms) = self.table.on_demand_since_ms.filter(|_| self.occasion != Occasion::Created) {
            json.key("LastUpdateToPayPerRequestDateTime").timestamp_ms(ms);
        }
        json.end_object();
    }

    fn write_local_indexes(&self, json: &mut JsonWriter<'_>) {
        if !self.table.has_local_indexes() {
            return;
        }
        json.key("LocalSecondaryIndexes").begin_array();
        for index in self.table.local_indexes() {
            json.begin_object();
            write_index_head(json, index);
            self.write_index_counts(json, index);
            json.end_object();
        }
        json.end_array();
    }

    fn write_global_indexes(&self, json: &mut JsonWriter<'_>) {
        if self.table.global_indexes().next().is_none() {
            return;
        }
        json.key("GlobalSecondaryIndexes").begin_array();
        for index in self.table.global_indexes() {
            self.write_global_index(json, index);
        }
        json.end_array();
    }

    fn write_global_index(&self, json: &mut JsonWriter<'_>, index: &IndexDescriptor) {
        json.begin_object();
        write_index_head(json, index);
        json.key("IndexStatus").str(self.index_status(index));
        match index.state {
            IndexState::Writing => _ = json.key("Backfilling").bool(false),
            IndexState::Backfilling => _ = json.key("Backfilling").bool(true),
            IndexState::Active | IndexState::Dropping => {}
        }
        json.key("ProvisionedThroughput");
        write_throughput(json, &index.throughput, self.context.now_ms);
        self.write_index_counts(json, index);
        let is_pending = self.is_pending(|step| step.holds_index() == Some(index.id));
        write_on_demand(json, index.on_demand.as_ref(), is_pending);
        self.write_index_warm(json, index);
        json.end_object();
    }

    fn index_status(&self, index: &IndexDescriptor) -> &'static str {
        match (index.state, self.occasion) {
            (_, Occasion::Created | Occasion::Described(TablePhase::Creating))
            | (IndexState::Writing | IndexState::Backfilling, _) => "CREATING",
            (IndexState::Dropping, _) => "DELETING",
            (IndexState::Active, _) if self.is_pending(|step| step.holds_index() == Some(index.id)) => "UPDATING",
            (IndexState::Active, _) => "ACTIVE",
        }
    }

    /// Each shard removes the rows of an index under deletion in its time, so nothing of it counts once that has begun.
    fn write_index_counts(&self, json: &mut JsonWriter<'_>, index: &IndexDescriptor) {
        let is_there = index.state != IndexState::Dropping || self.occasion == Occasion::Updated;
        let Stats { items, bytes } = if is_there { self.stats.index(index.id) } else { Stats::default() };
        json.key("IndexSizeBytes").u64(bytes);
        json.key("ItemCount").u64(items);
        json.key("IndexArn").str(&self.context.index_arn(&self.table.name, &index.name));
    }

    fn write_stream(&self, json: &mut JsonWriter<'_>) {
        let Some(stream) = &self.table.stream else { return };
        if stream.enabled {
            json.key("StreamSpecification").begin_object();
            json.key("StreamEnabled").bool(true).key("StreamViewType").str(stream.view.name());
            json.end_object();
        }
        let label = timestamp::label(stream.since_ms);
        json.key("LatestStreamLabel").str(&label);
        json.key("LatestStreamArn").str(&self.context.stream_arn(&self.table.name, &label));
    }

    fn write_sse(&self, json: &mut JsonWriter<'_>) {
        let is_pending = self.is_pending(|step| matches!(step, TableStep::Sse(_)));
        if self.table.sse.is_none() && !is_pending {
            return;
        }
        json.key("SSEDescription").begin_object();
        json.key("Status").str(if is_pending { "UPDATING" } else { "ENABLED" });
        if let Some(sse) = &self.table.sse {
            json.key("SSEType").str("KMS");
            json.key("KMSMasterKeyArn").str(&self.context.kms_key_arn(sse.key.as_deref()));
        }
        json.end_object();
    }

    /// What the table is warm for. CreateTable's reply shows it where it was asked for.
    fn write_table_warm(&self, json: &mut JsonWriter<'_>) {
        let is_created = self.occasion == Occasion::Created;
        if is_created && self.table.warm.is_none() {
            return;
        }
        let is_pending = is_created || self.is_pending(|step| matches!(step, TableStep::Warm(_)));
        let status = if is_pending { "UPDATING" } else { "ACTIVE" };
        self.write_warm(json, self.table.warm.as_ref(), &self.table.throughput, status);
    }

    /// What an index is warm for; CreateTable's reply does not show it.
    fn write_index_warm(&self, json: &mut JsonWriter<'_>, index: &IndexDescriptor) {
        let is_index = |step: &TableStep| matches!(step, TableStep::IndexWarm { index: id, .. } if *id == index.id);
        let status = match index.state {
            _ if self.occasion == Occasion::Created => return,
            IndexState::Active if self.is_pending(is_index) => "UPDATING",
            IndexState::Active => "ACTIVE",
            _ => self.index_status(index),
        };
        self.write_warm(json, index.warm.as_ref(), &index.throughput, status);
    }

    /// The floor of a billing mode counts when the switch to it is done.
    fn write_warm(
        &self,
        json: &mut JsonWriter<'_>,
        kept: Option<&WarmThroughput>,
        throughput: &Throughput,
        status: &str,
    ) {
        let floor = if self.table.is_switching() { (0, 0) } else { warm_floor(self.table.billing_mode, throughput) };
        let (reads, writes) = warm_now(kept, floor);
        json.key("WarmThroughput").begin_object();
        json.key("ReadUnitsPerSecond").u64(reads).key("WriteUnitsPerSecond").u64(writes).key("Status").str(status);
        json.end_object();
    }
}

fn write_definition(json: &mut JsonWriter<'_>, attribute: &KeyAttribute) {
    json.begin_object();
    json.key("AttributeName").str(&attribute.name).key("AttributeType").str(attribute.kind.name());
    json.end_object();
}

pub(super) fn write_keys(json: &mut JsonWriter<'_>, keys: &KeySchema) {
    let roles = keys.partition.iter().map(|key| (key, "HASH")).chain(keys.sort.iter().map(|key| (key, "RANGE")));
    json.begin_array();
    for (attribute, role) in roles {
        json.begin_object().key("AttributeName").str(&attribute.name).key("KeyType").str(role).end_object();
    }
    json.end_array();
}

fn write_index_head(json: &mut JsonWriter<'_>, index: &IndexDescriptor) {
    json.key("IndexName").str(&index.name);
    json.key("KeySchema");
    write_keys(json, &index.keys);
    json.key("Projection").begin_object().key("ProjectionType");
    match &index.projection {
        Projection::All => _ = json.str("ALL"),
        Projection::KeysOnly => _ = json.str("KEYS_ONLY"),
        Projection::Include(names) => {
            json.str("INCLUDE").key("NonKeyAttributes").begin_array();
            let mut sorted: Vec<&String> = names.iter().collect();
            sorted.sort();
            sorted.into_iter().for_each(|name| _ = json.str(name));
            json.end_array();
        }
    }
    json.end_object();
}

fn write_throughput(json: &mut JsonWriter<'_>, throughput: &Throughput, now_ms: u64) {
    json.begin_object();
    if let Some(ms) = throughput.increased_ms {
        json.key("LastIncreaseDateTime").timestamp_ms(ms);
    }
    if let Some(ms) = throughput.decreased_ms {
        json.key("LastDecreaseDateTime").timestamp_ms(ms);
    }
    json.key("NumberOfDecreasesToday").u64(throughput.decreases_today(now_ms));
    json.key("ReadCapacityUnits").u64(throughput.read_units);
    json.key("WriteCapacityUnits").u64(throughput.write_units);
    json.end_object();
}

/// The limits that are set and, while they are `pending`, those that are being lifted.
fn write_on_demand(json: &mut JsonWriter<'_>, limits: Option<&OnDemandLimits>, pending: bool) {
    let Some(limits) = limits else { return };
    let members = [("MaxReadRequestUnits", limits.read_units_max), ("MaxWriteRequestUnits", limits.write_units_max)];
    let shown = |limit: Option<i64>| limit.filter(|limit| pending || *limit >= 0);
    let mut set = members.into_iter().filter_map(|(name, limit)| Some((name, shown(limit)?))).peekable();
    if set.peek().is_none() {
        return;
    }
    json.key("OnDemandThroughput").begin_object();
    set.for_each(|(name, limit)| _ = json.key(name).i64(limit));
    json.end_object();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{TableId, fixture};

    fn described(table: &TableDescriptor, occasion: Occasion) -> String {
        let stats = TableStats { table: Stats { items: 3, bytes: 456 }, ..TableStats::default() };
        let context = RequestContext::for_region("eu-central-1");
        let mut out = Vec::new();
        TableDescription { table, stats: &stats, context: &context, occasion }.write(&mut JsonWriter::new(&mut out));
        String::from_utf8(out).unwrap()
    }

    fn small() -> TableDescriptor {
        let mut table =
            TableDescriptor::new(TableId(1), "small", fixture::keys(("k", crate::catalog::KeyType::S), None));
        table.on_demand_since_ms = Some(1_700_000_000_250);
        table.created_ms = 1_700_000_000_250;
        table.uuid = "u".to_owned();
        table
    }

    #[test]
    fn decreases_count_until_midnight() {
        const DAY_MS: u64 = 86_400_000;
        let mut table = small();
        table.throughput =
            Throughput { decreased_ms: Some(5 * DAY_MS), decreases_that_day: 2, ..Throughput::new(1, 1) };
        for (now_ms, expected) in [(0, 2), (6 * DAY_MS - 1, 2), (6 * DAY_MS, 0)] {
            let context = RequestContext { now_ms, ..RequestContext::default() };
            let (stats, occasion) = (TableStats::default(), Occasion::Updated);
            let mut out = Vec::new();
            let description = TableDescription { table: &table, stats: &stats, context: &context, occasion };
            description.write(&mut JsonWriter::new(&mut out));
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains(&format!(r#""NumberOfDecreasesToday":{expected},"#)), "{now_ms}: {text}");
        }
    }

    #[test]
    fn a_small_table() {
        assert_eq!(
            described(&small(), Occasion::Created),
            concat!(
                r#"{"AttributeDefinitions":[{"AttributeName":"k","AttributeType":"S"}],"TableName":"small","#,
                r#""KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],"TableStatus":"CREATING","#,
                r#""CreationDateTime":1700000000.25,"#,
                r#""ProvisionedThroughput":{"NumberOfDecreasesToday":0,"ReadCapacityUnits":0,"WriteCapacityUnits":0},"#,
                r#""TableSizeBytes":456,"ItemCount":3,"#,
                r#""TableArn":"arn:aws:dynamodb:eu-central-1:000000000000:table/small","TableId":"u","#,
                r#""BillingModeSummary":{"BillingMode":"PAY_PER_REQUEST"},"DeletionProtectionEnabled":false}"#,
            )
        );
        let described_later = described(&small(), Occasion::Described(TablePhase::Active));
        assert!(described_later.contains(r#""TableStatus":"ACTIVE""#));
        assert!(described_later.contains(r#""LastUpdateToPayPerRequestDateTime":1700000000.25"#));
        assert!(described_later.ends_with(
            r#""WarmThroughput":{"ReadUnitsPerSecond":12000,"WriteUnitsPerSecond":4000,"Status":"ACTIVE"}}"#
        ));
        let deleted = described(&small(), Occasion::Deleted);
        assert!(deleted.contains(r#""TableStatus":"DELETING""#) && !deleted.contains("KeySchema"));
    }

    #[test]
    fn a_table_with_everything() {
        let mut table = fixture::orders();
        table.on_demand = Some(OnDemandLimits { read_units_max: Some(-1), write_units_max: Some(70) });
        let text = described(&table, Occasion::Described(TablePhase::Active));
        for part in [
            r#""LocalSecondaryIndexes":[{"IndexName":"by_digest","KeySchema":[{"AttributeName":"customer","KeyType":"HASH"},{"AttributeName":"digest","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"},"IndexSizeBytes":0,"ItemCount":0,"IndexArn":"arn:aws:dynamodb:eu-central-1:000000000000:table/orders/index/by_digest"}]"#,
            r#""Projection":{"ProjectionType":"INCLUDE","NonKeyAttributes":["lines","total"]},"IndexStatus":"ACTIVE","ProvisionedThroughput":"#,
            r#""StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"},"LatestStreamLabel":"2023-11-14T22:13:20.001","#,
            r#""SSEDescription":{"Status":"ENABLED","SSEType":"KMS","KMSMasterKeyArn":"arn:aws:kms:eu-central-1:000000000000:alias/orders"}"#,
            r#""TableClassSummary":{"TableClass":"STANDARD_INFREQUENT_ACCESS","LastUpdateDateTime":1700000000.002}"#,
            r#""OnDemandThroughput":{"MaxWriteRequestUnits":70}"#,
            r#""BillingModeSummary":{"BillingMode":"PROVISIONED","LastUpdateToPayPerRequestDateTime":1700000000.123}"#,
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }

    #[test]
    fn an_update_shows_what_is_pending_and_the_new_index() {
        let mut after = fixture::orders();
        after.table_class = None;
        let old = after.indexes[1].id;
        for step in [
            TableStep::Throughput { read_units: 50, write_units: 6 },
            TableStep::IndexThroughput { index: old, read_units: 50, write_units: 50 },
            TableStep::Warm(WarmThroughput { read_units_per_second: Some(90_000), write_units_per_second: None }),
            TableStep::Sse(None),
            TableStep::Class(crate::catalog::TableClass::StandardInfrequentAccess),
        ] {
            assert!(after.step(&TableStep::Begin(Box::new(step)), 1_800_000_000_000, &mut 100));
        }
        let mut index = after.indexes[1].clone();
        index.id = crate::catalog::IndexId(10);
        index.name = "new".to_owned();
        index.state = IndexState::Writing;
        after.indexes.push(index);
        let text = described(&after, Occasion::Updated);
        for part in [
            r#""NumberOfDecreasesToday":0,"ReadCapacityUnits":5,"WriteCapacityUnits":6"#,
            r#""LastIncreaseDateTime":1800000000"#,
            r#""IndexStatus":"CREATING","Backfilling":false"#,
            r#""IndexStatus":"UPDATING","ProvisionedThroughput""#,
            r#""TableStatus":"UPDATING""#,
            r#""SSEDescription":{"Status":"UPDATING","SSEType":"KMS","KMSMasterKeyArn":"#,
            r#""Status":"UPDATING"}}"#,
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("TableClassSummary") && !text.contains("90000"), "{text}");
        assert!(after.step(&TableStep::Finish, 1_800_000_000_001, &mut 100));
        let text = described(&after, Occasion::Described(TablePhase::Active));
        assert!(text.contains(r#""ReadCapacityUnits":50"#) && !text.contains("SSEDescription"), "{text}");
        assert!(text.contains(r#""TableClassSummary":{"TableClass":"STANDARD_INFREQUENT_ACCESS""#), "{text}");
        assert!(
            text.ends_with(
                r#""WarmThroughput":{"ReadUnitsPerSecond":90000,"WriteUnitsPerSecond":4000,"Status":"ACTIVE"}}"#
            ),
            "{text}"
        );
    }

    #[test]
    fn limits_that_are_not_set_are_absent() {
        let mut table = small();
        let limits = OnDemandLimits { read_units_max: Some(-1), write_units_max: Some(70) };
        assert!(table.step(&TableStep::Begin(Box::new(TableStep::OnDemand(limits))), 1, &mut 100));
        let both = r#""OnDemandThroughput":{"MaxReadRequestUnits":-1,"MaxWriteRequestUnits":70}"#;
        assert!(described(&table, Occasion::Updated).contains(both));
        // Also where an earlier version stored it.
        table.pending.clear();
        let one = r#""OnDemandThroughput":{"MaxWriteRequestUnits":70}"#;
        assert!(described(&table, Occasion::Described(TablePhase::Active)).contains(one));
        table.on_demand = Some(OnDemandLimits::default());
        assert!(!described(&table, Occasion::Updated).contains("OnDemandThroughput"));
    }
}
