//! The keys that sign JWTs.

use std::fmt;
use std::sync::Arc;

use keyfob::bearer::BearerKey;
use keyfob_jwt::key_set::KeySet;
use keyfob_jwt::signing::{CannotSign, SigningAlgorithm, SigningKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// What the keys of one version are derived from.
#[derive(Clone)]
pub struct JwtKeySeed {
    /// The version, which is never used twice.
    pub version: u16,
    /// Whether the keys of this version sign. The keys of all versions verify, and are published.
    pub is_active: bool,
    /// The secret.
    pub seed: Zeroizing<[u8; 32]>,
}

/// The keys that sign JWTs: of the active version; and those of other versions, which verify and are published.
///
/// A key is published for as long as its version is there. So a version that is added before it becomes active is
/// published before it signs.
#[derive(Clone)]
pub struct JwtKeys(Arc<Versions>);

struct Versions {
    /// The active version comes first.
    versions: Vec<Version>,
    published: KeySet,
}

pub(crate) struct Version {
    pub(crate) number: u16,
    signing: [SigningKey; 2],
    pub(crate) bearer_key: BearerKey,
}

/// The purpose that keys of a ring are derived for.
#[cfg(feature = "seal")]
const PURPOSE: &str = "sign JWTs";

impl fmt::Debug for JwtKeySeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwtKeySeed({}, [redacted])", self.version)
    }
}

impl JwtKeys {
    /// Derives the keys.
    ///
    /// # Errors
    /// If no version is active, or the cryptography library fails.
    pub fn derive(seeds: impl IntoIterator<Item = JwtKeySeed>) -> Result<Self, CannotSign> {
        let mut seeds: Vec<_> = seeds.into_iter().collect();
        seeds.sort_by_key(|seed| (!seed.is_active, seed.version));
        if !seeds.first().is_some_and(|seed| seed.is_active) {
            return Err(CannotSign);
        }
        let versions: Result<Vec<_>, _> = seeds.iter().map(Version::derive).collect();
        let versions = versions?;
        let signing = versions.iter().flat_map(|version| &version.signing);
        let published = KeySet::new(signing.map(|key| key.public().clone()));
        Ok(Self(Arc::new(Versions { versions, published })))
    }

    /// Derives the keys from those of a ring, for the namespace of a manager. The keys of the ring that are not retired
    /// are published, the active one signs.
    ///
    /// # Errors
    /// If the cryptography library fails.
    #[cfg(feature = "seal")]
    pub fn of_ring(
        ring: &keyfob::seal::KeyRing,
        manager: &keyfob::TokenManager,
    ) -> Result<Self, CannotSign> {
        // Two namespaces that share a ring do not take each other's tokens.
        let context = Zeroizing::new(manager.key_for(PURPOSE));
        let keys = ring.derived_keys(PURPOSE, &*context);
        Self::derive(keys.into_iter().map(|key| JwtKeySeed {
            version: key.version.value(),
            is_active: key.state == keyfob::seal::KeyState::Active,
            seed: key.bytes,
        }))
    }

    /// Draws keys that nobody else has. What they sign ends with the process: for development.
    ///
    /// # Errors
    /// If there is no randomness, or the cryptography library fails.
    pub fn draw(random: &dyn keyfob::random::Random) -> Result<Self, CannotSign> {
        let mut seed = Zeroizing::new([0; 32]);
        random.fill(&mut *seed).map_err(|_| CannotSign)?;
        Self::derive([JwtKeySeed { version: 1, is_active: true, seed }])
    }

    /// Returns the public keys.
    pub fn published(&self) -> &KeySet {
        &self.0.published
    }

    /// Returns the version that signs.
    pub(crate) fn active(&self) -> Option<&Version> {
        self.0.versions.first()
    }

    /// Returns all versions.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &Version> {
        self.0.versions.iter()
    }

    /// Returns the version with this number.
    pub(crate) fn version(&self, number: u16) -> Option<&Version> {
        self.0.versions.iter().find(|version| version.number == number)
    }

    /// Returns the version that a key is of.
    pub(crate) fn version_of(&self, kid: &str) -> Option<&Version> {
        let has = |version: &&Version| version.signing.iter().any(|key| key.kid() == kid);
        self.0.versions.iter().find(has)
    }
}

impl fmt::Debug for JwtKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.versions.iter().map(|version| version.number)).finish()
    }
}

impl Version {
    fn derive(seed: &JwtKeySeed) -> Result<Self, CannotSign> {
        let [first, second] =
            SigningAlgorithm::ALL.map(|algorithm| SigningKey::derive(&seed.seed, algorithm));
        // The secrets of bearer tokens follow from another key than signatures do.
        let mut digest = Sha256::new_with_prefix(b"keyfob bearers of JWTs");
        digest.update(*seed.seed);
        let bearer_key = BearerKey::from_bytes(digest.finalize().into());
        Ok(Self { number: seed.version, signing: [first?, second?], bearer_key })
    }

    /// Returns the key that signs with an algorithm.
    pub(crate) fn signing(&self, algorithm: SigningAlgorithm) -> &SigningKey {
        let [es256, eddsa] = &self.signing;
        match algorithm {
            SigningAlgorithm::Es256 => es256,
            SigningAlgorithm::EdDsa => eddsa,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(version: u16, is_active: bool) -> JwtKeySeed {
        JwtKeySeed { version, is_active, seed: Zeroizing::new([version as u8; 32]) }
    }

    #[test]
    fn the_active_version_signs_and_all_are_published() {
        let keys = JwtKeys::derive([seed(1, false), seed(2, true), seed(3, false)]).unwrap();
        assert_eq!(keys.active().map(|version| version.number), Some(2));
        assert_eq!(keys.published().keys().len(), 6);
        for number in 1..=3 {
            let version = keys.version(number).unwrap();
            for algorithm in SigningAlgorithm::ALL {
                let kid = version.signing(algorithm).kid();
                assert_eq!(keys.version_of(kid).map(|version| version.number), Some(number));
            }
        }
        assert!(JwtKeys::derive([seed(1, false)]).is_err());
        assert!(JwtKeys::derive([]).is_err());
    }
}
