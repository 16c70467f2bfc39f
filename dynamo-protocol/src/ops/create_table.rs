//! CreateTable.

use crate::error::ApiError;
use crate::shapes::checks::Layer;
use crate::shapes::declare::structure;
use crate::shapes::rules;
use crate::shapes::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, GlobalTableSettingsReplicationMode, KeySchemaElement,
    LocalSecondaryIndex, OnDemandThroughput, ProvisionedThroughput, SSESpecification, StreamSpecification, TableClass,
    Tag, VectorIndex, WarmThroughput,
};

use super::decode;

structure! {
    /// Request of CreateTable.
    pub struct CreateTableInput {
        /// Key attributes of the table and its indexes.
        required attribute_definitions: Vec<AttributeDefinition> = "AttributeDefinitions";
        /// Name.
        required table_name: String = "TableName" => rules::managed_table_name;
        /// How the table is paid for.
        optional billing_mode: BillingMode = "BillingMode";
        /// Provisioned capacity.
        optional provisioned_throughput: ProvisionedThroughput = "ProvisionedThroughput";
        /// Key of the table.
        required key_schema: Vec<KeySchemaElement> = "KeySchema" => rules::elements::<1, 2, _>;
        /// Global indexes.
        optional global_secondary_indexes: Vec<GlobalSecondaryIndex> = "GlobalSecondaryIndexes";
        /// Local indexes.
        optional local_secondary_indexes: Vec<LocalSecondaryIndex> = "LocalSecondaryIndexes";
        /// Stream.
        optional stream_specification: StreamSpecification = "StreamSpecification";
        /// Encryption.
        optional sse_specification: SSESpecification = "SSESpecification";
        /// Tags.
        optional tags: Vec<Tag> = "Tags";
        /// Storage class.
        optional table_class: TableClass = "TableClass";
        /// Protection from DeleteTable.
        optional deletion_protection_enabled: bool = "DeletionProtectionEnabled";
        /// Readiness.
        optional warm_throughput: WarmThroughput = "WarmThroughput";
        /// Resource policy.
        optional resource_policy: String = "ResourcePolicy";
        /// Bounds of a table that is paid by request.
        optional on_demand_throughput: OnDemandThroughput = "OnDemandThroughput";
        /// Source of a replica.
        optional global_table_source_arn: String = "GlobalTableSourceArn";
        /// Replication of settings.
        optional global_table_settings_replication_mode: GlobalTableSettingsReplicationMode = "GlobalTableSettingsReplicationMode";
        /// Vector indexes.
        optional vector_indexes: Vec<VectorIndex> = "VectorIndexes";
    }
}

impl CreateTableInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints, then
    /// for bad attribute values.
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (input, mut checks) = decode::<Self>(body)?;
        checks.table_name_present()?;
        checks.constraints(Layer::Classic)?;
        Ok(input)
    }
}
