//! Which place in which status list a new token gets.
//!
//! Each process has lists of its own, so places need no store. It hands out the places of a list one by one, in an order
//! that does not show who came first, and draws another list when one is full, or a day old.

use std::sync::Mutex;

use keyfob::random::{Random, RandomUnavailable};
use keyfob::token::StatusListId;
use keyfob::{Timestamp, TokenManager, Ttl};
use sha2::{Digest as _, Sha256};

/// How many places a list has. It takes 16 KiB without compression.
pub(super) const CAPACITY: u32 = 1 << 17;

/// For how long a list takes new tokens.
const MAX_AGE: Ttl = Ttl::from_days(1);

/// How many bytes of the name of a list are random. The others prove that a server has drawn it.
const RANDOM_BYTES: usize = 12;

/// How many places that were not used are kept. More are lost, which does no harm.
const MAX_FREE: usize = 1_024;

/// The list whose places are handed out.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<Option<Open>>);

#[derive(Debug)]
struct Open {
    list: StatusListId,
    drawn_at: Timestamp,
    /// How many places were handed out.
    next: u32,
    /// The place after another one lies this far away. It is odd, so that each place comes once.
    step: u32,
    start: u32,
    /// Places that were handed out and not used.
    free: Vec<u32>,
}

impl Places {
    /// Takes the next place.
    ///
    /// # Errors
    /// If there is no randomness.
    pub(super) fn take(
        &self,
        manager: &TokenManager,
        random: &dyn Random,
    ) -> Result<(StatusListId, u32), RandomUnavailable> {
        let now = manager.now();
        let mut open = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let has_room = |open: &Open| open.next < CAPACITY || !open.free.is_empty();
        let is_open = |open: &Open| has_room(open) && now < open.drawn_at + MAX_AGE;
        let open = match &mut *open {
            Some(open) if is_open(open) => open,
            other => other.insert(Open::draw(manager, now, random)?),
        };
        let index = open.free.pop().unwrap_or_else(|| open.next_index());
        Ok((open.list, index))
    }

    /// Takes a place back that no token has got.
    pub(super) fn put_back(&self, list: StatusListId, index: u32) {
        let mut open = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(open) = open.as_mut().filter(|open| open.list == list)
            && open.free.len() < MAX_FREE
        {
            open.free.push(index);
        }
    }
}

impl Open {
    fn next_index(&mut self) -> u32 {
        let index = self.start.wrapping_add(self.next.wrapping_mul(self.step)) % CAPACITY;
        self.next += 1;
        index
    }

    fn draw(
        manager: &TokenManager,
        drawn_at: Timestamp,
        random: &dyn Random,
    ) -> Result<Self, RandomUnavailable> {
        let mut name = array::<16>(random)?;
        let proof = proof(manager, &name);
        name[RANDOM_BYTES..].copy_from_slice(&proof);
        let [step, start] = [array(random)?, array(random)?].map(u32::from_be_bytes);
        let list = StatusListId::from_bytes(name);
        Ok(Self { list, drawn_at, next: 0, step: step | 1, start, free: Vec::new() })
    }
}

/// Returns the address of a status list.
pub(super) fn list_uri(issuer: &str, list: StatusListId) -> String {
    format!("{}/status-lists/{list}", issuer.trim_end_matches('/'))
}

/// Returns whether a server of the namespace has drawn the name of a list. Other names are answered without a question
/// to the store.
pub(super) fn is_drawn(manager: &TokenManager, list: StatusListId) -> bool {
    list.as_bytes()[RANDOM_BYTES..] == proof(manager, list.as_bytes())
}

fn array<const N: usize>(random: &dyn Random) -> Result<[u8; N], RandomUnavailable> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}

fn proof(manager: &TokenManager, name: &[u8; 16]) -> [u8; 16 - RANDOM_BYTES] {
    let mut digest = Sha256::new_with_prefix(manager.key_for("names of status lists"));
    digest.update(&name[..RANDOM_BYTES]);
    let digest = digest.finalize();
    std::array::from_fn(|place| digest[place])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use keyfob::MemoryStore;
    use keyfob::random::SeededRandom;
    use keyfob_jwt::signing::{SigningAlgorithm, SigningKey};
    use keyfob_jwt::status_list::{StatusList, StatusListToken};

    use super::*;

    /// Half of a list revoked at random is what compresses worst. 10⁷ tokens are in 77 lists.
    #[test]
    fn a_full_list_is_at_most_32_kib_when_it_is_served() {
        let random = SeededRandom::new(1);
        let mut bits = vec![0; CAPACITY as usize / 8];
        random.fill(&mut bits).unwrap();
        let mut list = StatusList::new(CAPACITY);
        let is_set = |index: &u32| bits[*index as usize / 8] & (1 << (index % 8)) != 0;
        for index in (0..CAPACITY).filter(is_set) {
            list.revoke(index);
        }
        let token = StatusListToken {
            uri: "https://tokens.example/status-lists/00000000000000000000000000000000".into(),
            issued_at: Timestamp::from_secs(1_800_000_000),
            expires_at: Some(Timestamp::from_secs(1_800_000_600)),
            ttl: Some(Ttl::from_mins(1)),
            list,
        };
        let key = SigningKey::derive(&[1; 32], SigningAlgorithm::Es256).unwrap();
        let served = token.sign(&key).unwrap().len();
        assert!((16 * 1024..=32 * 1024).contains(&served), "{served}");
    }

    #[test]
    fn each_place_of_a_list_is_taken_once_before_the_next_list_begins() {
        let manager = TokenManager::new(MemoryStore::new().unwrap());
        let (places, random) = (Places::default(), SeededRandom::new(1));
        let take = || places.take(&manager, &random).unwrap();
        let taken: Vec<_> = (0..CAPACITY).map(|_| take()).collect();
        let lists: HashSet<_> = taken.iter().map(|(list, _)| *list).collect();
        let indexes: HashSet<_> = taken.iter().map(|(_, index)| *index).collect();
        assert_eq!((lists.len(), indexes.len()), (1, CAPACITY as usize));
        assert!(indexes.iter().all(|index| *index < CAPACITY));
        // What no token has got is handed out again.
        let (list, index) = taken[7];
        places.put_back(list, index);
        assert_eq!(take(), (list, index));
        let (next, _) = take();
        places.put_back(list, index);
        assert_eq!(take().0, next);
        assert!(!lists.contains(&next) && is_drawn(&manager, next));
        assert!(!is_drawn(&manager, StatusListId::from_bytes([7; 16])));
    }
}
