//! Salts: bytes that no two sealings share. They are not secret: see `cipher`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use super::cipher::SALT;
use keyfob_core::random::{Random, RandomUnavailable, array};
use keyfob_store::OperationId;

/// The source of a store's salts.
///
/// The salts of an operation are a digest of a seed, of a counter of operations, and of the
/// operation's id. They are as unique as if each were drawn. Under one seed no counter value
/// repeats. Seeds are random. If a machine is cloned, so that one seed is used in two places, the
/// operation ids still differ, unless the generator was cloned too. To draw each salt from the
/// operating system takes longer than to seal with it.
#[derive(Debug, Default)]
pub(super) struct SaltSource {
    seed: OnceLock<[u8; SALT]>,
    count: AtomicU64,
}

/// The salts for some sealings.
#[derive(Debug)]
pub struct Salts {
    bytes: Vec<u8>,
}

/// The size of a digest in bytes.
const BLOCK: usize = 32;

impl SaltSource {
    /// Returns this many salts for an operation. A second call for the same operation returns
    /// others.
    ///
    /// # Errors
    /// When there is no randomness.
    pub(super) fn of_operation(
        &self,
        operation: OperationId,
        count: usize,
        random: &dyn Random,
    ) -> Result<Salts, RandomUnavailable> {
        let seed = match self.seed.get() {
            Some(seed) => seed,
            None => {
                let drawn = array(random)?;
                self.seed.get_or_init(|| drawn)
            }
        };
        let turn = self.count.fetch_add(1, Ordering::Relaxed);
        let mut bytes = Vec::with_capacity((count * SALT).next_multiple_of(BLOCK));
        for block in 0..(count * SALT).div_ceil(BLOCK) as u64 {
            // Always of the same length, and within one block of SHA-256.
            let mut hash = Sha256::new();
            hash.update(seed);
            hash.update(operation.as_bytes());
            hash.update(turn.to_be_bytes());
            hash.update(block.to_be_bytes());
            bytes.extend_from_slice(&hash.finalize());
        }
        bytes.truncate(count * SALT);
        Ok(Salts { bytes })
    }
}

impl Salts {
    /// Returns this many salts, each drawn.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn draw(count: usize, random: &dyn Random) -> Result<Self, RandomUnavailable> {
        let mut bytes = vec![0; SALT * count];
        random.fill(&mut bytes)?;
        Ok(Self { bytes })
    }

    pub(super) fn next(&mut self) -> Option<[u8; SALT]> {
        let salt = self.bytes.last_chunk::<SALT>().copied()?;
        self.bytes.truncate(self.bytes.len() - SALT);
        Some(salt)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use keyfob_core::random::{OsRandom, SeededRandom};

    fn all(mut salts: Salts) -> Vec<[u8; SALT]> {
        std::iter::from_fn(|| salts.next()).collect()
    }

    #[test]
    fn no_salt_comes_twice() {
        let sources = [SaltSource::default(), SaltSource::default()];
        let operations = [[1; 16], [2; 16]].map(OperationId::from_bytes);
        let mut seen = HashSet::new();
        for source in &sources {
            for operation in operations {
                for count in [1, 2, 3, 100, 1] {
                    let salts = all(source.of_operation(operation, count, &OsRandom).unwrap());
                    assert_eq!(salts.len(), count);
                    assert!(salts.into_iter().all(|salt| seen.insert(salt)));
                }
            }
        }
    }

    #[test]
    fn cloned_managers_use_different_salts() {
        let [one, other] = [(); 2].map(|()| {
            let source = SaltSource::default();
            move |operation| {
                let operation = OperationId::from_bytes([operation; 16]);
                all(source.of_operation(operation, 2, &SeededRandom::new(7)).unwrap())
            }
        });
        assert_eq!(one(1), other(1), "clones draw the same random bytes");
        let (ours, theirs) = (one(2), other(3));
        assert!(ours.iter().all(|salt| !theirs.contains(salt)));
    }

    #[test]
    fn there_are_no_more_than_were_asked_for() {
        let mut salts = Salts::draw(2, &OsRandom).unwrap();
        let (first, second) = (salts.next().unwrap(), salts.next().unwrap());
        assert_ne!(first, second);
        assert_eq!(salts.next(), None);
    }
}
