//! What the plans of the table operations share: the service's rules about tables, each with its text.
//!
//! Constraints of single members (lengths, enums, patterns) were checked when the request was decoded. The rules here
//! relate members to each other and to the table as it is. Their order follows what the service answers to requests
//! that break several at once.
//!
//! Sources: AWS, *API Reference: CreateTable, UpdateTable*; texts and order from replies of the service recorded in
//! public test suites and error catalogues (2025-2026).

pub(crate) mod index;
pub(crate) mod key_schema;
pub(crate) mod resource;
#[cfg(test)]
mod scripts;
pub(crate) mod settings;
pub(crate) mod tags;
pub(crate) mod throughput;

use std::collections::BTreeSet;

use dynamo_protocol::error::ApiError;

/// The first element that is there a second time, found in one pass: lists of a request may have millions of elements.
pub(crate) fn first_repeat<T: Copy + Ord>(mut elements: impl Iterator<Item = T>) -> Option<T> {
    let mut seen = BTreeSet::new();
    elements.find(|element| !seen.insert(*element))
}

/// The beginning of most texts.
const INVALID: &str = "One or more parameter values were invalid: ";

/// A ValidationException that begins as most do.
pub(crate) fn invalid(what: impl std::fmt::Display) -> ApiError {
    ApiError::validation(format!("{INVALID}{what}"))
}

/// The answer to a parameter whose feature this server does not have.
pub(crate) fn unsupported(parameter: &str) -> ApiError {
    invalid(format_args!("{parameter} is not supported by this server"))
}

/// Something is being done about the table, and this has to wait for it.
pub(crate) fn in_use(why: impl std::fmt::Display) -> ApiError {
    ApiError::resource_in_use(format!("Attempt to change a resource which is still in use: {why}"))
}
