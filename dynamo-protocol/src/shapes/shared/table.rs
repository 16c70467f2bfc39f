//! Shapes of the control plane: what a table is made of.

use super::enums::{
    BillingMode, DisassociationMode, KeyType, ProjectionType, ScalarAttributeType, SearchSchemaElementType, SseType,
    StreamViewType, TableClass, VectorDistanceFunction,
};
use crate::shapes::declare::structure;
use crate::shapes::rules;

structure! {
    /// A key attribute and its type.
    pub struct AttributeDefinition {
        /// Type.
        required attribute_type: ScalarAttributeType = "AttributeType";
        /// Name.
        required attribute_name: String = "AttributeName" => rules::length::<1, 255>;
    }
}

structure! {
    /// One attribute of a key.
    pub struct KeySchemaElement {
        /// Name.
        required attribute_name: String = "AttributeName" => rules::length::<1, 255>;
        /// Role.
        required key_type: KeyType = "KeyType";
    }
}

structure! {
    /// Which attributes an index holds.
    pub struct Projection {
        /// All, keys, or named ones.
        optional projection_type: ProjectionType = "ProjectionType";
        /// The named ones.
        optional non_key_attributes: Vec<String> = "NonKeyAttributes" => rules::elements::<1, 20, _>, rules::members::<1, 255>;
    }
}

structure! {
    /// Provisioned capacity per second.
    pub struct ProvisionedThroughput {
        /// Write units.
        required write_capacity_units: i64 = "WriteCapacityUnits" => rules::range::<1, { i64::MAX }>;
        /// Read units.
        required read_capacity_units: i64 = "ReadCapacityUnits" => rules::range::<1, { i64::MAX }>;
    }
}

structure! {
    /// Bounds of a table that is paid by request; -1 lifts one.
    pub struct OnDemandThroughput {
        /// Read units per second.
        optional max_read_request_units: i64 = "MaxReadRequestUnits";
        /// Write units per second.
        optional max_write_request_units: i64 = "MaxWriteRequestUnits";
    }
}

structure! {
    /// Throughput that the table is ready for at once.
    pub struct WarmThroughput {
        /// Read units per second.
        optional read_units_per_second: i64 = "ReadUnitsPerSecond";
        /// Write units per second.
        optional write_units_per_second: i64 = "WriteUnitsPerSecond";
    }
}

structure! {
    /// A global index to be made.
    pub struct GlobalSecondaryIndex {
        /// Name.
        required index_name: String = "IndexName" => rules::new_name;
        /// Key.
        required key_schema: Vec<KeySchemaElement> = "KeySchema" => rules::not_empty;
        /// Held attributes.
        required projection: Projection = "Projection";
        /// Provisioned capacity.
        optional provisioned_throughput: ProvisionedThroughput = "ProvisionedThroughput";
        /// Bounds.
        optional on_demand_throughput: OnDemandThroughput = "OnDemandThroughput";
        /// Readiness.
        optional warm_throughput: WarmThroughput = "WarmThroughput";
    }
}

structure! {
    /// A local index to be made.
    pub struct LocalSecondaryIndex {
        /// Name.
        required index_name: String = "IndexName" => rules::new_name;
        /// Key.
        required key_schema: Vec<KeySchemaElement> = "KeySchema" => rules::elements::<1, 2, _>;
        /// Held attributes.
        required projection: Projection = "Projection";
    }
}

structure! {
    /// Whether and what a table streams.
    pub struct StreamSpecification {
        /// On or off.
        required stream_enabled: bool = "StreamEnabled";
        /// What records show.
        optional stream_view_type: StreamViewType = "StreamViewType";
    }
}

structure! {
    /// Encryption at rest.
    pub struct SSESpecification {
        /// On or off.
        optional enabled: bool = "Enabled";
        /// Kind.
        optional sse_type: SseType = "SSEType";
        /// Key.
        optional kms_master_key_id: String = "KMSMasterKeyId" => rules::length::<1, { usize::MAX }>;
    }
}

/// The same under a Rust name.
pub type SseSpecification = SSESpecification;

structure! {
    /// A tag. The service checks its parts itself, not by the model, and says what is missing in words of its own.
    pub struct Tag {
        /// Key.
        spoken key: String = "Key", "The Tag Key provided is invalid, Key: null";
        /// Value.
        spoken value: String = "Value", "The Tag Value provided is invalid, Value: null";
    }
}

