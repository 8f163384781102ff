//! Whether the servers still hold the namespace that this node opened.
//!
//! The identity of a namespace is its key, which is in the meta key. If all data is lost, the next
//! node that connects creates the namespace again, with another key. A node that continued with the
//! former key would not find what the others revoke. So each node compares the meta key with what
//! it opened, at least as often as the maximum staleness asks, and decides nothing while they
//! differ.
//!
//! In a cluster the meta key is on one shard. So each lane has a **copy** of it in its own slot, and a
//! node that sees the copy has seen the namespace in that lane. The meta key decides which namespace
//! exists. A copy that is missing or different is written again by a node that has just seen the meta
//! key; see `store/meta_copies.rs`.
//!
//! A script cannot read the meta key, which is in the slot of one lane at best. So each lane has a
//! **tag**: the first bytes of the namespace's fingerprint. Scripts compare it, and do not create a
//! lane for a node that has not just seen its namespace.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keyfob_store::{Lane, Metrics, MonotonicInstant, Namespace, StoreError, Ttl};
use tokio::sync::Notify;
use zeroize::Zeroizing;

/// The length of a lane's tag.
const TAG_BYTES: usize = 8;

/// For how long after the namespace was seen a script may create a lane.
pub(crate) const CREATE_LANE_WITHIN: Ttl = Ttl::saturating_from_millis(500);

/// For how long after the namespace was seen this node refuses ids of other namespaces by itself.
const CERTAIN_FOR: Duration = Duration::from_secs(2);

/// Knows the namespace that this node opened, and whether the servers hold it.
pub(crate) struct NamespaceGuard {
    /// The store, for errors.
    what: String,
    meta_key: Vec<u8>,
    /// The value of the meta key.
    meta: Zeroizing<Vec<u8>>,
    tag: [u8; TAG_BYTES],
    state: AtomicU8,
    /// When the question was sent that the state is the answer to.
    judged: Mutex<MonotonicInstant>,
    /// When the last question was sent whose answer was the namespace, in nanoseconds.
    seen: AtomicU64,
    /// The same for the copy of each lane.
    copies_seen: Vec<AtomicU64>,
    /// Whether a copy was found to be missing or different.
    needs_copies: AtomicBool,
    /// The current state must be checked again without delay.
    lost: Notify,
    metrics: Metrics,
}

/// What the servers hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum NamespaceState {
    /// The namespace that this node opened.
    Present,
    /// No namespace of this name, and this node has seen none.
    Absent,
    /// The namespace that this node opened is gone.
    Missing,
    /// A namespace of this name that is not the one that this node opened.
    Replaced,
}

