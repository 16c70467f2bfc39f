//! PartiQL through the SDK: pages, parameters of every type, and the same bytes as by the item operations.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, BatchStatementRequest, ParameterizedStatement};
use tests::sdk::{create_table, failure, n, s};

use crate::start_with;

type Row = HashMap<String, AttributeValue>;

/// All rows of a statement, page by page, and how many pages there were.
async fn pages(client: &Client, statement: &str, limit: i32) -> (Vec<Row>, usize) {
    let (mut rows, mut token, mut count) = (Vec::new(), None, 0);
    loop {
        let page = client.execute_statement().statement(statement).limit(limit).set_next_token(token).send().await;
        let page = page.expect("a page");
        rows.extend(page.items().to_vec());
        count += 1;
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return (rows, count);
        }
    }
}

fn names(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| format!("{}{}", row["pk"].as_s().unwrap(), row["sk"].as_s().unwrap())).collect()
}

#[tokio::test]
async fn pages_go_through_partitions_and_through_the_table() {
    for shards in [1, 4] {
        let (_server, client) = start_with(shards).await;
        create_table(&client, "tbl", true).await;
        for partition in ["a", "b", "c"] {
            for number in 1..=4 {
                let statement =
                    format!("INSERT INTO tbl VALUE {{'pk': '{partition}', 'sk': '{number}', 'n': {number}}}");
                client.execute_statement().statement(statement).send().await.expect("inserted");
            }
        }
        for limit in [1, 2, 3, 5, 100] {
            let some = "SELECT pk, sk FROM tbl WHERE pk IN ['c', 'a', 'x'] AND sk > '1' ORDER BY pk DESC, sk ASC";
            let (rows, _) = pages(&client, some, limit).await;
            assert_eq!(names(&rows), ["c2", "c3", "c4", "a2", "a3", "a4"], "{shards} shards, limit {limit}");
            let (mut rows, count) = pages(&client, "SELECT * FROM tbl WHERE n = 2 OR n = 3", limit).await;
            rows.sort_by_key(|row| names(std::slice::from_ref(row)));
            assert_eq!(names(&rows), ["a2", "a3", "b2", "b3", "c2", "c3"], "{shards} shards, limit {limit}");
            // Limit counts what is evaluated, not what passes the filter.
            assert!(count >= 12 / limit as usize, "{count} pages of {limit}");
        }
        let page = client.execute_statement().statement("SELECT * FROM tbl WHERE pk = 'a'").limit(1).send().await;
        let token = page.expect("a page").next_token().map(str::to_owned);
        let other = client.execute_statement().statement("SELECT * FROM tbl WHERE pk = 'b'").set_next_token(token);
        assert_eq!(failure(other.send().await).1, "NextToken does not match request");
    }
}

#[tokio::test]
async fn parameters_of_every_type_arrive_unchanged() {
    let (_server, client) = start_with(1).await;
    create_table(&client, "tbl", false).await;
    let values = [
        s("it's \"quoted\" ?"),
        n(-7),
        AttributeValue::B(Blob::new([0, 255])),
        AttributeValue::Bool(true),
        AttributeValue::Null(true),
        AttributeValue::Ss(vec!["a".into(), "b".into()]),
        AttributeValue::Ns(vec!["1".into(), "2".into()]),
        AttributeValue::Bs(vec![Blob::new([1]), Blob::new([2])]),
        AttributeValue::L(vec![n(1), s("x"), AttributeValue::L(vec![])]),
        AttributeValue::M(HashMap::from([("k".to_owned(), AttributeValue::Ss(vec!["z".into()]))])),
    ];
    for (number, value) in values.iter().enumerate() {
        let key = s(number.to_string());
        // A parameter is a whole value: inside a list of the statement the service takes none.
        let list = AttributeValue::L(vec![value.clone()]);
        let insert = client.execute_statement().statement("INSERT INTO tbl VALUE {'pk': ?, 'v': ?, 'in': ?}");
        let insert = insert.parameters(key.clone()).parameters(value.clone()).parameters(list.clone());
        insert.send().await.expect("inserted");
        let item = client.get_item().table_name("tbl").key("pk", key.clone()).send().await.expect("read");
        let item = item.item().expect("the item");
        assert_eq!(item["v"], *value);
        assert_eq!(item["in"], list);
        let found = client.execute_statement().statement("SELECT * FROM tbl WHERE pk = ? AND v = ?");
        let found = found.parameters(key).parameters(value.clone()).send().await.expect("selected");
        assert_eq!(found.items(), std::slice::from_ref(item));
    }
}

