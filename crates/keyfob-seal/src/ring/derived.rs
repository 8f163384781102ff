//! Keys for other purposes, derived from those of a ring. So rotation, overlap and distribution are the ring's, and there
//! is no second secret to keep.

use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use keyfob_core::KeyVersion;
use zeroize::Zeroizing;

use super::{KeyRing, KeyState};

/// A key for one purpose, derived from a key of a ring by HKDF (RFC 5869). It tells nothing about that key, and nothing
/// about the keys of other purposes.
#[derive(Clone)]
#[non_exhaustive]
pub struct DerivedKey {
    /// The version of the key that it is derived from.
    pub version: KeyVersion,
    /// The use of that key: what is active signs or seals, what is for reading verifies or opens.
    pub state: KeyState,
    /// The bytes. They are wiped when dropped.
    pub bytes: Zeroizing<[u8; 32]>,
}

impl KeyRing {
    /// Returns the keys for one purpose, of all keys of the ring that are not retired. The context makes them others
    /// where the same ring is used twice, such as for two namespaces.
    ///
    /// ```
    /// use keyfob::clock::{Clock, SystemClock};
    /// use keyfob::random::OsRandom;
    /// use keyfob::seal::KeyRing;
    ///
    /// let ring = KeyRing::generate(SystemClock.now(), &OsRandom)?;
    /// let keys = ring.derived_keys("sign reports", b"namespace 1");
    /// assert_eq!(keys[0].version, ring.active());
    /// assert_ne!(keys[0].bytes, ring.derived_keys("sign reports", b"namespace 2")[0].bytes);
    /// # Ok::<(), keyfob::seal::KeyError>(())
    /// ```
    pub fn derived_keys(&self, purpose: &str, context: &[u8]) -> Vec<DerivedKey> {
        let keys = self.keys.iter().filter(|key| key.state != KeyState::Retired);
        keys.filter_map(|key| {
            // In HKDF the key of the ring is a message. As a key it is used for sealing alone.
            let extracted = Salt::new(HKDF_SHA256, b"keyfob derived keys 1");
            let extracted = extracted.extract(key.secret.as_bytes());
            let length = (purpose.len() as u32).to_be_bytes();
            let info = [&length[..], purpose.as_bytes(), context];
            let mut bytes = Zeroizing::new([0; 32]);
            // Neither fails for 32 bytes.
            extracted.expand(&info, HKDF_SHA256).ok()?.fill(&mut *bytes).ok()?;
            Some(DerivedKey { version: key.number, state: key.state, bytes })
        })
        .collect()
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DerivedKey({}, {}, [redacted])", self.version, self.state)
    }
}

#[cfg(test)]
mod tests {
    use keyfob_core::random::SeededRandom;
    use keyfob_core::time::Timestamp;

    use super::*;
    use crate::ring::NewKey;

    #[test]
    fn each_purpose_and_each_context_has_its_own_keys_for_good() {
        let (now, random) = (Timestamp::from_secs(1), SeededRandom::new(1));
        let mut ring = KeyRing::generate(now, &random).unwrap();
        let one = ring.derived_keys("a", b"x");
        assert_eq!((one.len(), one[0].state), (1, KeyState::Active));
        for (purpose, context) in [("a", "y"), ("b", "x"), ("ax", ""), ("", "ax")] {
            assert_ne!(ring.derived_keys(purpose, context.as_bytes())[0].bytes, one[0].bytes);
        }
        let second = ring.add(NewKey::Sealing, now, &random).unwrap();
        let both = ring.derived_keys("a", b"x");
        assert_eq!(both[0].bytes, one[0].bytes);
        assert_eq!((both[1].version, both[1].state), (second, KeyState::Reading));
        assert_ne!(both[1].bytes, both[0].bytes);
        ring.activate(second).unwrap();
        ring.retire(one[0].version).unwrap();
        let left = ring.derived_keys("a", b"x");
        assert_eq!((left.len(), left[0].version), (1, second));
        assert!(!format!("{left:?}").contains(&format!("{:?}", left[0].bytes[0..4].to_vec())));
    }
}
