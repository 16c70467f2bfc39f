//! From command to rows and outcome: one file per command kind, all deterministic.

pub mod ddl;
