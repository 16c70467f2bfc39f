//! Runnable examples; `README.md` has the commands. The programs lie beside `Cargo.toml`; this library is empty.