/// The same work by statements and by item operations leaves the same items.
#[tokio::test]
async fn statements_do_what_item_operations_do() {
    for shards in [1, 4] {
        let (_server, client) = start_with(shards).await;
        for table in ["by-statements", "by-operations"] {
            create_table(&client, table, false).await;
        }
        let statement = |text: &str| ParameterizedStatement::builder().statement(text).build().expect("complete");
        let run = async |text: &str| client.execute_statement().statement(text).send().await.expect("executed");
        run("INSERT INTO \"by-statements\" VALUE {'pk': 'a', 'n': 1, 'l': [1], 's': <<'x'>>}").await;
        run("UPDATE \"by-statements\" SET n = n + 2, l = list_append(l, [2]) SET s = set_add(s, <<'y'>>) WHERE pk = 'a'").await;
        run("INSERT INTO \"by-statements\" VALUE {'pk': 'b'}").await;
        run("DELETE FROM \"by-statements\" WHERE pk = 'b'").await;
        let transaction = client
            .execute_transaction()
            .transact_statements(statement("INSERT INTO \"by-statements\" VALUE {'pk': 'c', 'm': {'k': 1}}"))
            .transact_statements(statement("UPDATE \"by-statements\" SET t = 'done' WHERE pk = 'a' AND n = 3"));
        transaction.send().await.expect("committed");

        let item = |pairs: &[(&str, AttributeValue)]| -> Row {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
        };
        for row in [
            item(&[
                ("pk", s("a")),
                ("n", n(3)),
                ("l", AttributeValue::L(vec![n(1), n(2)])),
                ("s", AttributeValue::Ss(vec!["x".into(), "y".into()])),
                ("t", s("done")),
            ]),
            item(&[("pk", s("c")), ("m", AttributeValue::M(item(&[("k", n(1))])))]),
        ] {
            client.put_item().table_name("by-operations").set_item(Some(row)).send().await.expect("put");
        }
        let all = async |table: &str| client.scan().table_name(table).send().await.expect("scanned").items().to_vec();
        // Each table spreads its items by itself.
        let sorted = |mut rows: Vec<Row>| {
            rows.sort_by_key(|row| row["pk"].as_s().unwrap().clone());
            rows
        };
        assert_eq!(sorted(all("by-statements").await), sorted(all("by-operations").await));

        let lost = client
            .execute_transaction()
            .transact_statements(statement("UPDATE \"by-statements\" SET n = 9 WHERE pk = 'a'"))
            .transact_statements(statement("INSERT INTO \"by-statements\" VALUE {'pk': 'c'}"));
        assert!(lost.send().await.is_err());
        let read = client.get_item().table_name("by-statements").key("pk", s("a")).send().await.expect("read");
        assert_eq!(read.item().expect("the item")["n"], n(3), "a transaction that fails does nothing");

        let get = |key: &str| {
            let text = format!("SELECT pk FROM \"by-statements\" WHERE pk = '{key}'");
            BatchStatementRequest::builder().statement(text).build().expect("complete")
        };
        let batch = client.batch_execute_statement().statements(get("a")).statements(get("z")).statements(get("c"));
        let batch = batch.send().await.expect("read");
        let found: Vec<bool> = batch.responses().iter().map(|response| response.item().is_some()).collect();
        assert_eq!(found, [true, false, true]);
    }
}
