//! Scripts of table operations: requests on the left, the service's texts on the right.
//!
//! A script is a list of cases: comment lines, the operation with its request, and the answer behind `=>`. A few
//! shorthands keep requests on one line; see [`expand`]. `RENEW_SCRIPTS=1 cargo test -p dynamo-engine scripts`
//! rewrites the answers; the difference is what a reviewer reads.

use std::path::PathBuf;

use dynamo_protocol::ops::{
    CreateTableInput, DeleteTableInput, ListTagsOfResourceInput, TagResourceInput, UntagResourceInput,
    UpdateTableInput, UpdateTimeToLiveInput,
};

use crate::catalog::{
    BillingMode, DdlCommand, IndexId, IndexState, KeyType, MemoryCatalog, OnDemandLimits, Projection, StreamSettings,
    StreamView, TableClass, TableDescriptor, TableId, TableStep, Throughput, TtlSettings, fixture,
};
use crate::plan::{self, PlanError};

/// Replaces the shorthands of a request:
///
/// | written | means |
/// |---|---|
/// | `D(a b:N)` | `"AttributeDefinitions":[…]`, type `S` where none is given |
/// | `K(a b-)` | `"KeySchema":[…]`, a minus for `RANGE` |
/// | `PT(1)` | `"ProvisionedThroughput":` with that many units of both kinds |
/// | `PPR`, `PROV` | `"BillingMode":` |
/// | `ALL` | `"Projection":{"ProjectionType":"ALL"}` |
fn expand(request: &str) -> String {
    let mut text = request
        .replace("PPR", r#""BillingMode":"PAY_PER_REQUEST""#)
        .replace("PROV", r#""BillingMode":"PROVISIONED""#)
        .replace("ALL,", r#""Projection":{"ProjectionType":"ALL"},"#)
        .replace("ALL}", r#""Projection":{"ProjectionType":"ALL"}}"#);
    for (head, member) in [("D(", definitions as fn(&str) -> String), ("K(", keys), ("PT(", units)] {
        while let Some(start) = text.find(head) {
            let end = start + text[start..].find(')').expect("a shorthand is closed");
            let expanded = member(&text[start + head.len()..end]);
            text.replace_range(start..=end, &expanded);
        }
    }
    text
}

fn definitions(names: &str) -> String {
    let one = |word: &str| {
        let (name, kind) = word.split_once(':').unwrap_or((word, "S"));
        format!(r#"{{"AttributeName":"{name}","AttributeType":"{kind}"}}"#)
    };
    format!(r#""AttributeDefinitions":[{}]"#, names.split_whitespace().map(one).collect::<Vec<_>>().join(","))
}

fn keys(names: &str) -> String {
    let one = |word: &str| {
        let kind = if word.ends_with('-') { "RANGE" } else { "HASH" };
        format!(r#"{{"AttributeName":"{}","KeyType":"{kind}"}}"#, word.trim_end_matches('-'))
    };
    format!(r#""KeySchema":[{}]"#, names.split_whitespace().map(one).collect::<Vec<_>>().join(","))
}

fn units(units: &str) -> String {
    format!(r#""ProvisionedThroughput":{{"ReadCapacityUnits":{units},"WriteCapacityUnits":{units}}}"#)
}

/// The tables of the scripts: `prov` (5/5, a local and a global index with 2/2), `ppr` (on demand, a global index,
/// time to live on, deletion protection, a stream), `plain` (on demand, nothing else), `creating`, `filling` and
/// `dropping`, with the first of two indexes in that state, and five of which a setting is changing.
fn catalog() -> MemoryCatalog {
    let key = || fixture::keys(("pk", KeyType::S), Some(("sk", KeyType::S)));
    let table = |id, name| {
        let mut table = TableDescriptor::new(TableId(id), name, key());
        table.tags.insert("owner".to_owned(), "me".to_owned());
        table
    };
    let global = |id, name| fixture::index(id, name, false, fixture::keys(("g", KeyType::S), None), Projection::All);
    let mut prov = table(10, "prov");
    prov.billing_mode = BillingMode::Provisioned;
    prov.throughput = Throughput::new(5, 5);
    let local_keys = fixture::keys(("pk", KeyType::S), Some(("l", KeyType::N)));
    prov.indexes = vec![fixture::index(11, "lsi1", true, local_keys, Projection::KeysOnly), global(12, "gsi1")];
    prov.indexes[1].throughput = Throughput::new(2, 2);
    let mut ppr = table(20, "ppr");
    ppr.indexes = vec![global(21, "gsi1")];
    ppr.attribute_definitions.push(fixture::attribute("g", KeyType::S));
    ppr.ttl = Some(TtlSettings { attribute: "ttl".to_owned(), enabled: true, changed_ms: None });
    ppr.deletion_protection = true;
    ppr.stream = Some(StreamSettings { enabled: true, view: StreamView::NewImage, since_ms: 0 });
    let working = |id, name, state| {
        let mut table = table(id, name);
        table.indexes = vec![global(id + 1, "gsi1"), global(id + 2, "gsi2")];
        table.indexes[0].state = state;
        table
    };
    let creating = working(40, "creating", IndexState::Writing);
    let filling = working(50, "filling", IndexState::Backfilling);
    let dropping = working(60, "dropping", IndexState::Dropping);
    let changing = |id, name, step| {
        let mut table = table(id, name);
        table.indexes = vec![global(id + 1, "gsi1")];
        table.stream = Some(StreamSettings { enabled: false, view: StreamView::NewImage, since_ms: 0 });
        table.pending = vec![step];
        table
    };
    let index = IndexId(111);
    MemoryCatalog::new([
        prov,
        ppr,
        table(30, "plain"),
        creating,
        filling,
        dropping,
        changing(70, "switching", TableStep::Billing(BillingMode::PayPerRequest)),
        changing(80, "classing", TableStep::Class(TableClass::StandardInfrequentAccess)),
        changing(90, "streaming", TableStep::Stream(Some(StreamView::NewImage))),
        changing(100, "encrypting", TableStep::Sse(None)),
        changing(110, "indexing", TableStep::IndexOnDemand { index, limits: OnDemandLimits::default() }),
    ])
}

/// Runs one request and prints its answer.
fn answer(operation: &str, request: &str) -> String {
    let body = expand(request);
    if operation == "tags" {
        return listed(body.as_bytes()).unwrap_or_else(failure);
    }
    planned(operation, body.as_bytes()).map_or_else(failure, |command| success(&command))
}

fn planned(operation: &str, body: &[u8]) -> Result<DdlCommand, PlanError> {
    let catalog = catalog();
    match operation {
        "create" => plan::create_table::plan(CreateTableInput::from_json(body)?),
        "update" => plan::update_table::plan(UpdateTableInput::from_json(body)?, &catalog),
        "delete" => plan::delete_table::plan(DeleteTableInput::from_json(body)?, &catalog),
        "tag" => plan::tag_resource::plan(TagResourceInput::from_json(body)?, &catalog),
        "untag" => plan::tag_resource::plan_untag(UntagResourceInput::from_json(body)?, &catalog),
        "ttl" => plan::update_time_to_live::plan(UpdateTimeToLiveInput::from_json(body)?, &catalog, None),
        other => panic!("no operation {other}"),
    }
}

fn listed(body: &[u8]) -> Result<String, PlanError> {
    let table = plan::tag_resource::plan_list(ListTagsOfResourceInput::from_json(body)?, &catalog())?;
    Ok(format!("{:?}", table.tags))
}

fn failure(error: PlanError) -> String {
    error.into_api_error().to_string()
}

fn success(command: &DdlCommand) -> String {
    match command {
        DdlCommand::CreateTable(table) => {
            let indexes: Vec<String> = table
                .indexes
                .iter()
                .map(|index| {
                    format!(
                        "{} {}",
                        index.name,
                        index.keys.attributes().map(|key| key.name.as_str()).collect::<Vec<_>>().join("+")
                    )
                })
                .collect();
            assert!((1..).zip(&table.indexes).all(|(id, index)| index.id == IndexId(id)), "relative ids");
            format!("creates {} {:?} [{}]", table.name, table.billing_mode, indexes.join(", "))
        }
        DdlCommand::ChangeTable { steps, .. } => {
            format!("{:?}", steps.iter().map(|step| format!("{step:?}")).collect::<Vec<_>>()).replace("\\\"", "'")
        }
        DdlCommand::DeleteTable { table, schema_version } => format!("deletes {table:?} at {schema_version}"),
        DdlCommand::Install { .. }
        | DdlCommand::Uninstall { .. }
        | DdlCommand::ConfirmInstalled { .. }
        | DdlCommand::ConfirmUninstalled { .. }
        | DdlCommand::ForgetStream { .. } => panic!("no client asks for this"),
    }
}

fn run(name: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/plan/ddl/scripts").join(name);
    let script = std::fs::read_to_string(&path).expect("the script is there");
    let mut renewed = String::new();
    for line in script.lines().filter(|line| !line.starts_with("=>")) {
        renewed.push_str(line);
        renewed.push('\n');
        if let Some((operation, request)) = line.split_once(" {").filter(|_| !line.starts_with('#')) {
            renewed.push_str(&format!("=> {}\n", answer(operation, &format!("{{{request}"))));
        }
    }
    if std::env::var_os("RENEW_SCRIPTS").is_some() {
        std::fs::write(&path, &renewed).expect("the script can be written");
    }
    for (number, (expected, met)) in script.lines().zip(renewed.lines()).enumerate() {
        assert_eq!(met, expected, "{name}, line {}", number + 1);
    }
    assert_eq!(renewed, script, "{name}: an answer is missing");
}

#[test]
fn create_table() {
    run("create_table.txt");
}

#[test]
fn update_table() {
    run("update_table.txt");
}

#[test]
fn other_operations() {
    run("other_operations.txt");
}
