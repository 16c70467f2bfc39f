//! The control plane.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    BillingMode, CreateGlobalSecondaryIndexAction, DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate,
    IndexStatus, KeyType, Projection, ProjectionType, ProvisionedThroughput, ScalarAttributeType, TableClass,
    TableStatus, Tag, TimeToLiveSpecification, TimeToLiveStatus,
};
use tests::patience::eventually;
use tests::sdk::{attribute, create_table, failure, key, n, s};

use crate::{start, start_with};

/// A table looks the same on one shard and on several.
const SHARDS: [u32; 2] = [1, 4];

#[tokio::test]
async fn a_table_is_created_described_listed_and_deleted() {
    for shards in SHARDS {
        let (_server, client) = start_with(shards).await;
        create_describe_list_delete(client).await;
    }
}

async fn create_describe_list_delete(client: Client) {
    let throughput = ProvisionedThroughput::builder().read_capacity_units(5).write_capacity_units(7).build().unwrap();
    let created = client
        .create_table()
        .table_name("Music")
        .attribute_definitions(attribute("Artist", ScalarAttributeType::S))
        .attribute_definitions(attribute("Year", ScalarAttributeType::N))
        .key_schema(key("Artist", KeyType::Hash))
        .key_schema(key("Year", KeyType::Range))
        .provisioned_throughput(throughput)
        .send()
        .await
        .expect("created");
    let id = created.table_description().unwrap().table_id().unwrap().to_owned();

    let described = client.describe_table().table_name("Music").send().await.expect("described");
    let table = described.table().unwrap();
    assert_eq!(table.table_status(), Some(&TableStatus::Active));
    assert_eq!(table.table_id(), Some(id.as_str()));
    assert_eq!(table.table_arn(), Some("arn:aws:dynamodb:eu-west-1:000000000000:table/Music"));
    assert_eq!(table.provisioned_throughput().unwrap().write_capacity_units(), Some(7));
    assert_eq!(table.key_schema().len(), 2);
    let by_arn = client.describe_table().table_name(table.table_arn().unwrap()).send().await.expect("ARN as name");
    assert_eq!(by_arn.table().unwrap().table_id(), Some(id.as_str()));

    create_table(&client, "Another", false).await;
    let names = client.list_tables().send().await.expect("listed");
    assert_eq!(names.table_names(), ["Another", "Music"]);
    let first = client.list_tables().limit(1).send().await.expect("listed");
    assert_eq!((first.table_names().len(), first.last_evaluated_table_name()), (1, Some("Another")));
    let rest = client.list_tables().exclusive_start_table_name("Another").send().await.expect("listed");
    assert_eq!(rest.table_names(), ["Music"]);

    let again = client
        .create_table()
        .table_name("Music")
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("Artist", ScalarAttributeType::S))
        .key_schema(key("Artist", KeyType::Hash))
        .send()
        .await;
    assert_eq!(failure(again).0, "ResourceInUseException");

    for year in 0..20 {
        let song =
            client.put_item().table_name("Music").item("Artist", s(format!("artist{year}"))).item("Year", n(year));
        song.send().await.expect("put");
    }
    let described = client.describe_table().table_name("Music").send().await.expect("described");
    assert_eq!(described.table().unwrap().item_count(), Some(20));

    let deleted = client.delete_table().table_name("Music").send().await.expect("deleted");
    assert_eq!(deleted.table_description().unwrap().table_status(), Some(&TableStatus::Deleting));
    let gone = client.describe_table().table_name("Music").send().await;
    assert_eq!(
        failure(gone),
        ("ResourceNotFoundException".into(), "Requested resource not found: Table: Music not found".into())
    );
    create_table(&client, "Music", false).await;
    let described = client.describe_table().table_name("Music").send().await.expect("described");
    assert_eq!(described.table().unwrap().table_status(), Some(&TableStatus::Active));
    let scanned = client.scan().table_name("Music").send().await.expect("scanned");
    assert_eq!(scanned.count(), 0, "a new table has no old rows");
}

#[tokio::test]
async fn an_index_added_to_a_filled_table_is_filled_and_an_index_removed_is_gone() {
    for shards in SHARDS {
        let (_server, client) = start_with(shards).await;
        add_and_remove_an_index(client).await;
    }
}

