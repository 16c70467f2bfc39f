//! The enums of the model.

use crate::error::ApiError;
use crate::shapes::checks::Checks;
use crate::shapes::declare::enumeration;

enumeration! {
    /// Which attributes a write gives back.
    pub enum ReturnValue
        shown "[ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]"
        // The newer layer misspells its last but one value.
        current "[ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]"
    {
        /// Nothing.
        None = "NONE",
        /// The item as it was.
        AllOld = "ALL_OLD",
        /// What changed, as it was.
        UpdatedOld = "UPDATED_OLD",
        /// The item as it is.
        AllNew = "ALL_NEW",
        /// What changed, as it is.
        UpdatedNew = "UPDATED_NEW",
    }
}

enumeration! {
    /// How much of the consumed capacity is told.
    pub enum ReturnConsumedCapacity shown "[INDEXES, TOTAL, NONE]" {
        /// Nothing.
        None = "NONE",
        /// One sum per table.
        Total = "TOTAL",
        /// Table and indexes apart.
        Indexes = "INDEXES",
    }
}

enumeration! {
    /// Whether the size of the item collection is told.
    pub enum ReturnItemCollectionMetrics shown "[SIZE, NONE]" {
        /// No.
        None = "NONE",
        /// Yes, as an estimate.
        Size = "SIZE",
    }
}

enumeration! {
    /// Whether a failed condition gives the item back.
    pub enum ReturnValuesOnConditionCheckFailure shown "[ALL_OLD, NONE]" {
        /// No.
        None = "NONE",
        /// The item as it is.
        AllOld = "ALL_OLD",
    }
}

enumeration! {
    /// How legacy conditions are joined.
    pub enum ConditionalOperator shown "[OR, AND]" current "[ALL, OR]" {
        /// All must hold.
        And = "AND",
        /// One must hold.
        Or = "OR",
    }
}

enumeration! {
    /// Comparison in a legacy condition.
    pub enum ComparisonOperator
        shown "[IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS]"
    {
        /// Equal.
        Eq = "EQ",
        /// Not equal.
        Ne = "NE",
        /// One of several.
        In = "IN",
        /// At most.
        Le = "LE",
        /// Below.
        Lt = "LT",
        /// At least.
        Ge = "GE",
        /// Above.
        Gt = "GT",
        /// From one to another, both included.
        Between = "BETWEEN",
        /// The attribute exists.
        NotNull = "NOT_NULL",
        /// The attribute does not exist.
        Null = "NULL",
        /// Substring or member.
        Contains = "CONTAINS",
        /// Neither substring nor member.
        NotContains = "NOT_CONTAINS",
        /// Prefix.
        BeginsWith = "BEGINS_WITH",
    }
}

enumeration! {
    /// What a legacy update does with its value.
    pub enum AttributeAction shown "[ADD, DELETE, PUT]" {
        /// Sets the attribute.
        Put = "PUT",
        /// Adds to a number or a set.
        Add = "ADD",
        /// Removes the attribute, or members of a set.
        Delete = "DELETE",
    }
}

enumeration! {
    /// What Query and Scan give back.
    pub enum Select shown "[SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]" {
        /// All attributes of the item.
        AllAttributes = "ALL_ATTRIBUTES",
        /// All attributes that the index holds.
        AllProjectedAttributes = "ALL_PROJECTED_ATTRIBUTES",
        /// The ones asked for.
        SpecificAttributes = "SPECIFIC_ATTRIBUTES",
        /// Only the count.
        Count = "COUNT",
    }
}

enumeration! {
    /// Type of a key attribute.
    pub enum ScalarAttributeType shown "[B, N, S]" {
        /// String.
        S = "S",
        /// Number.
        N = "N",
        /// Binary.
        B = "B",
    }
}

enumeration! {
    /// Role of a key attribute.
    pub enum KeyType shown "[HASH, RANGE]" {
        /// Partition key.
        Hash = "HASH",
        /// Sort key.
        Range = "RANGE",
    }
}

enumeration! {
    /// Which attributes an index holds.
    pub enum ProjectionType shown "[ALL, INCLUDE, KEYS_ONLY]" {
        /// All of them.
        All = "ALL",
        /// The keys.
        KeysOnly = "KEYS_ONLY",
        /// The keys and named ones.
        Include = "INCLUDE",
    }
}

