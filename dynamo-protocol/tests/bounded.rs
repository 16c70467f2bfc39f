//! Errors stay small however large the request is: each of these is wrong in a way whose text repeats what was sent.

use dynamo_protocol::error::{ApiError, MESSAGE_BYTES_MAX};
use dynamo_protocol::ops::{
    BatchGetItemInput, BatchWriteItemInput, CreateTableInput, PutItemInput, QueryInput, TransactGetItemsInput,
    TransactWriteItemsInput, UpdateTableInput,
};

/// What stands behind a text that is cut.
const CUT: &str = "...";

fn many(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect::<Vec<_>>().join(",")
}

fn refused<T>(result: Result<T, ApiError>) -> ApiError {
    result.err().expect("the request is wrong")
}

#[test]
fn no_error_is_longer_than_its_bound() {
    let long = "x".repeat(1_000_000);
    let actions = many(20_000, |at| format!(r#"{{"Get":{{"TableName":"abc","Key":{{"a":{{"N":"{at}"}}}}}}}}"#));
    let tables = many(2_000, |at| format!(r#""!{at}":[]"#));
    let keys = many(2_000, |at| format!(r#""!{at}":{{"Keys":[]}}"#));
    let empty = many(100_000, |_| "{}".to_owned());
    let numbers = many(20_000, |_| r#"{"a":{"N":"1E125"}}"#.to_owned());
    let members = many(50_000, |at| format!(r#""{}""#, at % 49_999));
    let errors = [
        refused(TransactGetItemsInput::from_json(format!(r#"{{"TransactItems":[{actions}]}}"#).as_bytes())),
        refused(TransactGetItemsInput::from_json(format!(r#"{{"TransactItems":[{empty}]}}"#).as_bytes())),
        refused(TransactWriteItemsInput::from_json(format!(r#"{{"TransactItems":[{empty}]}}"#).as_bytes())),
        refused(BatchWriteItemInput::from_json(format!(r#"{{"RequestItems":{{{tables}}}}}"#).as_bytes())),
        refused(BatchGetItemInput::from_json(format!(r#"{{"RequestItems":{{{keys}}}}}"#).as_bytes())),
        refused(BatchGetItemInput::from_json(
            format!(r#"{{"RequestItems":{{"{long}":{{"Keys":[{numbers}]}}}}}}"#).as_bytes(),
        )),
        refused(CreateTableInput::from_json(
            format!(r#"{{"TableName":"{long}","AttributeDefinitions":[{empty}],"KeySchema":[{empty}]}}"#).as_bytes(),
        )),
        refused(UpdateTableInput::from_json(format!(r#"{{"TableName":"{long}"}}"#).as_bytes())),
        refused(PutItemInput::from_json(format!(r#"{{"TableName":"abc","Item":{{"{long}":{{"S":""}}}}}}"#).as_bytes())),
        refused(PutItemInput::from_json(
            format!(r#"{{"TableName":"abc","Item":{{"a":{{"N":"{long}"}}}}}}"#).as_bytes(),
        )),
        refused(PutItemInput::from_json(
            format!(r#"{{"TableName":"abc","Item":{{"a":{{"SS":[{members}]}}}}}}"#).as_bytes(),
        )),
        refused(QueryInput::from_json(format!(r#"{{"TableName":"abc","Select":"{long}"}}"#).as_bytes())),
    ];
    for error in errors {
        let text = error.message();
        let beginning: String = text.chars().take(200).collect();
        assert!(text.len() <= MESSAGE_BYTES_MAX + CUT.len(), "{} bytes: {beginning}", text.len());
        assert!(text.contains(CUT) || text.len() < 100_000, "what is cut says so: {beginning}");
    }
}

#[test]
fn a_text_is_whole_as_long_as_the_request_could_have_been_right() {
    let name = "n".repeat(65_536);
    let error =
        refused(PutItemInput::from_json(format!(r#"{{"TableName":"abc","Item":{{"{name}":{{"S":""}}}}}}"#).as_bytes()));
    let expected = "1 validation error detected: Attribute name is too large, must be less than 65536 bytes";
    assert_eq!(error.message(), expected, "in words that do not repeat it");
    let keys = many(101, |at| format!(r#"{{"a":{{"S":"{at}-{}"}}}}"#, "k".repeat(700)));
    let error = refused(BatchGetItemInput::from_json(
        format!(r#"{{"RequestItems":{{"abc":{{"Keys":[{keys}]}}}}}}"#).as_bytes(),
    ));
    assert!(!error.message().contains(CUT));
}