async fn add_and_remove_an_index(client: Client) {
    create_table(&client, "tbl", false).await;
    for number in 0..250 {
        let request = client.put_item().table_name("tbl").item("pk", s(format!("item{number}")));
        let request = match number % 5 {
            // No index key, or one of the wrong type: these stay out of the index.
            0 => request,
            1 => request.item("colour", n(number)),
            _ => request.item("colour", s(["red", "blue"][number % 2])),
        };
        request.send().await.expect("put");
    }
    let create = CreateGlobalSecondaryIndexAction::builder()
        .index_name("by-colour")
        .key_schema(key("colour", KeyType::Hash))
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()
        .unwrap();
    client
        .update_table()
        .table_name("tbl")
        .attribute_definitions(attribute("colour", ScalarAttributeType::S))
        .global_secondary_index_updates(GlobalSecondaryIndexUpdate::builder().create(create).build())
        .send()
        .await
        .expect("updated");
    eventually("the index is active", async || {
        let described = client.describe_table().table_name("tbl").send().await.expect("described");
        let status = described.table().unwrap().global_secondary_indexes()[0].index_status().cloned();
        (status == Some(IndexStatus::Active)).then_some(())
    })
    .await;
    let mut found = 0;
    for colour in ["red", "blue"] {
        let page = client
            .query()
            .table_name("tbl")
            .index_name("by-colour")
            .key_condition_expression("colour = :c")
            .expression_attribute_values(":c", s(colour))
            .send()
            .await
            .expect("queried");
        found += page.count();
    }
    assert_eq!(found, 150);
    let delete = DeleteGlobalSecondaryIndexAction::builder().index_name("by-colour").build().unwrap();
    let updated = client
        .update_table()
        .table_name("tbl")
        .global_secondary_index_updates(GlobalSecondaryIndexUpdate::builder().delete(delete).build())
        .send()
        .await
        .expect("updated");
    let index = &updated.table_description().unwrap().global_secondary_indexes()[0];
    assert_eq!((index.index_status(), index.item_count()), (Some(&IndexStatus::Deleting), Some(150)), "as it was");
    let described = client.describe_table().table_name("tbl").send().await.expect("described");
    assert!(described.table().unwrap().global_secondary_indexes().is_empty());
}

#[tokio::test]
async fn settings_of_a_table_can_be_changed() {
    for shards in SHARDS {
        let (_server, client) = start_with(shards).await;
        change_settings(client).await;
    }
}

async fn change_settings(client: Client) {
    create_table(&client, "tbl", false).await;
    let throughput = ProvisionedThroughput::builder().read_capacity_units(3).write_capacity_units(4).build().unwrap();
    client
        .update_table()
        .table_name("tbl")
        .billing_mode(BillingMode::Provisioned)
        .provisioned_throughput(throughput)
        .send()
        .await
        .expect("updated");
    client.update_table().table_name("tbl").deletion_protection_enabled(true).send().await.expect("updated");
    let class = TableClass::StandardInfrequentAccess;
    client.update_table().table_name("tbl").table_class(class).send().await.expect("updated");
    let described = client.describe_table().table_name("tbl").send().await.expect("described");
    let table = described.table().unwrap();
    assert_eq!(table.provisioned_throughput().unwrap().read_capacity_units(), Some(3));
    assert_eq!(table.deletion_protection_enabled(), Some(true));
    assert_eq!(table.table_class_summary().unwrap().table_class(), Some(&TableClass::StandardInfrequentAccess));
    let kept = client.delete_table().table_name("tbl").send().await;
    assert_eq!(failure(kept).0, "ValidationException");
    client.update_table().table_name("tbl").deletion_protection_enabled(false).send().await.expect("updated");
    client.delete_table().table_name("tbl").send().await.expect("deleted");
}

#[tokio::test]
async fn tags_time_to_live_limits_endpoints_and_backups_answer() {
    let (_server, client) = start().await;
    create_table(&client, "tbl", false).await;
    let described = client.describe_table().table_name("tbl").send().await.expect("described");
    let arn = described.table().unwrap().table_arn().unwrap().to_owned();
    let tag = |name: &str, value: &str| Tag::builder().key(name).value(value).build().unwrap();
    client.tag_resource().resource_arn(&arn).tags(tag("a", "1")).tags(tag("b", "2")).send().await.expect("tagged");
    client.untag_resource().resource_arn(&arn).tag_keys("a").send().await.expect("untagged");
    let tags = client.list_tags_of_resource().resource_arn(&arn).send().await.expect("listed");
    assert_eq!(tags.tags(), [tag("b", "2")]);

    let specification = TimeToLiveSpecification::builder().attribute_name("expires").enabled(true).build().unwrap();
    client.update_time_to_live().table_name("tbl").time_to_live_specification(specification).send().await.expect("set");
    let described = client.describe_time_to_live().table_name("tbl").send().await.expect("described");
    let description = described.time_to_live_description().unwrap();
    assert_eq!(description.time_to_live_status(), Some(&TimeToLiveStatus::Enabled));
    assert_eq!(description.attribute_name(), Some("expires"));

    assert!(client.describe_limits().send().await.expect("limits").account_max_read_capacity_units().is_some());
    let backups = client.describe_continuous_backups().table_name("tbl").send().await.expect("described");
    assert!(backups.continuous_backups_description().is_some());
    assert!(!client.describe_endpoints().send().await.expect("endpoints").endpoints().is_empty());
}