impl NamespaceGuard {
    /// Guards a namespace whose meta key was read by a request that was sent at `seen`.
    pub(crate) fn new(
        what: String,
        meta_key: Vec<u8>,
        meta: Zeroizing<Vec<u8>>,
        namespace: &Namespace,
        seen: MonotonicInstant,
        metrics: Metrics,
    ) -> Self {
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&namespace.fingerprint()[..TAG_BYTES]);
        Self {
            what,
            meta_key,
            meta,
            tag,
            state: AtomicU8::new(NamespaceState::Present as u8),
            judged: Mutex::new(seen),
            seen: AtomicU64::new(seen.as_nanos()),
            copies_seen: namespace.lanes().lanes().map(|_| AtomicU64::new(0)).collect(),
            needs_copies: AtomicBool::new(false),
            lost: Notify::new(),
            metrics,
        }
    }

    /// Sets what the servers held first. A node that may not create the namespace may find none.
    pub(crate) fn in_state(self, state: NamespaceState) -> Self {
        self.state.store(state as u8, Ordering::Release);
        self
    }

    pub(crate) fn meta_key(&self) -> &[u8] {
        &self.meta_key
    }

    pub(crate) fn meta(&self) -> &[u8] {
        &self.meta
    }

    /// The tag of the namespace's lanes.
    pub(crate) fn tag(&self) -> &[u8] {
        &self.tag
    }

    /// Returns whether this is the tag of a lane of another namespace. A lane without a tag was written by an
    /// older version.
    pub(crate) fn is_foreign(&self, tag: Option<&[u8]>) -> bool {
        tag.is_some_and(|tag| tag != self.tag)
    }

    /// Notes what the meta key held when a request read it that was sent at `sent`.
    pub(crate) fn note(&self, found: Option<&[u8]>, sent: MonotonicInstant) -> NamespaceState {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        if sent < *judged {
            // A later question was answered first.
            return self.state();
        }
        *judged = sent;
        let state = match found {
            Some(found) if found == self.meta.as_slice() => NamespaceState::Present,
            Some(_) => NamespaceState::Replaced,
            None if self.state() == NamespaceState::Absent => NamespaceState::Absent,
            None => NamespaceState::Missing,
        };
        if state == NamespaceState::Present {
            self.seen.store(sent.as_nanos(), Ordering::Release);
        }
        let before = self.state.swap(state as u8, Ordering::AcqRel);
        if before != state as u8 {
            self.report_change(before == NamespaceState::Present as u8, state);
        }
        state
    }

    fn report_change(&self, was_present: bool, state: NamespaceState) {
        match state {
            NamespaceState::Present => {
                self.metrics.namespace_lost(false);
                tracing::warn!(store = self.what, "the store holds this node's namespace again");
            }
            NamespaceState::Absent | NamespaceState::Missing | NamespaceState::Replaced => {
                if was_present {
                    self.metrics.namespace_lost(true);
                }
                let code = "namespace_lost";
                tracing::error!(store = self.what, code, "{}", state.advice());
                self.lost.notify_one();
            }
        }
    }

    pub(crate) fn state(&self) -> NamespaceState {
        match self.state.load(Ordering::Acquire) {
            state if state == NamespaceState::Present as u8 => NamespaceState::Present,
            state if state == NamespaceState::Absent as u8 => NamespaceState::Absent,
            state if state == NamespaceState::Missing as u8 => NamespaceState::Missing,
            _ => NamespaceState::Replaced,
        }
    }

    /// Checks what is known. Asks no server.
    ///
    /// # Errors
    /// [`StoreError::NamespaceLost`] if the servers did not hold the namespace the last time.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.state() {
            NamespaceState::Present => Ok(()),
            lost => Err(StoreError::NamespaceLost {
                what: self.what.clone(),
                detail: lost.advice().to_owned(),
            }),
        }
    }

    /// Notes what the copies of some lanes, which are on one server, held when a request read one of them
    /// that was sent at `sent`. Returns whether it was this namespace.
    pub(crate) fn note_copy(
        &self,
        lanes: &[Lane],
        found: Option<&[u8]>,
        sent: MonotonicInstant,
    ) -> bool {
        if found != Some(self.meta.as_slice()) {
            // The meta key decides.
            self.needs_copies.store(true, Ordering::Release);
            self.lost.notify_one();
            return false;
        }
        for lane in lanes {
            if let Some(seen) = self.copies_seen.get(usize::from(lane.number())) {
                seen.fetch_max(sent.as_nanos(), Ordering::AcqRel);
            }
        }
        true
    }

    /// Asks for copies to be written where there are none.
    pub(crate) fn request_copies(&self) {
        self.needs_copies.store(true, Ordering::Release);
        self.lost.notify_one();
    }

    /// Returns whether a copy was found to be missing or different since the last call.
    pub(crate) fn take_copies_request(&self) -> bool {
        self.needs_copies.swap(false, Ordering::AcqRel)
    }

    /// Returns whether the servers held the namespace the last time, a moment ago. Without a listener, that is
    /// looked up once a second.
    pub(crate) fn is_certain(&self) -> bool {
        // While one copy is there, no other namespace is created.
        let copies = self.copies_seen.iter().map(|seen| seen.load(Ordering::Acquire)).max();
        let seen = self.seen.load(Ordering::Acquire).max(copies.unwrap_or_default());
        self.state() == NamespaceState::Present
            && MonotonicInstant::now() < MonotonicInstant::from_nanos(seen).after(CERTAIN_FOR)
    }

    /// The last time at which the servers certainly held the namespace, in a lane.
    pub(crate) fn last_seen(&self, lane: Lane) -> MonotonicInstant {
        let copy = self.copies_seen.get(usize::from(lane.number()));
        let copy = copy.map_or(0, |seen| seen.load(Ordering::Acquire));
        MonotonicInstant::from_nanos(self.seen.load(Ordering::Acquire).max(copy))
    }

    /// The last time at which the meta key was seen.
    pub(crate) fn meta_seen(&self) -> MonotonicInstant {
        MonotonicInstant::from_nanos(self.seen.load(Ordering::Acquire))
    }

    /// Waits until the namespace is found to be gone or replaced, or a copy to be missing or different.
    pub(crate) async fn lost(&self) {
        self.lost.notified().await;
    }
}

