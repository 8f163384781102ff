//! Counts of tokens, kept as they are written, so that nobody has to walk to tell how many there
//! are.
//!
//! Tokens begin and end by time alone, with nothing being written. So they are counted by **span**:
//! a stretch of time, of a power of two of seconds, that the token's end lies in, and if it has yet
//! to begin another one that its beginning lies in. Whoever reads the counts knows from the time
//! which spans are still to come, which are over, and in which one the present is; only of those in
//! the last it is not known whether their time has come. A span is at most an eighth of the life
//! that was left when the token was counted.

mod span;
mod tallies;

pub use span::TimeBucket;
pub use tallies::{BucketCounts, CountTotals};

use keyfob_core::time::Timestamp;
use keyfob_core::token::Kind;

/// What a record is counted by.
///
/// A token is counted until its end. Within its span there are three numbers for each kind and
/// client: how many were stored, and how many of these are revoked or exhausted. Each changes in the
/// step that changes the token:
///
/// | step | what is counted |
/// |---|---|
/// | insert, mint | one more is stored; a sending of the same operation again counts nothing |
/// | replace, touch, with an end that has moved | one less in the span before, one more in the other |
/// | spend of the last use | one more is exhausted |
/// | revoke | one more is revoked, if it was not before |
/// | advance of a client, or of all | all that are stored are revoked: each lane does so with its epoch |
/// | advance or cascade of a subject or an ancestor | those are revoked that are listed where the change says, at least the newest [`BucketCounts::COUNTED_OUT`] of them |
///
/// What the last line leaves out is counted as active until its time is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CountedAs {
    /// The kind of its token.
    pub kind: Kind,
    /// When the token begins, if it has yet to.
    pub starts_at: Option<Timestamp>,
    /// When the token ends; [`Timestamp::MAX`] is never.
    pub ends_at: Timestamp,
}

/// Where a record is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CountBucket {
    /// The kind of its token.
    pub kind: Kind,
    /// The span that its end lies in.
    pub end: TimeBucket,
    /// The span that its beginning lies in, if it had yet to begin when it was stored.
    pub start: Option<TimeBucket>,
}

/// Which of the numbers of a span.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CountColumn {
    /// How many were stored.
    Stored,
    /// How many of them are revoked.
    Revoked,
    /// How many of them have spent their uses, and are not revoked.
    Exhausted,
}

impl CountedAs {
    /// Where it is counted from `now` on.
    pub fn place(&self, now: Timestamp) -> CountBucket {
        let start = self.starts_at.filter(|start| now < *start);
        CountBucket {
            kind: self.kind,
            end: TimeBucket::of_end(self.ends_at, now),
            start: start.map(|start| TimeBucket::of_start(start, now)),
        }
    }
}

impl CountBucket {
    /// How many bytes a place has.
    pub const BYTES: usize = 1 + 2 * TimeBucket::BYTES;

    /// Its bytes, of which the first is never nought: its kind, the span of its end, and that of its
    /// beginning, or noughts.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let spans = self.spans().flat_map(TimeBucket::to_bytes);
        let all = std::iter::once(1 + self.kind as u8).chain(spans);
        bytes.iter_mut().zip(all).for_each(|(byte, value)| *byte = value);
        bytes
    }

    /// The place with these bytes; `None` if there is no such.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let (kind, spans) = bytes.split_first()?;
        let kind = Kind::ALL.get(usize::from(kind.checked_sub(1)?))?;
        let (end, start) = spans.split_first_chunk()?;
        let start: &[u8; TimeBucket::BYTES] = start.first_chunk()?;
        let start = if *start == [0; TimeBucket::BYTES] {
            None
        } else {
            Some(TimeBucket::from_bytes(*start)?)
        };
        Some(Self { kind: *kind, end: TimeBucket::from_bytes(*end)?, start })
    }

    /// The spans that it is counted in.
    pub fn spans(&self) -> impl Iterator<Item = TimeBucket> + use<> {
        std::iter::once(self.end).chain(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::time::Ttl;

    #[test]
    fn a_place_reads_back_and_noughts_are_none() {
        let now = Timestamp::from_millis(1_795_000_000_000);
        for kind in Kind::ALL {
            for starts_at in [None, Some(now + Ttl::from_secs(3))] {
                let counted = CountedAs { kind, starts_at, ends_at: now + Ttl::from_days(30) };
                let place = counted.place(now);
                assert_eq!(place.start.is_some(), starts_at.is_some());
                assert_eq!(CountBucket::from_bytes(&place.to_bytes()), Some(place));
            }
        }
        assert_eq!(CountBucket::from_bytes(&[0; CountBucket::BYTES]), None);
        assert_eq!(CountBucket::from_bytes(&[u8::MAX; CountBucket::BYTES]), None);
    }
}
