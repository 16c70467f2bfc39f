//! `TableDescription`, the one structure that four operations answer.
//!
//! | operation | status | differs from DescribeTable in |
//! |---|---|---|
//! | CreateTable | `CREATING` | indexes are `CREATING` too; no date of the switch to on demand |
//! | DescribeTable | that of its phase; `UPDATING` also while an index is built or removed | |
//! | UpdateTable | `UPDATING`, for most changes | provisioned units are still the old ones |
//! | DeleteTable | `DELETING` | no keys, no indexes, no creation date |
//!
//! Tables of this server change at once where all shards answer; the transient states in the replies are the service's,
//! and the next DescribeTable says `ACTIVE`. Members stand in the order in which the service writes them; attribute definitions and
//! projected attributes are sorted by name, indexes are not.
//!
//! Source: AWS, *API Reference: TableDescription*; replies of the service recorded by public test suites.

use dynamo_protocol::json::JsonWriter;

use crate::catalog::{
    BillingMode, IndexDescriptor, IndexState, KeyAttribute, KeySchema, OnDemandLimits, Projection, Stats,
    TableDescriptor, TablePhase, TableStats, Throughput, WarmThroughput,
};
use crate::context::RequestContext;
use crate::reply::timestamp;

/// Units per second that every on-demand table and index is warm for from the start.
///
/// Source: AWS, *Developer guide: Understanding DynamoDB warm throughput*.
const WARM_ON_DEMAND_READS: u64 = 12_000;
const WARM_ON_DEMAND_WRITES: u64 = 4_000;

