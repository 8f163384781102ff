//! The status lists that a verifier keeps.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyfob_jwt::status_list::StatusListToken;

use super::freshness::{Freshness, Moment};
use super::slot::Slot;

/// How many lists are kept. One of keyfob takes 16 KiB.
const MAX_LISTS: usize = 256;
/// For how long a list counts that does not say it.
const DEFAULT_TTL: Duration = Duration::from_secs(60);

/// The lists by address.
#[derive(Debug, Default)]
pub(super) struct Lists(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_uri: HashMap<String, Entry>,
    /// Counts requests, to tell which list was asked for last.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    slot: Arc<Slot<StatusListToken>>,
    asked: u64,
}

impl Lists {
    /// Returns the place of a list. The list that was not asked for the longest makes room.
    pub(super) fn slot(&self, uri: &str) -> Arc<Slot<StatusListToken>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let asked = kept.clock;
        if let Some(entry) = kept.by_uri.get_mut(uri) {
            entry.asked = asked;
            return Arc::clone(&entry.slot);
        }
        if kept.by_uri.len() >= MAX_LISTS {
            let oldest = kept.by_uri.iter().min_by_key(|(_, entry)| entry.asked);
            if let Some(uri) = oldest.map(|(uri, _)| uri.clone()) {
                kept.by_uri.remove(&uri);
            }
        }
        let slot = Arc::new(Slot::default());
        kept.by_uri.insert(uri.to_owned(), Entry { slot: Arc::clone(&slot), asked });
        slot
    }
}

/// Why a list that was fetched does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum NotTaken {
    /// `sub` is not the address that the token names.
    #[error("the status list is another one")]
    Other,
    /// `exp` is over.
    #[error("the status list has ended")]
    Ended,
}

/// Takes a list that the issuer has signed, and returns for how long it is used.
///
/// A bit that was set stays set: a cache may have answered with a list that was made before the revocation.
pub(super) fn take(
    mut list: StatusListToken,
    uri: &str,
    before: Option<&StatusListToken>,
    now: Moment,
    grace: Duration,
) -> Result<(StatusListToken, Freshness), NotTaken> {
    if list.uri != uri {
        return Err(NotTaken::Other);
    }
    if !list.is_current(now.wall) {
        return Err(NotTaken::Ended);
    }
    if let Some(before) = before {
        list.list.merge(&before.list);
    }
    let ttl = list.ttl.map_or(DEFAULT_TTL, |ttl| ttl.as_duration());
    let end = list.expires_at.map(|end| end.as_millis().saturating_sub(now.wall.as_millis()));
    let end = end.map_or(Duration::MAX, Duration::from_millis);
    let freshness = Freshness {
        refresh_after: ttl / 4 * 3,
        stale_after: ttl,
        useless_after: ttl.saturating_add(grace).min(end),
    };
    Ok((list, freshness))
}

#[cfg(test)]
mod tests {
    use keyfob::{Timestamp, Ttl};
    use keyfob_jwt::status_list::StatusList;

    use super::*;

    const URI: &str = "https://tokens.example/status-lists/a";
    const NOW: Moment =
        Moment { wall: Timestamp::from_secs(1_000), monotonic: Duration::from_secs(1) };
    const GRACE: Duration = Duration::from_secs(30);

    fn list(revoked: &[u32]) -> StatusListToken {
        let mut list = StatusList::new(64);
        for index in revoked {
            assert!(list.revoke(*index));
        }
        StatusListToken {
            uri: URI.into(),
            issued_at: Timestamp::from_secs(990),
            expires_at: Some(Timestamp::from_secs(1_600)),
            ttl: Some(Ttl::from_secs(60)),
            list,
        }
    }

    #[test]
    fn a_list_is_used_for_its_ttl_and_the_grace_and_not_after_its_end() {
        let freshness = |list| take(list, URI, None, NOW, GRACE).map(|(_, freshness)| freshness);
        let secs = Duration::from_secs;
        let of = |useless_after| Freshness {
            refresh_after: secs(45),
            stale_after: secs(60),
            useless_after,
        };
        assert_eq!(freshness(list(&[])), Ok(of(secs(90))));
        let ends = |at| StatusListToken { expires_at: Some(Timestamp::from_secs(at)), ..list(&[]) };
        assert_eq!(freshness(ends(1_010)), Ok(of(secs(10))));
        assert_eq!(freshness(ends(1_000)), Err(NotTaken::Ended));
        let silent = StatusListToken { expires_at: None, ttl: None, ..list(&[]) };
        assert_eq!(freshness(silent), Ok(of(secs(90))));
    }

    #[test]
    fn a_list_for_another_address_is_not_taken() {
        let other = StatusListToken { uri: format!("{URI}b"), ..list(&[]) };
        assert_eq!(take(other, URI, None, NOW, GRACE), Err(NotTaken::Other));
    }

    #[test]
    fn a_bit_that_was_set_stays_set() {
        let before = list(&[7]);
        let (taken, _) = take(list(&[9]), URI, Some(&before), NOW, GRACE).unwrap();
        assert_eq!(taken.list, list(&[7, 9]).list);
    }

    #[test]
    fn the_list_that_was_not_asked_for_the_longest_makes_room() {
        let lists = Lists::default();
        let first = lists.slot("0");
        let second = lists.slot("1");
        for number in 2..MAX_LISTS {
            lists.slot(&number.to_string());
        }
        assert!(Arc::ptr_eq(&first, &lists.slot("0")));
        lists.slot("another");
        assert!(Arc::ptr_eq(&first, &lists.slot("0")));
        assert!(!Arc::ptr_eq(&second, &lists.slot("1")));
    }
}
