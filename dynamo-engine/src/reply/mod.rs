//! From outcome to the JSON body of the response: one file per operation.

mod settings;
pub mod table_description;
mod tables;
pub(crate) mod timestamp;

pub use settings::{
    describe_continuous_backups, describe_endpoints, describe_limits, describe_time_to_live, list_tags_of_resource,
    tag_resource, update_time_to_live,
};
pub use tables::{create_table, delete_table, describe_table, list_tables, update_table};
