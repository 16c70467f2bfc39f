//! The secret that the nodes of a cluster share, and the proof of knowing it.
//!
//! Both sides of a greeting prove that they know the secret, by an HMAC-SHA-256 (RFC 2104) over everything that was said
//! so far. Both have put a fresh random number into it, so a proof is of no use for another greeting; and who proves is a
//! part of it, so it cannot be turned back on its author. What follows the greeting is neither encrypted nor signed.

use std::fmt;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Bytes of a secret, at least.
const SECRET_BYTES_MIN: usize = 16;

/// Bytes of a proof.
pub(super) const PROOF_BYTES: usize = 32;

/// Which side of a greeting proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Side {
    Answerer = b'a',
    Caller = b'c',
}

/// A cluster's secret.
#[derive(Clone)]
pub struct Secret(Hmac<Sha256>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// The secret of these bytes.
    ///
    /// # Errors
    /// When they are too few to be one.
    pub fn new(bytes: &[u8]) -> Result<Secret, String> {
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(format!("a secret has at least {SECRET_BYTES_MIN} bytes, not {}", bytes.len()));
        }
        Ok(Secret(Hmac::new_from_slice(bytes).expect("HMAC takes keys of any length")))
    }

    /// The secret in a file; white space around it does not belong to it.
    ///
    /// # Errors
    /// When it cannot be read or is none.
    pub fn read(path: &Path) -> Result<Secret, String> {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Secret::new(bytes.trim_ascii()).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// What `side` shows to have said and heard `transcript`, knowing the secret.
    pub(super) fn prove(&self, side: Side, transcript: &[u8]) -> [u8; PROOF_BYTES] {
        self.over(side, transcript).finalize().into_bytes().into()
    }

    /// Whether `proof` is the one of `side`, found out in the same time whatever it is.
    pub(super) fn is_proved(&self, side: Side, transcript: &[u8], proof: &[u8]) -> bool {
        self.over(side, transcript).verify_slice(proof).is_ok()
    }

    fn over(&self, side: Side, transcript: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(&[side as u8]);
        mac.update(transcript);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_of_one_secret_one_side_and_one_greeting() {
        let secret = Secret::new(b"sixteen bytes ok").unwrap();
        let proof = secret.prove(Side::Caller, b"hello");
        assert!(secret.is_proved(Side::Caller, b"hello", &proof));
        assert!(!secret.is_proved(Side::Answerer, b"hello", &proof));
        assert!(!secret.is_proved(Side::Caller, b"hullo", &proof));
        assert!(
            !secret.is_proved(Side::Caller, b"hello", &proof[..31]) && !secret.is_proved(Side::Caller, b"hello", b"")
        );
        assert!(!Secret::new(b"another sixteen.").unwrap().is_proved(Side::Caller, b"hello", &proof));
        assert!(Secret::new(b"too short").is_err());
    }

    #[test]
    fn white_space_around_a_secret_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "sixteen bytes ok\n").unwrap();
        let proof = Secret::read(&path).unwrap().prove(Side::Caller, b"");
        assert!(Secret::new(b"sixteen bytes ok").unwrap().is_proved(Side::Caller, b"", &proof));
        assert!(Secret::read(&folder.path().join("none")).unwrap_err().contains("none"));
    }
}