enumeration! {
    /// How a table is paid for.
    pub enum BillingMode shown "[PROVISIONED, PAY_PER_REQUEST]" {
        /// By provisioned throughput.
        Provisioned = "PROVISIONED",
        /// By request.
        PayPerRequest = "PAY_PER_REQUEST",
    }
}

enumeration! {
    /// Storage class.
    pub enum TableClass
        shown "[STANDARD, STANDARD_INFREQUENT_ACCESS]"
        said "Invalid table-class parameter provided. Please try again with a valid table-class value: [STANDARD, STANDARD_INFREQUENT_ACCESS]."
    {
        /// The usual one.
        Standard = "STANDARD",
        /// For data that is seldom read.
        StandardInfrequentAccess = "STANDARD_INFREQUENT_ACCESS",
    }
}

enumeration! {
    /// What a stream's records show.
    pub enum StreamViewType shown "[OLD_IMAGE, KEYS_ONLY, NEW_AND_OLD_IMAGES, NEW_IMAGE]" {
        /// The item after the change.
        NewImage = "NEW_IMAGE",
        /// The item before the change.
        OldImage = "OLD_IMAGE",
        /// Both.
        NewAndOldImages = "NEW_AND_OLD_IMAGES",
        /// The key.
        KeysOnly = "KEYS_ONLY",
    }
}

enumeration! {
    /// From which place in a shard an iterator reads.
    pub enum ShardIteratorType
        shown "[AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]"
    {
        /// From the oldest record that there is.
        TrimHorizon = "TRIM_HORIZON",
        /// Behind the newest record.
        Latest = "LATEST",
        /// From the record with a number.
        AtSequenceNumber = "AT_SEQUENCE_NUMBER",
        /// Behind the record with a number.
        AfterSequenceNumber = "AFTER_SEQUENCE_NUMBER",
        /// From the first record that is not older than a moment.
        AtTimestamp = "AT_TIMESTAMP",
    }
}

enumeration! {
    /// Which shards of a stream are described.
    pub enum ShardFilterType shown "[CHILD_SHARDS]" {
        /// Those that follow a shard.
        ChildShards = "CHILD_SHARDS",
    }
}

enumeration! {
    /// Kind of encryption.
    pub enum SseType shown "[AES256, KMS]" {
        /// With DynamoDB's own key.
        Aes256 = "AES256",
        /// With a managed key.
        Kms = "KMS",
    }
}

enumeration! {
    /// Consistency between regions.
    pub enum MultiRegionConsistency shown "[EVENTUAL, STRONG]" {
        /// Eventual.
        Eventual = "EVENTUAL",
        /// Strong.
        Strong = "STRONG",
    }
}

enumeration! {
    /// How settings of a global table are replicated.
    pub enum GlobalTableSettingsReplicationMode shown "[ENABLED, DISABLED, ENABLED_WITH_OVERRIDES]" {
        /// Replicated.
        Enabled = "ENABLED",
        /// Not replicated.
        Disabled = "DISABLED",
        /// Replicated, with exceptions.
        EnabledWithOverrides = "ENABLED_WITH_OVERRIDES",
    }
}

enumeration! {
    /// How a replica leaves.
    pub enum DisassociationMode shown "[WAIT_FOR_REPLICATION]" {
        /// After everything was replicated.
        WaitForReplication = "WAIT_FOR_REPLICATION",
    }
}

enumeration! {
    /// Distance between vectors.
    pub enum VectorDistanceFunction shown "[COSINE, DOT_PRODUCT, EUCLIDEAN]" {
        /// Angle.
        Cosine = "COSINE",
        /// Dot product.
        DotProduct = "DOT_PRODUCT",
        /// Straight line.
        Euclidean = "EUCLIDEAN",
    }
}

enumeration! {
    /// Role of an attribute in a vector index.
    pub enum SearchSchemaElementType shown "[HASH, INLINE_FILTER]" {
        /// Partition key.
        Hash = "HASH",
        /// Filtered on inside the index.
        InlineFilter = "INLINE_FILTER",
    }
}

impl Checks {
    /// Where the request is read the classic way, PutItem and DeleteItem refuse to return new values before they look
    /// at the values they were given, and without the envelope.
    pub(crate) fn only_old_values(&self, mode: Option<ReturnValue>) -> Result<(), ApiError> {
        match mode {
            Some(ReturnValue::AllNew | ReturnValue::UpdatedOld | ReturnValue::UpdatedNew) if self.abyss => {
                Err(ApiError::validation("ReturnValues can only be ALL_OLD or NONE"))
            }
            _ => Ok(()),
        }
    }
}
