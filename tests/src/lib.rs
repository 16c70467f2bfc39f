//! Cross-crate suites
