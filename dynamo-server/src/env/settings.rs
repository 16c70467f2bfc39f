//! Settings that all nodes of a cluster should have alike, as they name them to each other when they greet.
//!
//! Each setting has a number of its own, for ever; one that the other side does not know is passed over, so settings can
//! be added without a new version of the greeting.

use std::collections::BTreeMap;

/// The length of a lease, in milliseconds (`--election-timeout-ms`).
pub const ELECTION_TIMEOUT_MS: u8 = 1;

/// Settings by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgreedSettings(BTreeMap<u8, u64>);

impl AgreedSettings {
    /// The same settings and this one.
    #[must_use]
    pub fn with(mut self, setting: u8, value: u64) -> AgreedSettings {
        self.0.insert(setting, value);
        self
    }

    /// The value of a setting, if it was named.
    pub fn get(&self, setting: u8) -> Option<u64> {
        self.0.get(&setting).copied()
    }

    /// The settings that both name, with different values: number, value here, value there.
    pub fn differences(&self, there: &AgreedSettings) -> Vec<(u8, u64, u64)> {
        let differs = |(setting, here): (&u8, &u64)| {
            there.get(*setting).filter(|there| there != here).map(|there| (*setting, *here, there))
        };
        self.0.iter().filter_map(differs).collect()
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (u8, u64)> + '_ {
        self.0.iter().map(|(setting, value)| (*setting, *value))
    }
}

/// What people call a setting.
pub fn name(setting: u8) -> String {
    match setting {
        ELECTION_TIMEOUT_MS => "--election-timeout-ms".to_owned(),
        other => format!("setting {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_name_can_differ() {
        let here = AgreedSettings::default().with(1, 2_000).with(2, 7);
        let there = AgreedSettings::default().with(1, 5_000).with(3, 1);
        assert_eq!(here.differences(&there), [(1, 2_000, 5_000)]);
        assert!(here.differences(&here).is_empty());
    }
}
