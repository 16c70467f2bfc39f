//! The exam that every store sits.
