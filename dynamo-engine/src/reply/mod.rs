//! From outcome to the JSON body of the response: one file per operation.

pub mod table_description;
pub(crate) mod timestamp;
