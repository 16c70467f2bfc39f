//! Writes the bindings of RocksDB's C header to standard output: `generate-bindings PATH/rocksdb/c.h`.

use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("which header?")?;
    let header = std::fs::read(&path)?;
    // As `signature` in ../src/lib.rs.
    let hash = header.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    let bindings = bindgen::Builder::default()
        .header(path)
        // What librocksdb-sys chooses, and nothing of the system's headers, which differ between machines.
        .derive_debug(false)
        .ctypes_prefix("libc")
        .size_t_is_usize(true)
        .allowlist_item("rocksdb_.*")
        .layout_tests(false)
        .disable_header_comment()
        .generate()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "// Of a rocksdb/c.h with {} bytes, FNV-1a {hash:016x}.", header.len())?;
    out.write_all(bindings.to_string().as_bytes())?;
    Ok(())
}
