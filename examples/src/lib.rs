//! Runnable examples: `cargo run --release --example NAME`. The programs lie beside `Cargo.toml`; this library is empty.
