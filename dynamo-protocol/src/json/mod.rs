//! The wire's JSON, in and out, without a tree in between.
//!
//! Out: [`JsonWriter`] pushes a reply straight into its bytes. In: `Reader` walks a request once and the shapes take
//! what they know from it; it exists beside the general JSON libraries because DynamoDB's complaints name the token
//! that was met (`NUMBER_VALUE cannot be converted to String`), because unknown members of any depth must be passed
//! over without recursion, and because texts are borrowed until they are kept. Tests hold it against `serde_json`.

mod reader;
mod writer;

pub(crate) use reader::{Kind, Reader, Refused, is_plain, plain_length};
pub use writer::{
    ASKED_BYTES_MIN, JsonWriter, Room, escape, push_attribute_value, push_base64, push_item, push_number, push_u64,
};
pub(crate) use writer::{ESCAPE_BYTES_MAX, encode_base64, escaped, make_capacity};