structure! {
    /// Expiry of items.
    pub struct TimeToLiveSpecification {
        /// The attribute that holds the time.
        required attribute_name: String = "AttributeName" => rules::length::<1, 255>;
        /// On or off.
        required enabled: bool = "Enabled";
    }
}

structure! {
    /// A change of a table's global indexes: exactly one of three.
    pub struct GlobalSecondaryIndexUpdate {
        /// New settings.
        optional update: UpdateGlobalSecondaryIndexAction = "Update";
        /// A new index.
        optional create: CreateGlobalSecondaryIndexAction = "Create";
        /// An index to drop.
        optional delete: DeleteGlobalSecondaryIndexAction = "Delete";
    }
}

structure! {
    /// New settings of an index.
    pub struct UpdateGlobalSecondaryIndexAction {
        /// Name.
        required index_name: String = "IndexName" => rules::new_name;
        /// Provisioned capacity.
        optional provisioned_throughput: ProvisionedThroughput = "ProvisionedThroughput";
        /// Bounds.
        optional on_demand_throughput: OnDemandThroughput = "OnDemandThroughput";
        /// Readiness.
        optional warm_throughput: WarmThroughput = "WarmThroughput";
    }
}

structure! {
    /// A new index.
    pub struct CreateGlobalSecondaryIndexAction {
        /// Held attributes.
        required projection: Projection = "Projection";
        /// Name.
        required index_name: String = "IndexName" => rules::new_name;
        /// Provisioned capacity.
        optional provisioned_throughput: ProvisionedThroughput = "ProvisionedThroughput";
        /// Key.
        required key_schema: Vec<KeySchemaElement> = "KeySchema" => rules::not_empty;
        /// Bounds.
        optional on_demand_throughput: OnDemandThroughput = "OnDemandThroughput";
        /// Readiness.
        optional warm_throughput: WarmThroughput = "WarmThroughput";
    }
}

structure! {
    /// An index to drop.
    pub struct DeleteGlobalSecondaryIndexAction {
        /// Name.
        required index_name: String = "IndexName" => rules::new_name;
    }
}

structure! {
    /// Capacity of one replica where it differs.
    pub struct ProvisionedThroughputOverride {
        /// Read units.
        optional read_capacity_units: i64 = "ReadCapacityUnits" => rules::range::<1, { i64::MAX }>;
    }
}

structure! {
    /// Bounds of one replica where they differ.
    pub struct OnDemandThroughputOverride {
        /// Read units per second.
        optional max_read_request_units: i64 = "MaxReadRequestUnits";
    }
}

structure! {
    /// A replica's settings of one index.
    pub struct ReplicaGlobalSecondaryIndex {
        /// Name.
        required index_name: String = "IndexName" => rules::new_name;
        /// Capacity.
        optional provisioned_throughput_override: ProvisionedThroughputOverride = "ProvisionedThroughputOverride";
        /// Bounds.
        optional on_demand_throughput_override: OnDemandThroughputOverride = "OnDemandThroughputOverride";
    }
}

structure! {
    /// A replica to be made.
    pub struct CreateReplicationGroupMemberAction {
        /// Region.
        required region_name: String = "RegionName";
        /// Key.
        optional kms_master_key_id: String = "KMSMasterKeyId";
        /// Capacity.
        optional provisioned_throughput_override: ProvisionedThroughputOverride = "ProvisionedThroughputOverride";
        /// Bounds.
        optional on_demand_throughput_override: OnDemandThroughputOverride = "OnDemandThroughputOverride";
        /// Indexes.
        optional global_secondary_indexes: Vec<ReplicaGlobalSecondaryIndex> = "GlobalSecondaryIndexes" => rules::not_empty;
        /// Storage class.
        optional table_class_override: TableClass = "TableClassOverride";
    }
}

structure! {
    /// New settings of a replica.
    pub struct UpdateReplicationGroupMemberAction {
        /// Region.
        required region_name: String = "RegionName";
        /// Key.
        optional kms_master_key_id: String = "KMSMasterKeyId";
        /// Capacity.
        optional provisioned_throughput_override: ProvisionedThroughputOverride = "ProvisionedThroughputOverride";
        /// Bounds.
        optional on_demand_throughput_override: OnDemandThroughputOverride = "OnDemandThroughputOverride";
        /// Indexes.
        optional global_secondary_indexes: Vec<ReplicaGlobalSecondaryIndex> = "GlobalSecondaryIndexes" => rules::not_empty;
        /// Storage class.
        optional table_class_override: TableClass = "TableClassOverride";
    }
}

