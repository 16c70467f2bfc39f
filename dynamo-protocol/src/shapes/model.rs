//! The shapes held against the public service model: no member, requirement or enum value is missing or invented.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::ops::*;

/// The model's lines; see the file.
const MODEL: &str = include_str!("model.txt");

/// Members and values that are told apart from the model on purpose.
///
/// CreateTable's definitions and keys are required here: the model leaves them out only for replicas, and DynamoDB asks
/// for them by the classic message.
const OTHERWISE: &[&str] = &["CreateTableInput"];

fn lines(separator: &str) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let lines = MODEL.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(separator))
        .map(|(name, members)| (name, members.split_whitespace().collect()))
        .collect()
}

#[test]
fn every_member_of_the_model() {
    let mut model = lines(":");
    // Read as bodies of their own, see there.
    for (input, body) in [
        ("BatchExecuteStatementInput", "BatchExecuteStatementBody"),
        ("TransactWriteItemsInput", "TransactWriteItemsBody"),
        ("ScanInput", "ScanBody"),
    ] {
        let members = model.remove(input).expect("an operation of the model");
        model.insert(body, members);
    }
    macro_rules! check {
        ($($name:ident)*) => {$(
            let theirs = model.remove(stringify!($name)).expect(stringify!($name));
            let ours: Vec<String> = $name::MEMBERS
                .iter()
                .map(|(member, required)| format!("{member}{}", if *required { "!" } else { "" }))
                .collect();
            let mut ours: BTreeSet<&str> = ours.iter().map(String::as_str).collect();
            let mut theirs: BTreeSet<&str> = theirs;
            if OTHERWISE.contains(&stringify!($name)) {
                ours = ours.iter().map(|member| member.trim_end_matches('!')).collect();
                theirs = theirs.iter().map(|member| member.trim_end_matches('!')).collect();
            }
            assert_eq!(ours, theirs, stringify!($name));
        )*};
    }
    check! {
        AttributeDefinition
        AttributeValueUpdate
        BatchExecuteStatementBody
        BatchGetItemInput
        BatchStatementRequest
        BatchWriteItemInput
        Condition
        ConditionCheck
        CreateGlobalSecondaryIndexAction
        CreateGlobalTableWitnessGroupMemberAction
        CreateReplicationGroupMemberAction
        CreateTableInput
        CreateVectorIndexAction
        Delete
        DeleteGlobalSecondaryIndexAction
        DeleteGlobalTableWitnessGroupMemberAction
        DeleteItemInput
        DeleteReplicationGroupMemberAction
        DeleteRequest
        DeleteTableInput
        DeleteVectorIndexAction
        DescribeContinuousBackupsInput
        DescribeEndpointsInput
        DescribeLimitsInput
        DescribeStreamInput
        DescribeTableInput
        DescribeTimeToLiveInput
        DisassociateReplicationGroupMemberAction
        ExecuteStatementInput
        ExecuteTransactionInput
        ExpectedAttributeValue
        Get
        GetItemInput
        GetRecordsInput
        GetShardIteratorInput
        GlobalSecondaryIndex
        GlobalSecondaryIndexUpdate
        GlobalTableWitnessGroupUpdate
        KeySchemaElement
        KeysAndAttributes
        ListStreamsInput
        ListTablesInput
        ListTagsOfResourceInput
        LocalSecondaryIndex
        OnDemandThroughput
        OnDemandThroughputOverride
        ParameterizedStatement
        Projection
        ProvisionedThroughput
        ProvisionedThroughputOverride
        Put
        PutItemInput
        PutRequest
        QueryInput
        ReplicaGlobalSecondaryIndex
        ReplicationGroupUpdate
        SSESpecification
        ScanBody
        SearchSchemaElement
        ShardFilter
        StreamSpecification
        Tag
        TagResourceInput
        TimeToLiveSpecification
        TransactGetItem
        TransactGetItemsInput
        TransactWriteItem
        TransactWriteItemsBody
        UntagResourceInput
        Update
        UpdateGlobalSecondaryIndexAction
        UpdateItemInput
        UpdateReplicationGroupMemberAction
        UpdateTableInput
        UpdateTimeToLiveInput
        VectorAttributeDefinition
        VectorIndex
        VectorIndexUpdate
        WarmThroughput
        WriteRequest
    }
    assert!(model.is_empty(), "not declared: {:?}", model.keys());
}

#[test]
fn every_value_of_the_enums() {
    let mut model = lines(" = ");
    macro_rules! check {
        ($($name:ident)*) => {$(
            let shown = if stringify!($name) == "SseType" { "SSEType" } else { stringify!($name) };
            let ours: BTreeSet<&str> = $name::ALL.iter().map(|value| value.as_str()).collect();
            assert_eq!(ours, model.remove(shown).expect(shown), "{shown}");
            assert!($name::ALL.iter().all(|value| $name::parse(value.as_str()) == Some(*value)));
        )*};
    }
    check! {
        ReturnValue
        ReturnConsumedCapacity
        ReturnItemCollectionMetrics
        ReturnValuesOnConditionCheckFailure
        ConditionalOperator
        ComparisonOperator
        AttributeAction
        Select
        ScalarAttributeType
        KeyType
        ProjectionType
        BillingMode
        TableClass
        StreamViewType
        ShardIteratorType
        ShardFilterType
        SseType
        MultiRegionConsistency
        GlobalTableSettingsReplicationMode
        DisassociationMode
        VectorDistanceFunction
        SearchSchemaElementType
    }
    assert!(model.is_empty(), "not declared: {:?}", model.keys());
}