impl NamespaceState {
    /// What the state means, and what to do about it.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Present => "the namespace is the one that this node opened",
            Self::Absent => {
                "there is no namespace of this name here. The first command or service that writes \
                 creates it, such as 'keyfob issue'. If there was one, the store came back empty, or \
                 this is another store: check the address and ?namespace=NAME"
            }
            Self::Missing => {
                "its meta key is gone: the store came back empty, or lost a part of its data. This node \
                 decides nothing. Restore the data from a backup, or stop all nodes and start them again, \
                 which begins a new namespace without the old tokens; when_emptied=recreate in the URL \
                 lets nodes continue by themselves"
            }
            Self::Replaced => {
                "another namespace has its name: the store came back empty and another process created \
                 the namespace again, or the address leads to another store. This node decides nothing, \
                 also with when_emptied=recreate: it does not overwrite a namespace. Check the address; \
                 if the new namespace is to stay, start this node again"
            }
        }
    }
}

impl std::fmt::Debug for NamespaceGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NamespaceGuard").field("state", &self.state()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use keyfob_store::{LaneCount, NamespaceKey};

    use super::*;

    /// A guard that saw the meta key at 5 ns.
    fn guard_of(namespace: &Namespace) -> NamespaceGuard {
        let meta = Zeroizing::new(b"meta".to_vec());
        let seen = MonotonicInstant::from_nanos(5);
        NamespaceGuard::new("store".into(), b"k".to_vec(), meta, namespace, seen, Metrics::none())
    }

    #[test]
    fn only_the_same_meta_key_counts() {
        let namespace = Namespace::new(LaneCount::ONE, NamespaceKey::from_bytes([1; 32]));
        let at = MonotonicInstant::from_nanos;
        let guard = guard_of(&namespace);
        assert!(guard.check().is_ok());
        assert_eq!(guard.note(Some(b"meta"), at(9)), NamespaceState::Present);
        assert_eq!(
            guard.note(None, at(7)),
            NamespaceState::Present,
            "a later answer was there first"
        );
        assert_eq!(guard.last_seen(Lane::default()), at(9));
        for (found, state) in
            [(None, NamespaceState::Missing), (Some(&b"other"[..]), NamespaceState::Replaced)]
        {
            assert_eq!(guard.note(found, at(11)), state);
            assert_eq!(guard.check().unwrap_err().code(), "namespace_lost");
            assert_eq!(guard.last_seen(Lane::default()), at(9));
        }
        assert!(
            guard.note(Some(b"meta"), at(12)) == NamespaceState::Present && guard.check().is_ok()
        );
        assert!(!guard.is_foreign(None) && !guard.is_foreign(Some(guard.tag())));
        assert!(guard.is_foreign(Some(b"other")));
    }

    #[test]
    fn a_copy_counts_for_its_lanes_and_a_different_one_is_looked_at() {
        let lanes = LaneCount::new(3).unwrap();
        let namespace = Namespace::new(lanes, NamespaceKey::from_bytes([1; 32]));
        let at = MonotonicInstant::from_nanos;
        let guard = guard_of(&namespace);
        let [one, two, three] = [0, 1, 2].map(Lane::new);
        assert!(guard.note_copy(&[one, two], Some(b"meta"), at(9)));
        assert!(guard.note_copy(&[one], Some(b"meta"), at(7)), "an earlier question counts too");
        assert_eq!([one, two, three].map(|lane| guard.last_seen(lane)), [at(9), at(9), at(5)]);
        assert_eq!(guard.meta_seen(), at(5));
        assert!(!guard.take_copies_request());
        for found in [None, Some(&b"other"[..])] {
            assert!(!guard.note_copy(&[three], found, at(11)));
            assert_eq!(guard.last_seen(three), at(5));
            assert!(guard.check().is_ok(), "only the meta key shows that the namespace is gone");
            assert!(guard.take_copies_request() && !guard.take_copies_request());
        }
    }
}
