//! Tables from creation to deletion, the whole way through plan, log entry, apply and reply.

use serde_json::{Value, json};

use crate::node::Node;

const ARN: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/orders";

fn orders(more: Value) -> Value {
    let mut request = json!({
        "TableName": "orders",
        "AttributeDefinitions": [
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "placed", "AttributeType": "N"},
        ],
        "KeySchema": [
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "placed", "KeyType": "RANGE"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
    });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

fn node_with(more: Value) -> Node {
    let mut node = Node::new();
    node.send("CreateTable", &orders(more)).unwrap();
    node
}

fn describe(node: &mut Node) -> Value {
    node.send("DescribeTable", &json!({"TableName": "orders"})).unwrap()["Table"].take()
}

fn put(node: &mut Node, customer: &str, placed: u32, more: Value) {
    let mut item = json!({"customer": {"S": customer}, "placed": {"N": placed.to_string()}});
    item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    node.send("PutItem", &json!({"TableName": "orders", "Item": item})).unwrap();
}

fn refused(node: &mut Node, operation: &str, request: Value) -> String {
    node.send(operation, &request).expect_err("refused").to_string()
}

#[test]
fn a_table_is_created_described_and_deleted() {
    let mut node = Node::new();
    let created = node.send("CreateTable", &orders(json!({}))).unwrap()["TableDescription"].take();
    assert_eq!(created["TableStatus"], "CREATING");
    assert_eq!(created["TableArn"], ARN);
    let described = describe(&mut node);
    assert_eq!(described["TableStatus"], "ACTIVE");
    assert_eq!(described["TableId"], created["TableId"]);
    assert_eq!(described["CreationDateTime"], created["CreationDateTime"]);
    assert_eq!(describe(&mut node), described, "identical on the second look");
    assert_eq!(
        refused(&mut node, "CreateTable", orders(json!({}))),
        "ResourceInUseException: Table already exists: orders"
    );
    assert_eq!(node.send("ListTables", &json!({})).unwrap(), json!({"TableNames": ["orders"]}));

    put(&mut node, "ann", 1, json!({}));
    let deleted = node.send("DeleteTable", &json!({"TableName": ARN})).unwrap()["TableDescription"].take();
    assert_eq!(deleted["TableStatus"], "DELETING");
    assert_eq!(deleted["TableId"], created["TableId"]);
    assert_eq!(node.send("ListTables", &json!({})).unwrap(), json!({"TableNames": []}));
    assert_eq!(
        refused(&mut node, "DescribeTable", json!({"TableName": "orders"})),
        "ResourceNotFoundException: Requested resource not found: Table: orders not found"
    );

    let again = node.send("CreateTable", &orders(json!({}))).unwrap()["TableDescription"].take();
    assert_ne!(again["TableId"], created["TableId"], "a table that is created again is another table");
    assert_eq!(describe(&mut node)["ItemCount"], 0);
    let scanned = node.send("Scan", &json!({"TableName": "orders"})).unwrap();
    assert_eq!(scanned["Count"], 0, "nothing of the old table is left");
}

#[test]
fn counts_follow_every_write() {
    let mut node = node_with(json!({}));
    put(&mut node, "ann", 1, json!({"note": {"S": "12345"}}));
    put(&mut node, "bob", 2, json!({}));
    let described = describe(&mut node);
    assert_eq!(described["ItemCount"], 2);
    // Two keys of 8 + 3 + 6 + 2 bytes, one note of 4 + 5.
    assert_eq!(described["TableSizeBytes"], 2 * 19 + 9);
    let key = json!({"customer": {"S": "ann"}, "placed": {"N": "1"}});
    node.send("DeleteItem", &json!({"TableName": "orders", "Key": key})).unwrap();
    let described = describe(&mut node);
    assert_eq!((&described["ItemCount"], &described["TableSizeBytes"]), (&json!(1), &json!(19)));
}

/// An index is added to a filled table: first it is only written, then filled, and only then read.
#[test]
fn an_index_is_added_filled_and_dropped() {
    let mut node = node_with(json!({}));
    for placed in 0..10 {
        let state = if placed % 2 == 0 { json!({"state": {"S": "open"}}) } else { json!({}) };
        put(&mut node, "ann", placed, state);
    }
    // The wrong type for the key of the index: stays out of it.
    put(&mut node, "ann", 100, json!({"state": {"N": "7"}}));
    let add = json!({
        "TableName": "orders",
        "AttributeDefinitions": [{"AttributeName": "state", "AttributeType": "S"}],
        "GlobalSecondaryIndexUpdates": [{"Create": {
            "IndexName": "by_state",
            "KeySchema": [{"AttributeName": "state", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }}],
    });
    node.drives = false;
    let reply = node.send("UpdateTable", &add).unwrap()["TableDescription"].take();
    assert_eq!(reply["TableStatus"], "UPDATING");
    assert_eq!(reply["GlobalSecondaryIndexes"][0]["IndexStatus"], "CREATING");
    assert_eq!(reply["GlobalSecondaryIndexes"][0]["Backfilling"], false);
    assert!(refused(&mut node, "UpdateTable", add.clone()).contains("Index is being created. Table: orders"));
    assert_eq!(
        refused(&mut node, "DeleteTable", json!({"TableName": "orders"})),
        "ResourceInUseException: Attempt to change a resource which is still in use: Cannot delete table while indexes \
         are being created, updated, or deleted."
    );
    let query = json!({
        "TableName": "orders", "IndexName": "by_state", "KeyConditionExpression": "#s = :s",
        "ExpressionAttributeNames": {"#s": "state"}, "ExpressionAttributeValues": {":s": {"S": "open"}},
    });
    assert!(refused(&mut node, "Query", query.clone()).contains("backfilling global secondary index"));
    put(&mut node, "bob", 1, json!({"state": {"S": "open"}}));

    node.drive();
    let described = describe(&mut node);
    assert_eq!(described["TableStatus"], "ACTIVE");
    let index = &described["GlobalSecondaryIndexes"][0];
    assert_eq!((&index["IndexStatus"], &index["ItemCount"]), (&json!("ACTIVE"), &json!(6)));
    assert_eq!(node.send("Query", &query).unwrap()["Count"], 6);
    assert_eq!(described["AttributeDefinitions"].as_array().unwrap().len(), 3);

    node.drives = true;
    let drop = json!({
        "TableName": "orders",
        "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by_state"}}],
    });
    let reply = node.send("UpdateTable", &drop).unwrap()["TableDescription"].take();
    assert_eq!(reply["GlobalSecondaryIndexes"][0]["IndexStatus"], "DELETING");
    let described = describe(&mut node);
    assert_eq!(described.get("GlobalSecondaryIndexes"), None);
    assert_eq!(described["AttributeDefinitions"].as_array().unwrap().len(), 2);
    assert_eq!(node.replica().rows(), node.rows(), "a replica has the same rows");
}

