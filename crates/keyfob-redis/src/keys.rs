//! The names of the keys.
//!
//! ```text
//! <ns>:meta                          the description of the namespace
//! <ns>:m{tag}                        a copy of that description, in a cluster
//! <ns>:r{tag}<id>                    a record
//! <ns>:u{tag}<id>                    when its token was last used
//! <ns>:n{tag}<id>                    the note of its revocation
//! <ns>:l{tag}                        the lane: its sequence and its epochs
//! <ns>:i{tag}<field><digest><class>  the head of an index; chunks and directory add to the name
//! <ns>:e{tag}  <ns>:o{tag}           events, observations
//! <ns>:c{tag}<time bucket>           the counts of a time bucket; all of its tokens are revoked if the
//!                                    first bytes of an operation follow
//! <ns>:c{tag}  <ns>:c{tag}s          the directory of the count buckets; a sample token of each client
//! <ns>:a{tag}<operation>             the answer of an operation, until its deadline
//! <ns>:w{tag}                        unfinished advances over all lanes that this lane has applied
//! <ns>:q{tag}<digest>                the debt of a rate limit's key
//! <ns>:p{tag}                        a key to write before waiting for replicas
//! <ns>:x{tag}<change>                a signal: deleted in the step that sets it
//! <ns>:x{tag}                        the mark of a lane, in a cluster
//! <ns>:d{tag}<namespace>             documents of the service, in the first lane
//! <ns>:d{tag}<namespace>n            their names
//! ```
//! The letter of the kind of key comes first, so that one prefix names these keys in all lanes (for access
//! lists). Then comes the tag that decides the slot. An id is the ten bytes that are unique in a lane. A
//! digest is cut to eight bytes. If two digests clash, a list has one token too many, and readers check
//! for that.

use keyfob_limit::LimitKey;
use keyfob_store::{Lane, LaneCount, OperationId, Term, TermField, TimeBucket, TokenId};

use crate::protocol::constants::{CLASS_BASE, CLASS_COUNT, FIRST_CLASS_LETTER, counts};
use crate::slot;

/// The names of the keys of one namespace.
#[derive(Debug)]
pub(crate) struct Keys {
    namespace: String,
    lanes: Vec<LaneKeys>,
}

#[derive(Debug)]
struct LaneKeys {
    tag: String,
    slot: u16,
}

impl Keys {
    pub(crate) fn new(namespace: &str, lanes: LaneCount) -> Self {
        let with_slot = |tag: String| LaneKeys { slot: slot::slot_of(tag.as_bytes()), tag };
        let lanes = slot::lane_tags(lanes).into_iter().map(with_slot).collect();
        Self { namespace: namespace.to_owned(), lanes }
    }

    pub(crate) fn meta(namespace: &str) -> Vec<u8> {
        format!("{namespace}:meta").into_bytes()
    }

    /// The copy of the meta key in a lane's slot. Only a cluster has copies.
    pub(crate) fn meta_copy(&self, lane: Lane) -> Vec<u8> {
        self.prefix('m', lane)
    }

    fn at(&self, lane: Lane) -> &LaneKeys {
        // An id of another namespace may name a lane that this one does not have. No record is found then.
        &self.lanes[usize::from(lane.number()) % self.lanes.len()]
    }

    /// The slot of all keys of a lane.
    pub(crate) fn slot(&self, lane: Lane) -> u16 {
        self.at(lane).slot
    }

    fn key(&self, class: char, lane: Lane, rest: &[u8]) -> Vec<u8> {
        let mut key = self.prefix(class, lane);
        key.extend_from_slice(rest);
        key
    }

    /// What all keys of one kind in a lane start with.
    pub(crate) fn prefix(&self, class: char, lane: Lane) -> Vec<u8> {
        let tag = &self.at(lane).tag;
        let mut key = Vec::with_capacity(self.namespace.len() + tag.len() + 24);
        key.extend_from_slice(self.namespace.as_bytes());
        key.extend_from_slice(&[b':', class as u8, b'{']);
        key.extend_from_slice(tag.as_bytes());
        key.push(b'}');
        key
    }

    pub(crate) fn record(&self, id: TokenId) -> Vec<u8> {
        self.key('r', id.lane(), &id.local())
    }

    pub(crate) fn last_use(&self, id: TokenId) -> Vec<u8> {
        self.key('u', id.lane(), &id.local())
    }

    pub(crate) fn note(&self, id: TokenId) -> Vec<u8> {
        self.key('n', id.lane(), &id.local())
    }

    pub(crate) fn lane(&self, lane: Lane) -> Vec<u8> {
        self.prefix('l', lane)
    }

    pub(crate) fn events(&self, lane: Lane) -> Vec<u8> {
        self.prefix('e', lane)
    }

    pub(crate) fn observations(&self, lane: Lane) -> Vec<u8> {
        self.prefix('o', lane)
    }

    /// The count buckets that a lane has, and what the keys of the buckets start with.
    pub(crate) fn count_directory(&self, lane: Lane) -> Vec<u8> {
        self.prefix('c', lane)
    }

    /// One token of each client that is counted in a lane.
    pub(crate) fn count_samples(&self, lane: Lane) -> Vec<u8> {
        self.key('c', lane, counts::SAMPLES.as_bytes())
    }

