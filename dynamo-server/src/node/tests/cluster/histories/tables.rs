//! Tables of a cluster of three nodes and four shards, created, changed and deleted while leaders come and go.
//!
//! A client stays with one node and asks for one thing after the other, each until it is answered; meanwhile somebody
//! moves leaderships, cuts leaders off and cuts their power. In the end every shard must have exactly the system group's
//! tables, on every node, and no row of anything else; and what was written to the last table must be there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dynamo_engine::catalog::Catalog;
use dynamo_protocol::error::{ApiError, ErrorKind};
use dynamo_protocol::ops::Operation;

use crate::env::sim::{chance_below, run};
use crate::node::tests::cluster::world::{Plan, World};
use crate::node::tests::ddl::{add_index, create, faults, named, put, send};

const SHARDS: u32 = 4;

/// How often a client asks before it gives up: an election takes some seconds.
const ATTEMPTS_MAX: u32 = 40;

/// How long everything may take to come to its end once all is well.
const SETTLE_MAX: Duration = Duration::from_secs(40);

async fn found() -> Arc<World> {
    World::found(Plan { shards: SHARDS, ..Plan::default() }).await
}

/// One request to a node, as a task of its machine.
pub async fn ask(world: &World, home: u64, operation: Operation, body: &str) -> Result<String, ApiError> {
    let Some(node) = world.node(home) else { return Err(ApiError::internal()) };
    let body = body.to_owned();
    let asked = world.machine(home).spawn(async move { send(&node, operation, &body).await });
    asked.await.unwrap_or_else(|_| Err(ApiError::internal()))
}

