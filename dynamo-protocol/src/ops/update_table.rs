//! UpdateTable.

use crate::error::ApiError;
use crate::shapes::checks::Layer;
use crate::shapes::declare::structure;
use crate::shapes::rules;
use crate::shapes::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndexUpdate, GlobalTableSettingsReplicationMode,
    GlobalTableWitnessGroupUpdate, MultiRegionConsistency, OnDemandThroughput, ProvisionedThroughput,
    ReplicationGroupUpdate, SSESpecification, StreamSpecification, TableClass, VectorIndexUpdate, WarmThroughput,
};

use super::decode;

structure! {
    /// Request of UpdateTable.
    pub struct UpdateTableInput {
        /// Key attributes that new indexes need.
        optional attribute_definitions: Vec<AttributeDefinition> = "AttributeDefinitions";
        /// Table name or ARN, as the client wrote it.
        required table_name: String = "TableName" => rules::managed_table_name;
        /// Provisioned capacity.
        optional provisioned_throughput: ProvisionedThroughput = "ProvisionedThroughput";
        /// How the table is paid for.
        optional billing_mode: BillingMode = "BillingMode";
        /// Changes of global indexes.
        optional global_secondary_index_updates: Vec<GlobalSecondaryIndexUpdate> = "GlobalSecondaryIndexUpdates";
        /// Stream.
        optional stream_specification: StreamSpecification = "StreamSpecification";
        /// Encryption.
        optional sse_specification: SSESpecification = "SSESpecification";
        /// Changes of replicas.
        optional replica_updates: Vec<ReplicationGroupUpdate> = "ReplicaUpdates" => rules::not_empty;
        /// Storage class.
        optional table_class: TableClass = "TableClass";
        /// Protection from DeleteTable.
        optional deletion_protection_enabled: bool = "DeletionProtectionEnabled";
        /// Consistency between regions.
        optional multi_region_consistency: MultiRegionConsistency = "MultiRegionConsistency";
        /// Changes of the witness.
        optional global_table_witness_updates: Vec<GlobalTableWitnessGroupUpdate> = "GlobalTableWitnessUpdates" => rules::elements::<1, 1, _>;
        /// Bounds of a table that is paid by request.
        optional on_demand_throughput: OnDemandThroughput = "OnDemandThroughput";
        /// Readiness.
        optional warm_throughput: WarmThroughput = "WarmThroughput";
        /// Replication of settings.
        optional global_table_settings_replication_mode: GlobalTableSettingsReplicationMode = "GlobalTableSettingsReplicationMode";
        /// Protection from leaving a global table.
        optional disassociation_protection_enabled: bool = "DisassociationProtectionEnabled";
        /// Changes of vector indexes.
        optional vector_index_updates: Vec<VectorIndexUpdate> = "VectorIndexUpdates";
    }
}

impl UpdateTableInput {
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
