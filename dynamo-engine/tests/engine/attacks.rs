//! The worst requests that were found, for each operation: small ones that ask for much work, large ones that are wrong in
//! the costliest way. All are for the table `attacked` with partition key `pk`, filled by [`preparations`].
//!
//! They run through the engine with every check (`cost.rs`), and through a server whose event loops are watched
//! (`dynamo-server/src/http/loop_turns.rs`); the example `attacks` sends them to a server and prints what each takes there.
//!
//! Behind those that people thought of come those that searches have found and kept (`corpus.tsv`, see `search.rs`).

use std::fmt::Write as _;

/// One request that people thought of.
struct Attack {
    /// What is bad about it.
    name: &'static str,
    /// Which operation it is of.
    operation: &'static str,
    /// Makes its body.
    body: fn() -> String,
}

/// A request.
pub struct Request {
    /// What is bad about it.
    pub name: &'static str,
    /// Which operation it is of.
    pub operation: &'static str,
    /// Its JSON.
    pub body: String,
}

/// What searches have kept: operation, measure and body in each line.
const KEPT: &str = include_str!("corpus.tsv");

/// All requests, each made when it is asked for: some have megabytes.
pub fn corpus() -> impl Iterator<Item = Request> {
    let thought_of =
        ATTACKS.iter().map(|attack| Request { name: attack.name, operation: attack.operation, body: (attack.body)() });
    thought_of.chain(kept())
}

/// Those that searches have kept. They are for the table of `search.rs`, which a server of attacks does not have: there they
/// cost what finding that out costs.
pub fn kept() -> impl Iterator<Item = Request> {
    KEPT.lines().filter_map(|line| {
        let mut parts = line.splitn(3, '\t');
        let (operation, name, body) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Request { name, operation, body: body.to_owned() })
    })
}

/// The ARN of the table.
const ARN: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/attacked";

