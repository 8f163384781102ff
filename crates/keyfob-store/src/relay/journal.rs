//! What one node has seen of the invalidation feed, in order.

use std::collections::VecDeque;
use std::time::Duration;

use keyfob_core::id::Lane;
use keyfob_core::monotonic::MonotonicInstant;

use crate::{Coverage, Invalidation};

/// The random id of a journal. A node draws one when it begins its journal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct JournalId(pub [u8; 8]);

/// Where a follower stands: what it asks a journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Since {
    /// The journal of the last beat, and the number of the last change in it.
    pub after: Option<(JournalId, u64)>,
    /// How long ago the follower had seen all changes. Another journal answers with what is newer.
    pub ago: Duration,
}

/// What a journal tells a follower.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Beat {
    /// The fingerprint of the namespace: see [`Namespace::fingerprint`](crate::Namespace::fingerprint).
    pub namespace: [u8; 16],
    /// The journal.
    pub journal: JournalId,
    /// The number of its last change.
    pub number: u64,
    /// Whether the changes are all of those after [`Since::after`].
    pub is_continuous: bool,
    /// The changes are all of those that were made so long before the answer. If the beat is
    /// continuous, it does not matter.
    pub covers: Duration,
    /// For how long the answer was held back.
    pub held: Duration,
    /// Changes of the time so long before the answer may be missing.
    pub age: Duration,
    /// The lanes of which nothing is known.
    pub distrusted: Vec<Lane>,
    /// The changes, the oldest first.
    pub changes: Vec<(Lane, Invalidation)>,
}

/// The last changes that one node has seen.
#[derive(Debug)]
pub struct Journal {
    id: JournalId,
    namespace: [u8; 16],
    changes: VecDeque<Change>,
    /// The number of the last change.
    last: u64,
    /// Every change that was seen from this instant on is here.
    complete_from: MonotonicInstant,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    at: MonotonicInstant,
    lane: Lane,
    what: Invalidation,
}

impl Journal {
    /// How many changes a journal keeps.
    pub const CAPACITY: usize = 1 << 16;
    /// How many changes one beat has at most. With more, the follower drops what it has.
    pub const MAX_CHANGES: usize = 1 << 12;
    /// How much further back an answer goes than was asked for: the time that the question took to
    /// arrive is not known.
    const MARGIN: Duration = Duration::from_secs(2);

    /// Begins a journal. From `now` on, every change must be recorded.
    pub fn new(id: JournalId, namespace: [u8; 16], now: MonotonicInstant) -> Self {
        Self { id, namespace, changes: VecDeque::new(), last: 0, complete_from: now }
    }

    /// Adds a change that was seen at `now`.
    pub fn record(&mut self, now: MonotonicInstant, lane: Lane, what: Invalidation) {
        if self.changes.len() >= Self::CAPACITY
            && let Some(oldest) = self.changes.pop_front()
        {
            // Others may have been seen at the same instant.
            self.complete_from = oldest.at.after(Duration::from_nanos(1));
        }
        self.changes.push_back(Change { at: now, lane, what });
        self.last += 1;
    }

    /// Returns whether a beat would have changes for a follower that has seen those up to `after`.
    pub fn has_news(&self, after: Option<(JournalId, u64)>) -> bool {
        after != Some((self.id, self.last))
    }

    /// Answers a follower whose question arrived at `asked`. `coverage` is that of the listener, and was
    /// read before the journal is.
    pub fn beat(
        &self,
        since: &Since,
        coverage: &Coverage,
        asked: MonotonicInstant,
        now: MonotonicInstant,
    ) -> Beat {
        let mut beat = Beat {
            namespace: self.namespace,
            journal: self.id,
            number: self.last,
            is_continuous: false,
            covers: Duration::ZERO,
            held: now.since(asked),
            age: now.since(coverage.until),
            distrusted: coverage.distrusted.clone(),
            changes: Vec::new(),
        };
        let news = since.after.and_then(|(id, number)| self.news_after(id, number));
        if let Some(news) = news {
            let first = self.changes.len() - news;
            beat.is_continuous = true;
            beat.changes = self.changes.range(first..).map(Change::reported).collect();
            return beat;
        }
        let back = since.ago.saturating_add(Self::MARGIN);
        let from = asked.before(back).max(self.complete_from);
        let first = self.changes.partition_point(|change| change.at < from);
        if self.changes.len() - first <= Self::MAX_CHANGES {
            beat.covers = now.since(from);
            beat.changes = self.changes.range(first..).map(Change::reported).collect();
        }
        beat
    }

    /// Returns how many changes came after this one, if they are all here, and not too many.
    fn news_after(&self, id: JournalId, number: u64) -> Option<usize> {
        let news = self.last.checked_sub(number).filter(|_| id == self.id)?;
        let news = usize::try_from(news).ok()?;
        (news <= self.changes.len().min(Self::MAX_CHANGES)).then_some(news)
    }
}

impl Change {
    fn reported(&self) -> (Lane, Invalidation) {
        (self.lane, self.what)
    }
}