structure! {
    /// A replica to be dropped.
    pub struct DeleteReplicationGroupMemberAction {
        /// Region.
        required region_name: String = "RegionName";
    }
}

structure! {
    /// A replica to be let go as a table of its own.
    pub struct DisassociateReplicationGroupMemberAction {
        /// Region.
        required region_name: String = "RegionName";
        /// How.
        required disassociation_mode: DisassociationMode = "DisassociationMode";
    }
}

structure! {
    /// A change of a table's replicas.
    pub struct ReplicationGroupUpdate {
        /// A new one.
        optional create: CreateReplicationGroupMemberAction = "Create";
        /// New settings.
        optional update: UpdateReplicationGroupMemberAction = "Update";
        /// One to drop.
        optional delete: DeleteReplicationGroupMemberAction = "Delete";
        /// One to let go.
        optional disassociate: DisassociateReplicationGroupMemberAction = "Disassociate";
    }
}

structure! {
    /// A witness to be added.
    pub struct CreateGlobalTableWitnessGroupMemberAction {
        /// Region.
        required region_name: String = "RegionName";
    }
}

structure! {
    /// A witness to be dropped.
    pub struct DeleteGlobalTableWitnessGroupMemberAction {
        /// Region.
        required region_name: String = "RegionName";
    }
}

structure! {
    /// A change of a global table's witness.
    pub struct GlobalTableWitnessGroupUpdate {
        /// A new one.
        optional create: CreateGlobalTableWitnessGroupMemberAction = "Create";
        /// One to drop.
        optional delete: DeleteGlobalTableWitnessGroupMemberAction = "Delete";
    }
}

structure! {
    /// The attribute that holds a vector.
    pub struct VectorAttributeDefinition {
        /// Name.
        required attribute_name: String = "AttributeName" => rules::length::<1, 255>;
    }
}

structure! {
    /// One attribute of a vector index's schema.
    pub struct SearchSchemaElement {
        /// Name.
        required attribute_name: String = "AttributeName" => rules::length::<0, 65535>;
        /// Role.
        required search_schema_element_type: SearchSchemaElementType = "SearchSchemaElementType";
    }
}

structure! {
    /// A vector index to be made.
    pub struct VectorIndex {
        /// Name.
        required index_name: String = "IndexName" => rules::new_name;
        /// The vector.
        required vector_attribute: VectorAttributeDefinition = "VectorAttribute";
        /// Other attributes that are searched by.
        optional search_schema: Vec<SearchSchemaElement> = "SearchSchema" => rules::not_empty;
        /// Held attributes.
        required projection: Projection = "Projection";
        /// Length of the vector.
        required dimensions: i64 = "Dimensions" => rules::range::<1, { i64::MAX }>;
        /// Distance.
        required distance_function: VectorDistanceFunction = "DistanceFunction";
    }
}

structure! {
    /// A new vector index.
    pub struct CreateVectorIndexAction {
        /// Name.
        required index_name: String = "IndexName" => rules::new_name;
        /// The vector.
        required vector_attribute: VectorAttributeDefinition = "VectorAttribute";
        /// Other attributes that are searched by.
        optional search_schema: Vec<SearchSchemaElement> = "SearchSchema" => rules::not_empty;
        /// Held attributes.
        required projection: Projection = "Projection";
        /// Length of the vector.
        required dimensions: i64 = "Dimensions" => rules::range::<1, { i64::MAX }>;
        /// Distance.
        required distance_function: VectorDistanceFunction = "DistanceFunction";
    }
}

structure! {
    /// A vector index to drop.
    pub struct DeleteVectorIndexAction {
        /// Name.
        required index_name: String = "IndexName" => rules::new_name;
    }
}

structure! {
    /// A change of a table's vector indexes.
    pub struct VectorIndexUpdate {
        /// A new one.
        optional create: CreateVectorIndexAction = "Create";
        /// One to drop.
        optional delete: DeleteVectorIndexAction = "Delete";
    }
}

/// Paid by provisioned throughput unless said otherwise.
impl BillingMode {
    /// The mode of a request that names none.
    pub const DEFAULT: BillingMode = BillingMode::Provisioned;
}
