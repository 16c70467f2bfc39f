//! Why a configuration is refused.

use std::path::PathBuf;

use thiserror::Error;

/// Why the server does not start with these settings.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file named by `--config` cannot be read.
    #[error("cannot read the configuration file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file named by `--config` is not TOML with known keys.
    #[error("the configuration file {path} is not valid: {reason}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        reason: String,
    },
    /// A value is out of its range, or two settings exclude each other.
    #[error("{0}")]
    Invalid(String),
}
