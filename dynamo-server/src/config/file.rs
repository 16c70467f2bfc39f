//! The configuration file: TOML with the flags' names as keys.

use std::path::Path;

use super::{ConfigError, Settings};

/// Reads the settings in the file at `path`. Unknown keys are refused, so that a misspelt one is not silently lost.
pub(super) fn read(path: &Path) -> Result<Settings, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|error| ConfigError::Syntax { path: path.to_owned(), reason: error.to_string() })
}