#[test]
fn units_change_after_the_reply() {
    let mut node = node_with(json!({
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
    }));
    let units = |description: &Value| description["ProvisionedThroughput"]["ReadCapacityUnits"].as_u64();
    let update = json!({
        "TableName": "orders",
        "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 9},
    });
    let reply = node.send("UpdateTable", &update).unwrap()["TableDescription"].take();
    assert_eq!((units(&reply), reply["TableStatus"].as_str()), (Some(5), Some("UPDATING")));
    let described = describe(&mut node);
    assert_eq!(units(&described), Some(3));
    assert_eq!(described["ProvisionedThroughput"]["NumberOfDecreasesToday"], 1);
    assert!(described["ProvisionedThroughput"]["LastIncreaseDateTime"].is_number());
    assert_eq!(described.get("BillingModeSummary"), None);

    node.send("UpdateTable", &json!({"TableName": "orders", "BillingMode": "PAY_PER_REQUEST"})).unwrap();
    let described = describe(&mut node);
    assert_eq!(
        (units(&described), &described["BillingModeSummary"]["BillingMode"]),
        (Some(0), &json!("PAY_PER_REQUEST"))
    );
}

#[test]
fn tags_time_to_live_and_protection() {
    let mut node = node_with(json!({"Tags": [{"Key": "team", "Value": "sales"}]}));
    let tags = json!([{"Key": "env", "Value": "test"}, {"Key": "team", "Value": "shop"}]);
    assert_eq!(node.send("TagResource", &json!({"ResourceArn": ARN, "Tags": tags})).unwrap(), Value::Null);
    assert_eq!(node.send("ListTagsOfResource", &json!({"ResourceArn": ARN})).unwrap(), json!({"Tags": tags}));
    node.send("UntagResource", &json!({"ResourceArn": ARN, "TagKeys": ["team", "none"]})).unwrap();
    let left = node.send("ListTagsOfResource", &json!({"ResourceArn": ARN})).unwrap();
    assert_eq!(left, json!({"Tags": [{"Key": "env", "Value": "test"}]}));

    let ttl = |enabled| json!({"TableName": "orders", "TimeToLiveSpecification": {"Enabled": enabled, "AttributeName": "until"}});
    assert_eq!(
        node.send("UpdateTimeToLive", &ttl(true)).unwrap(),
        json!({"TimeToLiveSpecification": {"AttributeName": "until", "Enabled": true}})
    );
    let described = node.send("DescribeTimeToLive", &json!({"TableName": "orders"})).unwrap();
    assert_eq!(described, json!({"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "until"}}));
    node.send("UpdateTimeToLive", &ttl(false)).unwrap();
    let described = node.send("DescribeTimeToLive", &json!({"TableName": "orders"})).unwrap();
    assert_eq!(described, json!({"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}));

    let protect = |on| json!({"TableName": "orders", "DeletionProtectionEnabled": on});
    let reply = node.send("UpdateTable", &protect(true)).unwrap()["TableDescription"].take();
    assert_eq!(
        (reply["TableStatus"].as_str(), reply["DeletionProtectionEnabled"].as_bool()),
        (Some("ACTIVE"), Some(true))
    );
    assert!(refused(&mut node, "DeleteTable", json!({"TableName": "orders"})).contains("protected against deletion"));
    node.send("UpdateTable", &protect(false)).unwrap();
    node.send("DeleteTable", &json!({"TableName": "orders"})).unwrap();
    assert_eq!(
        refused(&mut node, "DescribeContinuousBackups", json!({"TableName": "orders"})),
        "TableNotFoundException: Table not found: orders"
    );
}

/// A global index can have several partition and several sort attributes; an item that lacks one stays out.
#[test]
fn an_index_key_of_several_attributes() {
    let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let mut node = Node::new();
    let create = json!({
        "TableName": "orders",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [attribute("id"), attribute("a"), attribute("b"), attribute("c"), attribute("d")],
        "KeySchema": [key("id", "HASH")],
        "GlobalSecondaryIndexes": [{
            "IndexName": "many",
            "KeySchema": [key("a", "HASH"), key("b", "HASH"), key("c", "RANGE"), key("d", "RANGE")],
            "Projection": {"ProjectionType": "ALL"},
        }],
    });
    node.send("CreateTable", &create).unwrap();
    for (id, [a, b, c, d]) in [
        ("1", ["x", "y", "1", "1"]),
        ("2", ["x", "y", "1", "2"]),
        ("3", ["x", "y", "2", "1"]),
        ("4", ["x", "z", "1", "1"]),
    ] {
        let item = json!({"id": {"S": id}, "a": {"S": a}, "b": {"S": b}, "c": {"S": c}, "d": {"S": d}});
        node.send("PutItem", &json!({"TableName": "orders", "Item": item})).unwrap();
    }
    let partial = json!({"id": {"S": "5"}, "a": {"S": "x"}, "b": {"S": "y"}, "c": {"S": "1"}});
    node.send("PutItem", &json!({"TableName": "orders", "Item": partial})).unwrap();
    let query = |condition: &str, values: Value| {
        json!({
            "TableName": "orders", "IndexName": "many", "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
        })
    };
    let ids = |reply: &Value| -> Vec<String> {
        let items = reply["Items"].as_array().unwrap();
        items.iter().map(|item| item["id"]["S"].as_str().unwrap().to_owned()).collect()
    };
    let whole = json!({":a": {"S": "x"}, ":b": {"S": "y"}});
    assert_eq!(ids(&node.send("Query", &query("a = :a AND b = :b", whole)).unwrap()), ["1", "2", "3"]);
    let narrow = json!({":a": {"S": "x"}, ":b": {"S": "y"}, ":c": {"S": "1"}, ":d": {"S": "1"}});
    assert_eq!(ids(&node.send("Query", &query("a = :a AND b = :b AND c = :c AND d > :d", narrow)).unwrap()), ["2"]);
    let half = json!({":a": {"S": "x"}});
    assert!(refused(&mut node, "Query", query("a = :a", half)).starts_with("ValidationException"));
    let described = describe(&mut node);
    assert_eq!(described["GlobalSecondaryIndexes"][0]["KeySchema"].as_array().unwrap().len(), 4);
}