/// Which reply the description is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion<'a> {
    /// CreateTable.
    Created,
    /// DescribeTable, of a table in that phase.
    Described(TablePhase),
    /// UpdateTable, with the table as it was before.
    Updated(&'a TableDescriptor),
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
    pub context: &'a RequestContext,
    /// Which reply this is.
    pub occasion: Occasion<'a>,
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
        write_throughput(
            json,
            &self.table.throughput,
            self.units(&self.table.throughput, |before| Some(&before.throughput)),
        );
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
            write_on_demand(json, self.table.on_demand.as_ref());
            self.write_warm(json, self.table.warm.as_ref(), &self.table.throughput, self.status());
        }
        json.end_object();
    }

    fn status(&self) -> &'static str {
        match self.occasion {
            Occasion::Created | Occasion::Described(TablePhase::Creating) => "CREATING",
            Occasion::Described(TablePhase::Changing) => "UPDATING",
            Occasion::Described(TablePhase::Active) if self.table.is_updating() => "UPDATING",
            Occasion::Described(TablePhase::Active) => "ACTIVE",
            Occasion::Updated(before) if !self.table.is_updating() && self.changed_at_once(before) => "ACTIVE",
            Occasion::Updated(_) => "UPDATING",
            Occasion::Deleted | Occasion::Described(TablePhase::Deleting) => "DELETING",
        }
    }

    /// The service makes these changes without a transient state of the table: deletion protection, limits of the
    /// table and of its indexes, and the indexes' units.
    fn changed_at_once(&self, before: &TableDescriptor) -> bool {
        let mut then = before.clone();
        then.schema_version = self.table.schema_version;
        then.deletion_protection = self.table.deletion_protection;
        then.on_demand = self.table.on_demand;
        then.warm = self.table.warm;
        for (was, is) in then.indexes.iter_mut().zip(&self.table.indexes).filter(|(was, is)| was.id == is.id) {
            (was.throughput, was.on_demand, was.warm) = (is.throughput, is.on_demand, is.warm);
        }
        then == *self.table
    }

    /// The units to show: the old ones in UpdateTable's reply, unless the billing mode changed with them.
    fn units<'b>(
        &'b self,
        now: &'b Throughput,
        then: impl FnOnce(&'b TableDescriptor) -> Option<&'b Throughput>,
    ) -> &'b Throughput {
        match self.occasion {
            Occasion::Updated(before) if before.billing_mode == self.table.billing_mode => then(before).unwrap_or(now),
            _ => now,
        }
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
        let shown = self.units(&index.throughput, |before| Some(&before.index_by_id(index.id)?.throughput));
        json.begin_object();
        write_index_head(json, index);
        json.key("IndexStatus").str(self.index_status(index));
        match index.state {
            IndexState::Writing => _ = json.key("Backfilling").bool(false),
            IndexState::Backfilling => _ = json.key("Backfilling").bool(true),
            IndexState::Active | IndexState::Dropping => {}
        }
        json.key("ProvisionedThroughput");
        write_throughput(json, &index.throughput, shown);
        self.write_index_counts(json, index);
        write_on_demand(json, index.on_demand.as_ref());
        self.write_warm(json, index.warm.as_ref(), &index.throughput, self.index_status(index));
        json.end_object();
    }

    fn index_status(&self, index: &IndexDescriptor) -> &'static str {
        let changed = |before: &TableDescriptor| {
            before.index_by_id(index.id).is_some_and(|was| {
                was.throughput != index.throughput || was.on_demand != index.on_demand || was.warm != index.warm
            })
        };
        match (index.state, self.occasion) {
            (_, Occasion::Created | Occasion::Described(TablePhase::Creating))
            | (IndexState::Writing | IndexState::Backfilling, _) => "CREATING",
            (IndexState::Dropping, _) => "DELETING",
            (IndexState::Active, Occasion::Updated(before)) if changed(before) => "UPDATING",
            (IndexState::Active, _) => "ACTIVE",
        }
    }

    fn write_index_counts(&self, json: &mut JsonWriter<'_>, index: &IndexDescriptor) {
        let Stats { items, bytes } = self.stats.index(index.id);
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
        let Some(sse) = &self.table.sse else { return };
        json.key("SSEDescription").begin_object();
        json.key("Status").str("ENABLED").key("SSEType").str("KMS");
        json.key("KMSMasterKeyArn").str(&self.context.kms_key_arn(sse.key.as_deref()));
        json.end_object();
    }

    /// Warm throughput is at least what the table can do from the start: its provisioned units, or the on-demand floor.
    /// Shown once there is a table, and in CreateTable's reply where it was asked for.
    fn write_warm(
        &self,
        json: &mut JsonWriter<'_>,
        asked: Option<&WarmThroughput>,
        throughput: &Throughput,
        status: &str,
    ) {
        if asked.is_none() && self.occasion == Occasion::Created {
            return;
        }
        let (read_floor, write_floor) = match self.table.billing_mode {
            BillingMode::PayPerRequest => (WARM_ON_DEMAND_READS, WARM_ON_DEMAND_WRITES),
            BillingMode::Provisioned => (throughput.read_units, throughput.write_units),
        };
        let at_least =
            |asked: Option<i64>, floor: u64| asked.and_then(|units| u64::try_from(units).ok()).unwrap_or(0).max(floor);
        let reads = at_least(asked.and_then(|warm| warm.read_units_per_second), read_floor);
        let writes = at_least(asked.and_then(|warm| warm.write_units_per_second), write_floor);
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

fn write_keys(json: &mut JsonWriter<'_>, keys: &KeySchema) {
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

/// `history` is the throughput as it is, `units` the one whose units are shown.
fn write_throughput(json: &mut JsonWriter<'_>, history: &Throughput, units: &Throughput) {
    json.begin_object();
    if let Some(ms) = history.increased_ms {
        json.key("LastIncreaseDateTime").timestamp_ms(ms);
    }
    if let Some(ms) = history.decreased_ms {
        json.key("LastDecreaseDateTime").timestamp_ms(ms);
    }
    json.key("NumberOfDecreasesToday").u64(units.decreases_that_day);
    json.key("ReadCapacityUnits").u64(units.read_units);
    json.key("WriteCapacityUnits").u64(units.write_units);
    json.end_object();
}

fn write_on_demand(json: &mut JsonWriter<'_>, limits: Option<&OnDemandLimits>) {
    let is_set = |limit: Option<i64>| limit.is_some_and(|limit| limit > 0);
    let Some(limits) = limits.filter(|limits| is_set(limits.read_units_max) || is_set(limits.write_units_max)) else {
        return;
    };
    json.key("OnDemandThroughput").begin_object();
    json.key("MaxReadRequestUnits").i64(limits.read_units_max.unwrap_or(-1));
    json.key("MaxWriteRequestUnits").i64(limits.write_units_max.unwrap_or(-1));
    json.end_object();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{TableId, fixture};

    fn described(table: &TableDescriptor, occasion: Occasion<'_>) -> String {
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
            r#""OnDemandThroughput":{"MaxReadRequestUnits":-1,"MaxWriteRequestUnits":70}"#,
            r#""BillingModeSummary":{"BillingMode":"PROVISIONED","LastUpdateToPayPerRequestDateTime":1700000000.123}"#,
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }

    #[test]
    fn an_update_shows_the_old_units_and_the_new_index() {
        let before = fixture::orders();
        let mut after = before.clone();
        after.throughput.read_units = 50;
        let mut index = after.indexes[1].clone();
        index.id = crate::catalog::IndexId(10);
        index.name = "new".to_owned();
        index.state = IndexState::Writing;
        after.indexes.push(index);
        let text = described(&after, Occasion::Updated(&before));
        assert!(text.contains(r#""NumberOfDecreasesToday":0,"ReadCapacityUnits":5,"WriteCapacityUnits":6"#), "{text}");
        assert!(text.contains(r#""IndexStatus":"CREATING","Backfilling":false"#), "{text}");
        assert!(text.contains(r#""TableStatus":"UPDATING""#), "{text}");
        assert!(described(&after, Occasion::Described(TablePhase::Active)).contains(r#""ReadCapacityUnits":50"#));
    }
}
