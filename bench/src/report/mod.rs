//! A run's results for people (Markdown, a plot) and for programs (JSON).

mod canvas;
mod contents;
mod json;
mod markdown;
mod plot;

use std::fs;
use std::path::Path;

pub use contents::Report;

use crate::error::{Context, Result};

/// Prints the table, and writes `NAME.md`, `NAME.json` and `NAME.png` into the folder.
pub fn write(report: &Report, folder: &Path, name: &str) -> Result<()> {
    fs::create_dir_all(folder).context(|| format!("cannot create {}", folder.display()))?;
    let text = markdown::render(report, name);
    println!("{text}");
    let files = [("md", text.into_bytes()), ("json", json::render(report)), ("png", plot::render(report)?)];
    for (ending, bytes) in files {
        let path = folder.join(format!("{name}.{ending}"));
        fs::write(&path, bytes).context(|| format!("cannot write {}", path.display()))?;
        eprintln!("bench: wrote {}", path.display());
    }
    Ok(())
}
