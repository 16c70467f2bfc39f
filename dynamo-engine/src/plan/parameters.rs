//! Which parameters may stand beside each other: the third layer of validation, before any expression is read.

pub(crate) use dynamo_protocol::parameters::{Present, check_generations, check_placeholders};
