//! Histories of more than single items: what is done, seen and expired while leaders come and go, held against what must be.

mod expiry;
mod streams;
mod tables;
