//! The terms between a node and its peers: the secret and the settings that they share.

use super::secret::Secret;
use crate::env::settings::AgreedSettings;

/// What a node takes for granted between itself and its peers.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// What they must know, too. Without one everybody who reaches the port is trusted.
    pub secret: Option<Secret>,
    /// What they should have alike.
    pub settings: AgreedSettings,
}
