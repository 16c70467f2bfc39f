//! Records in the forms in which they are passed on.
//!
//! The SDK for streams and the one for items each have a type of their own for the same value.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodbstreams::types::{AttributeValue as Streamed, Record};
use serde_json::{Map, Value, json};

/// An item, or its key, as the SDK for items takes it.
pub fn item(streamed: &HashMap<String, Streamed>) -> HashMap<String, AttributeValue> {
    streamed.iter().map(|(name, streamed)| (name.clone(), value(streamed))).collect()
}

fn value(streamed: &Streamed) -> AttributeValue {
    match streamed {
        Streamed::S(text) => AttributeValue::S(text.clone()),
        Streamed::N(digits) => AttributeValue::N(digits.clone()),
        Streamed::B(bytes) => AttributeValue::B(bytes.clone()),
        Streamed::Bool(is_so) => AttributeValue::Bool(*is_so),
        Streamed::Null(is_so) => AttributeValue::Null(*is_so),
        Streamed::Ss(texts) => AttributeValue::Ss(texts.clone()),
        Streamed::Ns(digits) => AttributeValue::Ns(digits.clone()),
        Streamed::Bs(binaries) => AttributeValue::Bs(binaries.clone()),
        Streamed::L(elements) => AttributeValue::L(elements.iter().map(value).collect()),
        Streamed::M(entries) => AttributeValue::M(item(entries)),
        // The SDK keeps the enum open; the service has no other type.
        _ => AttributeValue::Null(true),
    }
}

/// A record as a function behind a trigger gets it: the API's record with the stream's name.
pub fn event(record: &Record, stream: &str) -> Value {
    let mut event = Map::new();
    let mut put = |name: &str, value: Option<Value>| _ = value.and_then(|value| event.insert(name.to_owned(), value));
    put("eventID", record.event_id().map(Value::from));
    put("eventName", record.event_name().map(|name| name.as_str().into()));
    put("eventVersion", record.event_version().map(Value::from));
    put("eventSource", record.event_source().map(Value::from));
    put("awsRegion", record.aws_region().map(Value::from));
    put(
        "dynamodb",
        record.dynamodb().map(|change| {
            let image = |image: &Option<HashMap<String, Streamed>>| image.as_ref().map(object);
            let members = [
                ("ApproximateCreationDateTime", change.approximate_creation_date_time.map(|at| at.secs().into())),
                ("Keys", image(&change.keys)),
                ("NewImage", image(&change.new_image)),
                ("OldImage", image(&change.old_image)),
                ("SequenceNumber", change.sequence_number().map(Value::from)),
                ("SizeBytes", change.size_bytes.map(Value::from)),
                ("StreamViewType", change.stream_view_type().map(|view| view.as_str().into())),
            ];
            members
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect::<Map<_, _>>()
                .into()
        }),
    );
    put("userIdentity", record.user_identity().map(|who| json!({"type": who.r#type, "principalId": who.principal_id})));
    put("eventSourceARN", Some(stream.into()));
    event.into()
}

fn object(entries: &HashMap<String, Streamed>) -> Value {
    let mut names: Vec<&String> = entries.keys().collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), typed(&entries[name]))).collect::<Map<_, _>>().into()
}

fn typed(streamed: &Streamed) -> Value {
    let base64 = |bytes: &aws_sdk_dynamodb::primitives::Blob| encode(bytes.as_ref());
    match streamed {
        Streamed::S(text) => json!({"S": text}),
        Streamed::N(digits) => json!({"N": digits}),
        Streamed::B(bytes) => json!({"B": base64(bytes)}),
        Streamed::Bool(is_so) => json!({"BOOL": is_so}),
        Streamed::Ss(texts) => json!({"SS": texts}),
        Streamed::Ns(digits) => json!({"NS": digits}),
        Streamed::Bs(binaries) => json!({"BS": binaries.iter().map(base64).collect::<Vec<_>>()}),
        Streamed::L(elements) => json!({"L": elements.iter().map(typed).collect::<Vec<_>>()}),
        Streamed::M(entries) => json!({"M": object(entries)}),
        _ => json!({"NULL": true}),
    }
}

fn encode(bytes: &[u8]) -> String {
    aws_smithy_types::base64::encode(bytes)
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::primitives::Blob;
    use aws_sdk_dynamodbstreams::types::{Identity, OperationType, StreamRecord, StreamViewType};

    use super::*;

    #[test]
    fn a_record_in_the_form_of_triggers() {
        let key = HashMap::from([("k".to_owned(), Streamed::B(Blob::new([0, 255])))]);
        let old = HashMap::from([
            ("k".to_owned(), Streamed::B(Blob::new([0, 255]))),
            ("l".to_owned(), Streamed::L(vec![Streamed::N("1.5".to_owned()), Streamed::Null(true)])),
        ]);
        let change = StreamRecord::builder()
            .set_keys(Some(key))
            .set_old_image(Some(old))
            .sequence_number("100000000000000000258")
            .size_bytes(12)
            .stream_view_type(StreamViewType::OldImage)
            .build();
        let record = Record::builder()
            .event_id("e")
            .event_name(OperationType::Remove)
            .dynamodb(change)
            .user_identity(Identity::builder().r#type("Service").principal_id("dynamodb.amazonaws.com").build())
            .build();
        let expected = json!({
            "eventID": "e",
            "eventName": "REMOVE",
            "dynamodb": {
                "Keys": {"k": {"B": "AP8="}},
                "OldImage": {"k": {"B": "AP8="}, "l": {"L": [{"N": "1.5"}, {"NULL": true}]}},
                "SequenceNumber": "100000000000000000258",
                "SizeBytes": 12,
                "StreamViewType": "OLD_IMAGE",
            },
            "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
            "eventSourceARN": "arn",
        });
        assert_eq!(event(&record, "arn"), expected);
    }
}