    /// The counts of one time bucket.
    pub(crate) fn count_bucket(&self, lane: Lane, bucket: TimeBucket) -> Vec<u8> {
        self.key('c', lane, &bucket.to_bytes())
    }

    /// The debt of a rate limit's key. The keys are spread over the lanes by their digest.
    pub(crate) fn limit(&self, key: LimitKey) -> Vec<u8> {
        self.key('q', self.lane_of(key), key.as_bytes())
    }

    pub(crate) fn limit_slot(&self, key: LimitKey) -> u16 {
        self.slot(self.lane_of(key))
    }

    fn lane_of(&self, key: LimitKey) -> Lane {
        Lane::new((key.spread() % self.lanes.len() as u64) as u16)
    }

    /// The advances over all lanes that are unfinished, as far as a lane was reached.
    pub(crate) fn unfinished_advances(&self, lane: Lane) -> Vec<u8> {
        self.prefix('w', lane)
    }

    pub(crate) fn ping(&self, lane: Lane) -> Vec<u8> {
        self.prefix('p', lane)
    }

    /// The mark of a lane that heartbeats write: a signal of nothing. See [`crate::feed`].
    pub(crate) fn mark(&self, lane: Lane) -> Vec<u8> {
        self.signal(lane, b"")
    }

    /// The signal of a change in a lane; see [`crate::feed`].
    pub(crate) fn signal(&self, lane: Lane, change: &[u8]) -> Vec<u8> {
        self.key('x', lane, change)
    }

    /// What all signals of the namespace start with.
    pub(crate) fn signals(&self) -> Vec<u8> {
        format!("{}:x{{", self.namespace).into_bytes()
    }

    /// Returns the lane that has a hash tag.
    pub(crate) fn lane_of_tag(&self, tag: &[u8]) -> Option<Lane> {
        let number = self.lanes.iter().position(|lane| lane.tag.as_bytes() == tag)?;
        u16::try_from(number).ok().map(Lane::new)
    }

    pub(crate) fn answer(&self, lane: Lane, operation: OperationId) -> Vec<u8> {
        self.key('a', lane, operation.as_bytes())
    }

    /// The documents of the service. The tag of the namespace tells them from those of a former one.
    pub(crate) fn documents(&self, lane: Lane, namespace: &[u8]) -> Vec<u8> {
        self.key('d', lane, namespace)
    }

    /// The names of the documents, in order.
    pub(crate) fn document_names(&self, lane: Lane, namespace: &[u8]) -> Vec<u8> {
        [self.documents(lane, namespace).as_slice(), b"n"].concat()
    }

    /// The head of a term's index in a lane, without a lifetime class.
    pub(crate) fn head(&self, lane: Lane, term: Term) -> Vec<u8> {
        let mut key = self.key('i', lane, &[field_letter(term.field())]);
        if !matches!(term.field(), TermField::All | TermField::SessionIndex) {
            key.extend_from_slice(&term.digest()[..8]);
        }
        key
    }

    /// The head that lists a record with this number of seconds left to live.
    pub(crate) fn head_for(&self, lane: Lane, term: Term, life_secs: u64) -> Vec<u8> {
        let mut key = self.head(lane, term);
        if term.field().is_broad() {
            key.push(class_letter(life_class(life_secs)));
        }
        key
    }

    /// Every head of a term in a lane.
    pub(crate) fn heads(&self, lane: Lane, term: Term) -> Vec<Vec<u8>> {
        let head = self.head(lane, term);
        if !term.field().is_broad() {
            return vec![head];
        }
        let with_class = |class| [head.as_slice(), &[class_letter(class)]].concat();
        // The longest-lived first: if a term lists few tokens, most of them are there.
        (0..CLASS_COUNT).rev().map(with_class).collect()
    }
}

/// Returns the bytes of an id that are not in its keys.
pub(crate) fn id_suffix(id: TokenId) -> [u8; 6] {
    let mut suffix = [0; 6];
    suffix.copy_from_slice(&id.as_bytes()[TokenId::LOCAL_BYTES..]);
    suffix
}

fn life_class(life_secs: u64) -> u8 {
    let class = life_secs.checked_ilog2().unwrap_or(0) / CLASS_BASE.ilog2();
    (class as u8).min(CLASS_COUNT - 1)
}

fn class_letter(class: u8) -> u8 {
    FIRST_CLASS_LETTER + class
}

fn field_letter(field: TermField) -> u8 {
    match field {
        TermField::All => b'a',
        TermField::Subject => b's',
        TermField::Client => b'c',
        TermField::Device => b'd',
        TermField::Tag => b't',
        TermField::Label => b'l',
        TermField::Family => b'f',
        TermField::App => b'p',
        TermField::SessionIndex => b'r',
        TermField::StatusList => b'j',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_powers_of_four() {
        let classes = [0, 1, 3, 4, 15, 16, 3600, 30 * 86_400, u64::MAX].map(life_class);
        assert_eq!(classes, [0, 0, 0, 1, 1, 2, 5, 10, 14]);
    }

    #[test]
    fn all_keys_of_a_lane_lie_in_its_slot() {
        let keys = Keys::new("keyfob", LaneCount::DEFAULT);
        for lane in LaneCount::DEFAULT.lanes() {
            for key in [keys.lane(lane), keys.events(lane), keys.observations(lane)] {
                assert_eq!(slot::slot_of(&key), keys.slot(lane));
            }
        }
    }
}