/// Requests that fill the table: two items with a list of 130,000 elements, ones with a long text and a long binary, three of
/// control characters, each of which is six bytes of JSON, and 4,000 small ones.
pub fn preparations() -> Vec<(&'static str, String)> {
    let mut requests = vec![
        (
            "CreateTable",
            r#"{"TableName":"attacked","BillingMode":"PAY_PER_REQUEST",
                "AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],
                "KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}"#
                .to_owned(),
        ),
        ("PutItem", put("list", &format!(r#""v":{{"L":[{}]}}"#, many(130_000, |_| r#"{"NULL":true}"#.to_owned())))),
        ("PutItem", put("list2", &format!(r#""v":{{"L":[{}]}}"#, many(130_000, |_| r#"{"NULL":true}"#.to_owned())))),
        ("PutItem", put("text", &format!(r#""s":{{"S":"{}"}}"#, "a".repeat(400_000)))),
        ("PutItem", put("binary", &format!(r#""b":{{"B":"{}"}}"#, "YWFh".repeat(130_000)))),
    ];
    for key in CONTROL {
        requests.push(("PutItem", put(key, &format!(r#""s":{{"S":"{}"}}"#, r"\u0001".repeat(390_000)))));
    }
    for batch in 0..160 {
        let puts = many(25, |at| {
            format!(r#"{{"PutRequest":{{"Item":{{"pk":{{"S":"small{batch}-{at}"}},"s":{{"S":"{batch}"}}}}}}}}"#)
        });
        requests.push(("BatchWriteItem", format!(r#"{{"RequestItems":{{"attacked":[{puts}]}}}}"#)));
    }
    requests
}

/// Items that are six times as long in JSON as they are stored.
const CONTROL: [&str; 3] = ["control0", "control1", "control2"];

/// Something for each of them.
fn of_control(one: impl Fn(&str) -> String) -> String {
    many(CONTROL.len(), |at| one(CONTROL[at]))
}

fn put(key: &str, attributes: &str) -> String {
    format!(r#"{{"TableName":"attacked","Item":{{"pk":{{"S":"{key}"}},{attributes}}}}}"#)
}

fn many(count: usize, one: impl Fn(usize) -> String) -> String {
    separated(count, ",", one)
}

fn separated(count: usize, separator: &str, one: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for at in 0..count {
        let _ = write!(text, "{}{}", if at > 0 { separator } else { "" }, one(at));
    }
    text
}

fn scan(filter: &str, values: &str) -> String {
    format!(r#"{{"TableName":"attacked","FilterExpression":"{filter}","ExpressionAttributeValues":{{{values}}}}}"#)
}

fn update(key: &str, expression: &str, values: &str) -> String {
    let values =
        if values.is_empty() { String::new() } else { format!(r#","ExpressionAttributeValues":{{{values}}}"#) };
    format!(r#"{{"TableName":"attacked","Key":{{"pk":{{"S":"{key}"}}}},"UpdateExpression":"{expression}"{values}}}"#)
}

/// A statement whose condition fails, and which shows the item.
fn failing_statement(key: &str) -> String {
    format!(
        r#"{{"Statement":"UPDATE attacked SET q=1 WHERE pk='{key}' AND q=7","ReturnValuesOnConditionCheckFailure":"ALL_OLD"}}"#
    )
}

/// Base64 of as many bytes `a` with one `b` in their middle.
fn needle(thirds: usize) -> String {
    format!("{}YWJh{}", "YWFh".repeat(thirds / 2), "YWFh".repeat(thirds / 2))
}

/// Those that people thought of.
const ATTACKS: &[Attack] = &[
    Attack {
        name: "many tags",
        operation: "TagResource",
        body: || {
            let tags = many(300_000, |at| format!(r#"{{"Key":"k{at}","Value":""}}"#));
            format!(r#"{{"ResourceArn":"{ARN}","Tags":[{tags}]}}"#)
        },
    },
    Attack {
        name: "many tag keys",
        operation: "UntagResource",
        body: || format!(r#"{{"ResourceArn":"{ARN}","TagKeys":[{}]}}"#, many(300_000, |at| format!(r#""k{at}""#))),
    },
    Attack {
        name: "a long ARN",
        operation: "ListTagsOfResource",
        body: || format!(r#"{{"ResourceArn":"{}"}}"#, "x".repeat(2_000_000)),
    },
    Attack {
        name: "a token of 2 MB",
        operation: "ListTagsOfResource",
        body: || format!(r#"{{"ResourceArn":"{ARN}","NextToken":"{}"}}"#, "x".repeat(2_000_000)),
    },
    Attack {
        name: "many attribute definitions",
        operation: "CreateTable",
        body: || {
            let definitions = many(80_000, |at| format!(r#"{{"AttributeName":"a{at}","AttributeType":"S"}}"#));
            format!(
                r#"{{"TableName":"new","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{definitions}],
                    "KeySchema":[{{"AttributeName":"a1","KeyType":"HASH"}}]}}"#
            )
        },
    },
    Attack {
        name: "many indexes and many definitions",
        operation: "CreateTable",
        body: || {
            let definitions = many(20_000, |at| format!(r#"{{"AttributeName":"a{at}","AttributeType":"S"}}"#));
            let indexes = many(20_000, |at| {
                format!(
                    r#"{{"IndexName":"index{at}","KeySchema":[{{"AttributeName":"a{at}","KeyType":"HASH"}}],
                        "Projection":{{"ProjectionType":"ALL"}}}}"#
                )
            });
            format!(
                r#"{{"TableName":"new","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{definitions}],
                    "KeySchema":[{{"AttributeName":"a1","KeyType":"HASH"}}],"GlobalSecondaryIndexes":[{indexes}]}}"#
            )
        },
    },
    Attack {
        name: "an index key of many attributes",
        operation: "CreateTable",
        body: || {
            let keys = many(80_000, |at| format!(r#"{{"AttributeName":"a{at}","KeyType":"HASH"}}"#));
            format!(
                r#"{{"TableName":"new","BillingMode":"PAY_PER_REQUEST",
                    "AttributeDefinitions":[{{"AttributeName":"a1","AttributeType":"S"}}],
                    "KeySchema":[{{"AttributeName":"a1","KeyType":"HASH"}}],"GlobalSecondaryIndexes":[
                    {{"IndexName":"index","KeySchema":[{keys}],"Projection":{{"ProjectionType":"ALL"}}}}]}}"#
            )
        },
    },
    Attack {
        name: "empty elements everywhere",
        operation: "CreateTable",
        body: || {
            let empty = many(300_000, |_| "{}".to_owned());
            format!(
                r#"{{"AttributeDefinitions":[{empty}],"KeySchema":[{empty}],"GlobalSecondaryIndexes":[{empty}],
                    "Tags":[{empty}]}}"#
            )
        },
    },
    Attack {
        name: "many updates of indexes",
        operation: "UpdateTable",
        body: || {
            let updates = many(60_000, |at| format!(r#"{{"Delete":{{"IndexName":"index{at}"}}}}"#));
            format!(r#"{{"TableName":"attacked","GlobalSecondaryIndexUpdates":[{updates}]}}"#)
        },
    },
    Attack {
        name: "a long name",
        operation: "DescribeTable",
        body: || format!(r#"{{"TableName":"{}"}}"#, "n".repeat(2_000_000)),
    },
    Attack {
        name: "a long name",
        operation: "DeleteTable",
        body: || format!(r#"{{"TableName":"{}"}}"#, "n".repeat(2_000_000)),
    },
    Attack {
        name: "a long name to go on behind",
        operation: "ListTables",
        body: || format!(r#"{{"ExclusiveStartTableName":"{}"}}"#, "é".repeat(1_000_000)),
    },
    Attack {
        name: "a long attribute name",
        operation: "UpdateTimeToLive",
        body: || {
            format!(
                r#"{{"TableName":"attacked","TimeToLiveSpecification":{{"Enabled":true,"AttributeName":"{}"}}}}"#,
                "n".repeat(2_000_000)
            )
        },
    },
    Attack {
        name: "a long name",
        operation: "DescribeTimeToLive",
        body: || format!(r#"{{"TableName":"{}"}}"#, "n".repeat(2_000_000)),
    },
    Attack {
        name: "a long name",
        operation: "DescribeContinuousBackups",
        body: || format!(r#"{{"TableName":"{}"}}"#, "n".repeat(2_000_000)),
    },
    Attack {
        name: "a value used 147 times",
        operation: "PutItem",
        body: || {
            format!(
                r#"{{"TableName":"attacked","Item":{{"pk":{{"S":"x"}}}},"ConditionExpression":"{}",
                    "ExpressionAttributeValues":{{":v":{{"S":"{}"}},":w":{{"S":"{}b"}}}}}}"#,
                separated(147, " OR ", |_| "contains(:v,:w)".to_owned()),
                "a".repeat(800_000),
                "a".repeat(40_000),
            )
        },
    },
    Attack {
        name: "a set with a repeat at its end",
        operation: "PutItem",
        body: || {
            let members = many(200_000, |at| format!(r#""{}""#, if at == 199_999 { 0 } else { at }));
            put("x", &format!(r#""e":{{"SS":[{members}]}}"#))
        },
    },
    Attack {
        name: "a condition with a list of many small values",
        operation: "PutItem",
        body: || {
            let list = many(180_000, |_| r#"{"S":"x"}"#.to_owned());
            format!(
                r#"{{"TableName":"attacked","Item":{{"pk":{{"S":"x"}}}},"ConditionExpression":"contains(:l,pk)",
                    "ExpressionAttributeValues":{{":l":{{"L":[{list}]}}}}}}"#
            )
        },
    },
    Attack {
        name: "many small values",
        operation: "PutItem",
        body: || put("x", &format!(r#""l":{{"L":[{}]}}"#, many(200_000, |_| r#"{"N":"1"}"#.to_owned()))),
    },
    Attack {
        name: "a name that is too long, in a condition of many",
        operation: "PutItem",
        body: || {
            let expected = many(50_000, |at| format!(r#""a{at}":{{"Value":{{"S":"x"}}}}"#));
            format!(
                r#"{{"TableName":"attacked","Item":{{"pk":{{"S":"x"}}}},"Expected":{{"{}":{{}},{expected}}}}}"#,
                "n".repeat(70_000)
            )
        },
    },
    Attack {
        name: "a condition that fails and shows a long list",
        operation: "PutItem",
        body: || {
            r#"{"TableName":"attacked","Item":{"pk":{"S":"list"}},"ConditionExpression":"attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure":"ALL_OLD"}"#
                .to_owned()
        },
    },
    Attack {
        name: "many legacy conditions",
        operation: "DeleteItem",
        body: || {
            let expected = many(50_000, |at| format!(r#""a{at}":{{"Exists":false}}"#));
            format!(
                r#"{{"TableName":"attacked","Key":{{"pk":{{"S":"list"}}}},"Expected":{{{expected},"v":{{"Exists":false}}}}}}"#
            )
        },
    },
    Attack {
        name: "a list appended to itself, 140 times",
        operation: "UpdateItem",
        body: || update("list", &format!("SET {}", many(140, |at| format!("a{at}=list_append(v,v)"))), ""),
    },
    Attack {
        name: "a long list shown as it was and is",
        operation: "UpdateItem",
        body: || {
            let update = update("list", "SET q = :q", r#"":q":{"N":"1"}"#);
            format!(r#"{},"ReturnValues":"ALL_NEW"}}"#, &update[..update.len() - 1])
        },
    },
    Attack {
        name: "an attribute copied 300 times",
        operation: "UpdateItem",
        body: || update("text", &format!("SET {}", many(300, |at| format!("a{at}=s"))), ""),
    },
    Attack {
        name: "a large value written 300 times",
        operation: "UpdateItem",
        body: || {
            let value = format!(r#"":v":{{"L":[{}]}}"#, many(100_000, |_| r#"{"NULL":true}"#.to_owned()));
            update("x", &format!("SET {}", many(300, |at| format!("a{at}=:v"))), &value)
        },
    },
    Attack {
        name: "400 elements removed from a list of 130,000",
        operation: "UpdateItem",
        body: || update("list", &format!("REMOVE {}", many(400, |at| format!("v[{}]", 2 * at))), ""),
    },
    Attack {
        name: "many legacy updates",
        operation: "UpdateItem",
        body: || {
            let updates = many(50_000, |at| format!(r#""a{at}":{{"Value":{{"S":"xxxxx"}}}}"#));
            format!(r#"{{"TableName":"attacked","Key":{{"pk":{{"S":"y"}}}},"AttributeUpdates":{{{updates}}}}}"#)
        },
    },
    Attack {
        name: "many legacy names",
        operation: "GetItem",
        body: || {
            format!(
                r#"{{"TableName":"attacked","Key":{{"pk":{{"S":"text"}}}},"AttributesToGet":[{}]}}"#,
                many(200_000, |at| format!(r#""a{at}""#))
            )
        },
    },
    Attack {
        name: "a long name in 500 paths",
        operation: "GetItem",
        body: || {
            format!(
                r##"{{"TableName":"attacked","Key":{{"pk":{{"S":"text"}}}},"ProjectionExpression":"{}",
                    "ExpressionAttributeNames":{{"#n":"{}"}}}}"##,
                many(500, |at| format!("#n.a{at}")),
                "n".repeat(65_535)
            )
        },
    },
    Attack {
        name: "a filter with a list of many small values",
        operation: "Query",
        body: || {
            let list = many(180_000, |_| r#"{"S":"x"}"#.to_owned());
            format!(
                r#"{{"TableName":"attacked","KeyConditionExpression":"pk=:p","FilterExpression":"contains(:l,pk)",
                    "ExpressionAttributeValues":{{":p":{{"S":"text"}},":l":{{"L":[{list}]}}}}}}"#
            )
        },
    },
    Attack {
        name: "a large value for 110 keys",
        operation: "Query",
        body: || {
            format!(
                r#"{{"TableName":"attacked","KeyConditionExpression":"{}","ExpressionAttributeValues":{{":v":{{"S":"{}"}}}}}}"#,
                separated(110, " AND ", |at| format!("a{at}=:v")),
                "v".repeat(1_900_000)
            )
        },
    },
    Attack {
        name: "many legacy filters",
        operation: "Query",
        body: || {
            let filters = many(50_000, |at| format!(r#""a{at}":{{"ComparisonOperator":"NULL"}}"#));
            format!(
                r#"{{"TableName":"attacked","QueryFilter":{{{filters}}},"KeyConditions":{{"pk":
                    {{"ComparisonOperator":"EQ","AttributeValueList":[{{"S":"text"}}]}}}}}}"#
            )
        },
    },
    Attack {
        name: "many placeholders that nothing uses",
        operation: "Query",
        body: || {
            format!(
                r#"{{"TableName":"attacked","KeyConditionExpression":"pk=:p","ExpressionAttributeValues":{{":p":{{"S":"x"}},{}}}}}"#,
                many(100_000, |at| format!(r#"":v{at}":{{"S":""}}"#))
            )
        },
    },
    Attack {
        name: "a long needle in long binaries",
        operation: "Scan",
        body: || {
            let filter = separated(147, " OR ", |_| "contains(b,:n)".to_owned());
            scan(&filter, &format!(r#"":n":{{"B":"{}"}}"#, needle(60_000)))
        },
    },
    Attack {
        name: "values of the request searched for each row",
        operation: "Scan",
        body: || {
            let filter = separated(147, " OR ", |_| "contains(:v,:w)".to_owned());
            let (hay, needle) = ("a".repeat(800_000), "a".repeat(40_000));
            scan(&filter, &format!(r#"":v":{{"S":"{hay}"}},":w":{{"S":"{needle}b"}}"#))
        },
    },
    Attack {
        name: "a long list compared for each operator",
        operation: "Scan",
        body: || {
            let filter = separated(147, " OR ", |_| "contains(v,:x)".to_owned());
            scan(&filter, r#"":x":{"S":"x"}"#)
        },
    },
    Attack {
        name: "1,000 names of each row",
        operation: "Scan",
        body: || {
            let names = many(1000, |at| {
                let letter = |at: usize| char::from(b'a' + (at % 26) as u8);
                format!("q{}{}", letter(at / 26), letter(at))
            });
            format!(r#"{{"TableName":"attacked","ProjectionExpression":"{}"}}"#, names)
        },
    },
    Attack {
        name: "many legacy filters for each row",
        operation: "Scan",
        body: || {
            let filters = many(50_000, |at| format!(r#""a{at}":{{"ComparisonOperator":"NULL"}}"#));
            format!(r#"{{"TableName":"attacked","ScanFilter":{{{filters}}}}}"#)
        },
    },
    Attack {
        name: "many empty keys",
        operation: "BatchGetItem",
        body: || format!(r#"{{"RequestItems":{{"attacked":{{"Keys":[{}]}}}}}}"#, many(500_000, |_| "{}".to_owned())),
    },
    Attack {
        name: "many names of no table",
        operation: "BatchGetItem",
        body: || format!(r#"{{"RequestItems":{{{}}}}}"#, many(50_000, |at| format!(r#""!{at}":{{"Keys":[]}}"#))),
    },
    Attack {
        name: "many mistakes behind a long name",
        operation: "BatchGetItem",
        body: || {
            let keys = many(100, |_| format!(r#"{{"{}":{{"S":""}}}}"#, "n".repeat(300)));
            format!(r#"{{"RequestItems":{{"{}":{{"Keys":[{keys}],"AttributesToGet":[]}}}}}}"#, "n".repeat(1_000_000))
        },
    },
    Attack {
        name: "alike keys of a missing table",
        operation: "BatchGetItem",
        body: || {
            let keys = many(100, |at| format!(r#"{{"pk":{{"S":"{}{at:03}"}}}}"#, "k".repeat(20_000)));
            format!(r#"{{"RequestItems":{{"missing":{{"Keys":[{keys}]}}}}}}"#)
        },
    },
    Attack {
        name: "many empty requests",
        operation: "BatchWriteItem",
        body: || {
            let tables = many(200, |at| format!(r#""table{at}":[{}]"#, many(3_000, |_| "{}".to_owned())));
            format!(r#"{{"RequestItems":{{{tables}}}}}"#)
        },
    },
    Attack {
        name: "25 items of many small values",
        operation: "BatchWriteItem",
        body: || {
            let value = many(35_000, |_| r#"{"S":"x"}"#.to_owned());
            let puts = many(25, |at| {
                format!(r#"{{"PutRequest":{{"Item":{{"pk":{{"S":"many{at}"}},"l":{{"L":[{value}]}}}}}}}}"#)
            });
            format!(r#"{{"RequestItems":{{"attacked":[{puts}]}}}}"#)
        },
    },
    Attack {
        name: "items of many small values",
        operation: "BatchGetItem",
        body: || {
            let keys = many(25, |at| format!(r#"{{"pk":{{"S":"many{at}"}}}}"#));
            format!(r#"{{"RequestItems":{{"attacked":{{"Keys":[{keys}]}}}}}}"#)
        },
    },
    Attack {
        name: "many actions",
        operation: "TransactGetItems",
        body: || {
            let actions =
                many(40_000, |at| format!(r#"{{"Get":{{"TableName":"attacked","Key":{{"pk":{{"S":"{at}"}}}}}}}}"#));
            format!(r#"{{"TransactItems":[{actions}]}}"#)
        },
    },
    Attack {
        name: "a filter of 150 conditions on every row",
        operation: "ExecuteStatement",
        body: || {
            let filter = separated(150, " OR ", |_| "contains(v, ?)".to_owned());
            let parameters = many(150, |_| r#"{"S":"x"}"#.to_owned());
            format!(r#"{{"Statement":"SELECT * FROM attacked WHERE {filter}","Parameters":[{parameters}]}}"#)
        },
    },
    Attack {
        name: "a statement of 2 MB",
        operation: "ExecuteStatement",
        body: || format!(r#"{{"Statement":"SELECT * FROM attacked WHERE {}a = 1"}}"#, "NOT ".repeat(500_000)),
    },
    Attack {
        name: "many parameters",
        operation: "ExecuteStatement",
        body: || {
            let parameters = many(200_000, |_| r#"{"N":"1"}"#.to_owned());
            format!(r#"{{"Statement":"SELECT * FROM attacked WHERE pk = ?","Parameters":[{parameters}]}}"#)
        },
    },
    Attack {
        name: "many empty statements",
        operation: "BatchExecuteStatement",
        body: || format!(r#"{{"Statements":[{}]}}"#, many(500_000, |_| "{}".to_owned())),
    },
    Attack {
        name: "statements that look for long values",
        operation: "BatchExecuteStatement",
        body: || {
            let filter = separated(140, " OR ", |_| "contains(s, ?)".to_owned());
            let parameters = many(140, |at| format!(r#"{{"S":"{}b{at}"}}"#, "a".repeat(1_000)));
            let statements = many(25, |at| {
                let key = if at == 0 { "text".to_owned() } else { format!("small0-{at}") };
                format!(
                    r#"{{"Statement":"SELECT * FROM attacked WHERE pk = '{key}' AND ({filter})","Parameters":[{parameters}]}}"#
                )
            });
            format!(r#"{{"Statements":[{statements}]}}"#)
        },
    },
    Attack {
        name: "many empty statements",
        operation: "ExecuteTransaction",
        body: || format!(r#"{{"TransactStatements":[{}]}}"#, many(500_000, |_| "{}".to_owned())),
    },
    Attack {
        name: "many empty actions",
        operation: "TransactWriteItems",
        body: || format!(r#"{{"TransactItems":[{}]}}"#, many(500_000, |_| "{}".to_owned())),
    },
    Attack {
        name: "a large set added 200 times",
        operation: "TransactWriteItems",
        body: || {
            let members = many(100_000, |at| format!(r#""{at:08}""#));
            format!(
                r#"{{"TransactItems":[{{"Update":{{"TableName":"attacked","Key":{{"pk":{{"S":"z"}}}},
                    "UpdateExpression":"ADD {}","ExpressionAttributeValues":{{":v":{{"SS":[{members}]}}}}}}}}]}}"#,
                many(200, |at| format!("a{at} :v"))
            )
        },
    },
    Attack {
        name: "failed checks that show long lists",
        operation: "TransactWriteItems",
        body: || {
            let checks = many(2, |at| {
                format!(
                    r#"{{"ConditionCheck":{{"TableName":"attacked","Key":{{"pk":{{"S":"{}"}}}},
                        "ConditionExpression":"attribute_not_exists(pk)","ReturnValuesOnConditionCheckFailure":"ALL_OLD"}}}}"#,
                    ["list", "list2"][at]
                )
            });
            format!(r#"{{"TransactItems":[{checks}]}}"#)
        },
    },
    Attack {
        name: "as many conditions as are planned on an event loop",
        operation: "TransactWriteItems",
        body: || {
            let condition = separated(147, " OR ", |_| "contains(v,:x)".to_owned());
            let checks = many(14, |at| {
                format!(
                    r#"{{"ConditionCheck":{{"TableName":"attacked","Key":{{"pk":{{"S":"small1-{at}"}}}},
                        "ConditionExpression":"{condition}","ExpressionAttributeValues":{{":x":{{"S":"x"}}}}}}}}"#
                )
            });
            format!(r#"{{"TransactItems":[{checks}]}}"#)
        },
    },
    Attack {
        name: "a long list looked through 147 times",
        operation: "TransactWriteItems",
        body: || {
            let condition = separated(147, " OR ", |_| "contains(v,:x)".to_owned());
            let checks = many(20, |at| {
                let key = if at == 0 { "list".to_owned() } else { format!("small0-{at}") };
                format!(
                    r#"{{"ConditionCheck":{{"TableName":"attacked","Key":{{"pk":{{"S":"{key}"}}}},
                        "ConditionExpression":"{condition}","ExpressionAttributeValues":{{":x":{{"S":"x"}}}}}}}}"#
                )
            });
            format!(r#"{{"TransactItems":[{checks}]}}"#)
        },
    },
    Attack {
        name: "ten million spaces",
        operation: "DescribeLimits",
        body: || format!("{{{}}}", " ".repeat(10_000_000)),
    },
    Attack {
        name: "ten million spaces",
        operation: "DescribeEndpoints",
        body: || format!("{{{}}}", " ".repeat(10_000_000)),
    },
    Attack {
        name: "a long ARN to go on behind",
        operation: "ListStreams",
        body: || format!(r#"{{"ExclusiveStartStreamArn":"{ARN}/stream/{}"}}"#, "x".repeat(2_000_000)),
    },
    Attack {
        name: "a long ARN",
        operation: "DescribeStream",
        body: || format!(r#"{{"StreamArn":"{ARN}/stream/{}"}}"#, "x".repeat(2_000_000)),
    },
    Attack {
        name: "a long number",
        operation: "GetShardIterator",
        body: || {
            format!(
                r#"{{"StreamArn":"{ARN}/stream/2026-01-01T00:00:00.000","ShardId":"{}",
                    "ShardIteratorType":"AT_SEQUENCE_NUMBER","SequenceNumber":"{}"}}"#,
                "x".repeat(1_000_000),
                "1".repeat(1_000_000)
            )
        },
    },
    Attack {
        name: "a long iterator",
        operation: "GetRecords",
        body: || format!(r#"{{"ShardIterator":"{ARN}/stream/x|{}"}}"#, "QUFB".repeat(500_000)),
    },
    Attack {
        name: "an item of control characters",
        operation: "GetItem",
        body: || r#"{"TableName":"attacked","Key":{"pk":{"S":"control0"}}}"#.to_owned(),
    },
    Attack {
        name: "an item of control characters",
        operation: "Query",
        body: || {
            r#"{"TableName":"attacked","KeyConditionExpression":"pk=:p",
                "ExpressionAttributeValues":{":p":{"S":"control0"}}}"#
                .to_owned()
        },
    },
    Attack {
        name: "pages of control characters",
        operation: "Scan",
        body: || scan("begins_with(s, :c)", r#"":c":{"S":"\u0001"}"#),
    },
    Attack {
        name: "items of control characters",
        operation: "BatchGetItem",
        body: || {
            let keys = of_control(|key| format!(r#"{{"pk":{{"S":"{key}"}}}}"#));
            format!(r#"{{"RequestItems":{{"attacked":{{"Keys":[{keys}]}}}}}}"#)
        },
    },
    Attack {
        name: "items of control characters",
        operation: "TransactGetItems",
        body: || {
            let gets =
                of_control(|key| format!(r#"{{"Get":{{"TableName":"attacked","Key":{{"pk":{{"S":"{key}"}}}}}}}}"#));
            format!(r#"{{"TransactItems":[{gets}]}}"#)
        },
    },
    Attack {
        name: "an item of control characters, shown as it is then",
        operation: "UpdateItem",
        body: || {
            let update = update("control0", "SET q = :q", r#"":q":{"N":"1"}"#);
            format!(r#"{},"ReturnValues":"ALL_NEW"}}"#, &update[..update.len() - 1])
        },
    },
    Attack {
        name: "a condition that fails and shows control characters",
        operation: "DeleteItem",
        body: || {
            r#"{"TableName":"attacked","Key":{"pk":{"S":"control0"}},"ConditionExpression":"attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure":"ALL_OLD"}"#
                .to_owned()
        },
    },
    Attack {
        name: "failed checks that show control characters",
        operation: "TransactWriteItems",
        body: || {
            let checks = of_control(|key| {
                format!(
                    r#"{{"ConditionCheck":{{"TableName":"attacked","Key":{{"pk":{{"S":"{key}"}}}},
                        "ConditionExpression":"attribute_not_exists(pk)","ReturnValuesOnConditionCheckFailure":"ALL_OLD"}}}}"#
                )
            });
            format!(r#"{{"TransactItems":[{checks}]}}"#)
        },
    },
    Attack {
        name: "an update that shows control characters",
        operation: "ExecuteStatement",
        body: || r#"{"Statement":"UPDATE attacked SET q=1 WHERE pk='control0' RETURNING ALL NEW *"}"#.to_owned(),
    },
    Attack {
        name: "updates that fail and show control characters",
        operation: "BatchExecuteStatement",
        body: || format!(r#"{{"Statements":[{}]}}"#, of_control(failing_statement)),
    },
    Attack {
        name: "updates that fail and show control characters",
        operation: "ExecuteTransaction",
        body: || format!(r#"{{"TransactStatements":[{}]}}"#, of_control(failing_statement)),
    },
];
