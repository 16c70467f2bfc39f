//! What holds for random tables, items and requests: one file per set of laws, which it lists.

mod pages;
mod partiql;
mod remote;
mod whole;