/// Asks until there is an answer that says that it is so. A request that broke off may have been done: then the next
/// one hears that it was.
pub async fn insist(
    world: &World,
    home: u64,
    (operation, body): (Operation, String),
    done: ErrorKind,
) -> Result<String, String> {
    let mut last = String::new();
    for _ in 0..ATTEMPTS_MAX {
        match ask(world, home, operation, &body).await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.kind() == done => return Ok(String::new()),
            Err(error) => last = format!("{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    Err(format!("{} {body}: {last}", operation.name()))
}

/// Asks until the table is active, or until it is gone.
async fn wait_for(world: &World, home: u64, table: &str, is_there: bool) -> Result<(), String> {
    let (operation, body) = named(Operation::DescribeTable, table);
    for _ in 0..ATTEMPTS_MAX {
        match ask(world, home, operation, &body).await {
            Ok(described) if is_there && described.contains(r#""TableStatus":"ACTIVE""#) => return Ok(()),
            Err(error) if !is_there && error.kind() == ErrorKind::ResourceNotFound => return Ok(()),
            _ => tokio::time::sleep(Duration::from_millis(300)).await,
        }
    }
    Err(format!("{table}: never there or gone, {is_there}"))
}

fn get(table: &str, id: u64) -> (Operation, String) {
    (Operation::GetItem, format!(r#"{{"TableName":"{table}","Key":{{"id":{{"S":"{id}"}}}}}}"#))
}

/// The life of a table, several times over; every step through.
async fn live(world: &World, home: u64) -> Result<(), String> {
    use ErrorKind::{ResourceInUse, ResourceNotFound, Validation};
    let table = format!("table-{home}");
    for round in 0..3 {
        insist(world, home, create(&table), ResourceInUse).await?;
        wait_for(world, home, &table, true).await?;
        for id in 0..8 {
            insist(world, home, put(&table, round * 100 + id), Validation).await?;
        }
        let on = format!(r#"{{"TableName":"{table}","DeletionProtectionEnabled":{}}}"#, round % 2 == 1);
        insist(world, home, (Operation::UpdateTable, on), Validation).await?;
        if round < 2 {
            let off = format!(r#"{{"TableName":"{table}","DeletionProtectionEnabled":false}}"#);
            insist(world, home, (Operation::UpdateTable, off), Validation).await?;
            insist(world, home, named(Operation::DeleteTable, &table), ResourceNotFound).await?;
            wait_for(world, home, &table, false).await?;
        }
    }
    Ok(())
}

/// Moves and breaks leaders until it is told to stop.
pub(super) async fn harm(world: &World, stopped: &AtomicBool) {
    while !stopped.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(200 + chance_below(1_500))).await;
        let Some(leader) = world.leader() else { continue };
        let others = world.others(leader);
        let other = others[chance_below(others.len() as u64) as usize];
        match chance_below(3) {
            0 => {
                if let Some(node) = world.node(leader) {
                    drop(world.machine(leader).scope(node.router.system().group().transfer(other)).await);
                }
            }
            1 => {
                world.isolate(leader);
                tokio::time::sleep(Duration::from_millis(500 + chance_below(4_000))).await;
                world.network.heal();
            }
            _ => {
                world.kill(leader).await;
                tokio::time::sleep(Duration::from_millis(chance_below(3_000))).await;
                world.start(leader).await;
            }
        }
    }
    world.mend().await;
}

/// Waits until nothing is left to do and all nodes have heard so.
async fn settled(world: &World) -> Result<(), String> {
    let mut wrong = String::new();
    let waited = tokio::time::timeout(SETTLE_MAX, async {
        loop {
            wrong.clear();
            for id in 1..=3 {
                let node = world.node(id).expect("all is mended");
                wrong += &format!("{:?}{:?}", node.catalog.installed().unfinished(), faults(&*node));
            }
            if wrong == "[][]".repeat(3) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    waited.await.map_err(|_| wrong.clone())
}

async fn survive() -> Result<(), String> {
    let world = found().await;
    let stopped = AtomicBool::new(false);
    let clients = async {
        let lives = futures::join!(live(&world, 1), live(&world, 2), live(&world, 3));
        stopped.store(true, Ordering::Relaxed);
        [lives.0, lives.1, lives.2]
    };
    let (lives, ()) = futures::join!(clients, harm(&world, &stopped));
    lives.into_iter().collect::<Result<Vec<()>, String>>()?;
    settled(&world).await?;
    for home in 1..=3 {
        let table = format!("table-{home}");
        for asked in 1..=3 {
            for (id, is_there) in [(201, true), (207, true), (101, false), (7, false)] {
                // The last fault may have been a leader's, and an election be under way.
                let found = insist(&world, asked, get(&table, id), ErrorKind::Validation).await?;
                if found.contains("Item") != is_there {
                    return Err(format!("{id} of {table} at node {asked}: {found}"));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn tables_come_and_go_while_leaders_do() {
    for seed in 0..6 {
        let survived = run(seed, survive());
        assert_eq!(survived, Ok(()), "seed {seed}");
    }
}

/// Any node answers questions about tables, with what was acknowledged before.
#[test]
fn every_node_describes_what_any_node_created() {
    run(50, async {
        let world = found().await;
        for (creator, table) in [(1, "one"), (2, "two"), (3, "three")] {
            let (operation, body) = create(table);
            ask(&world, creator, operation, &body).await.unwrap();
            for asked in 1..=3 {
                let (operation, body) = named(Operation::DescribeTable, table);
                let described = ask(&world, asked, operation, &body).await.unwrap();
                assert!(described.contains(r#""TableStatus":"ACTIVE""#), "{described}");
                let (operation, body) = put(table, asked);
                ask(&world, asked, operation, &body).await.unwrap();
            }
        }
        let names: BTreeSet<String> =
            (1..=3).map(|id| world.node(id).unwrap().catalog.installed().table_names(None, 9).join(",")).collect();
        assert_eq!(names.len(), 1, "{names:?}");
        for asked in 1..=3 {
            let listed = ask(&world, asked, Operation::ListTables, "{}").await.unwrap();
            assert_eq!(listed, r#"{"TableNames":["one","things","three","two"]}"#);
        }
        for (asked, table) in [(1, "two"), (2, "three"), (3, "one")] {
            let (operation, body) = named(Operation::DeleteTable, table);
            ask(&world, asked, operation, &body).await.unwrap();
            let (operation, body) = named(Operation::DescribeTable, table);
            let gone = ask(&world, asked % 3 + 1, operation, &body).await.unwrap_err();
            assert_eq!(gone.kind(), ErrorKind::ResourceNotFound);
        }
        settled(&world).await.unwrap();
    });
}

const BY_OWNER: &str = r##"{"TableName":"owned","IndexName":"by_owner","KeyConditionExpression":"#o = :o",
    "ExpressionAttributeNames":{"#o":"owner"},"ExpressionAttributeValues":{":o":{"S":"1"}}}"##;

/// A cluster with a table of thirty items, a third of them of owner 1.
async fn with_owned_items() -> Arc<World> {
    let world = found().await;
    let (operation, body) = create("owned");
    ask(&world, 1, operation, &body).await.unwrap();
    for id in 0..30 {
        let (operation, body) = put("owned", id);
        ask(&world, 1 + id % 3, operation, &body).await.unwrap();
    }
    world
}

/// A leader of the catalog that was replaced while it heard nobody denies no index that was made meanwhile: not while it is cut
/// off, nor when it comes back and does not know yet who leads.
#[test]
fn a_deposed_leader_of_the_catalog_denies_no_index() {
    run(52, async {
        let world = with_owned_items().await;
        let deposed = world.some_leader().await;
        let other = world.others(deposed)[0];
        world.isolate(deposed);
        insist(&world, other, add_index("owned"), ErrorKind::Validation).await.unwrap();
        let (operation, body) = named(Operation::DescribeTable, "owned");
        let active = r#""IndexStatus":"ACTIVE""#;
        while !ask(&world, other, operation, &body).await.is_ok_and(|described| described.contains(active)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let cut_off = ask(&world, deposed, Operation::Query, BY_OWNER).await.unwrap_err();
        assert_ne!(cut_off.kind(), ErrorKind::Validation, "{cut_off:?}");
        world.network.heal();
        for _ in 0..ATTEMPTS_MAX * 10 {
            match ask(&world, deposed, Operation::Query, BY_OWNER).await {
                Ok(found) => {
                    assert!(found.contains(r#""Count":10"#), "{found}");
                    return;
                }
                Err(error) => assert_ne!(error.kind(), ErrorKind::Validation, "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        panic!("it does not serve again");
    });
}

/// A node whose catalog is a heartbeat behind asks before it says that there is no such index.
#[test]
fn an_index_that_is_active_at_one_node_can_be_read_at_all() {
    run(51, async {
        let world = with_owned_items().await;
        let (operation, body) = add_index("owned");
        ask(&world, 1, operation, &body).await.unwrap();
        let (operation, body) = named(Operation::DescribeTable, "owned");
        while !ask(&world, 1, operation, &body).await.unwrap().contains(r#""IndexStatus":"ACTIVE""#) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for asked in [2, 3, 1] {
            let found = ask(&world, asked, Operation::Query, BY_OWNER).await.unwrap();
            assert!(found.contains(r#""Count":10"#), "at node {asked}: {found}");
        }
    });
}
