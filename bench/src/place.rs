//! Where a run happens: its folder, its binaries, the commit it was built from.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};

/// The binary of this name beside this one.
///
/// # Errors
/// When there is none.
pub fn next_to_this_binary(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() {
        return Ok(path);
    }
    let text = format!(
        "there is no {}: build it (cargo build --release -p dynamo-server), or give --server or --endpoint",
        path.display()
    );
    Err(Error::new(text))
}

/// The command that made a run, as it would be typed in a clone.
pub fn command_line() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo run --release -p bench -- {}", arguments.join(" ")).trim_end_matches(['-', ' ']).to_owned()
}

/// The commit that is checked out here, with a mark when files differ from it; `None` outside a clone.
pub fn revision() -> Option<String> {
    let output =
        std::process::Command::new("git").args(["describe", "--always", "--dirty", "--exclude=*"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

/// The run's own folder, removed with everything in it when the run ends.
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// A new folder below this one.
    pub fn create(below: &Path) -> Result<RunFolder> {
        let path = below.join(format!("bench-{}", std::process::id()));
        fs::create_dir_all(&path).context(|| format!("cannot create {}", path.display()))?;
        Ok(RunFolder(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("bench: cannot remove {}: {error}", self.0.display());
        }
    }
}
