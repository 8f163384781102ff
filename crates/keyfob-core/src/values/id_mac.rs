//! The message authentication code in a token id, by which a node knows the ids of its namespace
//! without asking the store.
//!
//! The check of a bearer token is public, so anyone can make texts that pass it. Without this code,
//! each of them costs the store a look-up.

use siphasher::sip::SipHasher24;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::id::TokenId;

/// The number of bytes at the end of an id that are the code. One of 16.7 million ids that are made up
/// has the right one.
const MAC_BYTES: usize = 3;

/// Computes and verifies the code of ids: SipHash-2-4 over the bytes before it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct IdMac([u8; 16]);

impl IdMac {
    /// Creates the code of this key.
    pub const fn new(key: [u8; 16]) -> Self {
        Self(key)
    }

    /// Returns `id` with the code in place of its last bytes, which are random in a drawn id.
    pub fn sign(&self, id: TokenId) -> TokenId {
        let mut bytes = *id.as_bytes();
        let code = self.code(&bytes);
        bytes[16 - MAC_BYTES..].copy_from_slice(&code);
        TokenId::from_bytes(bytes)
    }

    /// Returns whether the last bytes of `id` are the code of the others.
    pub fn verify(&self, id: TokenId) -> bool {
        let bytes = id.as_bytes();
        // The comparison does not have to take constant time: the code protects the store from
        // load, and a client cannot measure one byte of it over a network before it is refused for
        // its guesses.
        bytes[16 - MAC_BYTES..] == self.code(bytes)
    }

    fn code(&self, id: &[u8; 16]) -> [u8; MAC_BYTES] {
        let hash = SipHasher24::new_with_key(&self.0).hash(&id[..16 - MAC_BYTES]).to_be_bytes();
        let mut code = [0; MAC_BYTES];
        code.copy_from_slice(&hash[..MAC_BYTES]);
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Lane;
    use crate::random::SeededRandom;
    use crate::time::Timestamp;

    fn drawn(seed: u64) -> TokenId {
        let at = Timestamp::from_millis(1_795_000_000_000 + seed * 16);
        TokenId::draw(at, Lane::new(9), &SeededRandom::new(seed)).unwrap()
    }

    #[test]
    fn a_signed_id_keeps_its_time_its_lane_and_what_is_unique_in_a_lane() {
        let mac = IdMac::new([7; 16]);
        for seed in 0..100 {
            let (id, signed) = (drawn(seed), mac.sign(drawn(seed)));
            assert!(mac.verify(signed));
            assert_eq!((signed.local(), signed.lane()), (id.local(), id.lane()));
            assert_eq!(signed.drawn_at(), id.drawn_at());
            assert_eq!(mac.sign(signed), signed);
        }
    }

    #[test]
    fn an_id_with_any_bit_changed_and_an_id_of_another_key_are_not_verified() {
        let mac = IdMac::new([7; 16]);
        let signed = mac.sign(drawn(1));
        assert!(!IdMac::new([8; 16]).verify(signed));
        for bit in 0..128 {
            let changed = u128::from_be_bytes(*signed.as_bytes()) ^ 1 << bit;
            assert!(!mac.verify(TokenId::from_bytes(changed.to_be_bytes())), "bit {bit}");
        }
    }

    #[test]
    fn fewer_than_one_id_in_a_million_that_is_made_up_is_verified() {
        let mac = IdMac::new([7; 16]);
        let random = SeededRandom::new(5);
        let guessed = (0..200_000u32).filter(|_| {
            let bytes = crate::random::array::<16>(&random).unwrap();
            mac.verify(TokenId::from_bytes(bytes))
        });
        // 1 in 16.7 million: the chance of even one in 200,000 is 1.2 %, and the seed is fixed.
        assert_eq!(guessed.count(), 0);
    }
}
