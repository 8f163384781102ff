//! Counts of tokens, updated with every write, so that the number of tokens is known without a read
//! of all records.
//!
//! Tokens start and end by time alone, without a write. So they are counted by **time bucket**: a
//! range of time, a power of two seconds long, that contains the token's end. A token that has not
//! started yet is also counted in the bucket that contains its start. A reader of the counts
//! compares the buckets with the current time: a bucket is in the future, in the past, or contains
//! the current time. Only for the tokens in the last of these is it not known whether they have
//! ended. A bucket is at most an eighth as long as the life that the token had left when it was
//! counted.

mod span;
mod tallies;

pub use span::TimeBucket;
pub use tallies::{BucketCounts, CountTotals, Tallies};

use keyfob_core::time::Timestamp;
use keyfob_core::token::Kind;

/// How a record is counted.
///
/// A token is counted until its end. Its bucket has three numbers for each kind and client: how many
/// tokens were stored, and how many of these are revoked or exhausted. Each number changes in the step
/// that changes the token:
///
/// | step | effect on the counts |
/// |---|---|
/// | insert, mint | one more is stored; a repetition of the operation counts nothing |
/// | replace or touch that moves the end | one less in the old bucket, one more in the new one |
/// | consume of the last use | one more is exhausted |
/// | revoke | one more is revoked, if it was not revoked before |
/// | advance of a client, or of everything | all stored tokens are revoked; each lane does this together with its epoch |
/// | advance or cascade of a subject or an ancestor | the tokens under the terms in the change are revoked, at least the newest [`BucketCounts::MIN_COUNTED_REVOKED`] of them |
///
/// Tokens that the last row leaves out are counted as active until their end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CountedAs {
    /// The kind of its token.
    pub kind: Kind,
    /// When the token starts, if it has not started yet.
    pub starts_at: Option<Timestamp>,
    /// When the token ends; [`Timestamp::MAX`] is never.
    pub ends_at: Timestamp,
}

/// The buckets that a record is counted in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CountBucket {
    /// The kind of its token.
    pub kind: Kind,
    /// The bucket that contains its end.
    pub end: TimeBucket,
    /// The bucket that contains its start, if it had not started when it was stored.
    pub start: Option<TimeBucket>,
}

/// One of the three numbers of a bucket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CountColumn {
    /// How many were stored.
    Stored,
    /// How many of them are revoked.
    Revoked,
    /// How many of them are exhausted and not revoked.
    Exhausted,
}

impl CountedAs {
    /// Returns the buckets that it is counted in from `now` on.
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
    /// The size in bytes.
    pub const BYTES: usize = 1 + 2 * TimeBucket::BYTES;

    /// Encodes it: its kind, the bucket of its end, and the bucket of its start or zeros. The first byte
    /// is never zero.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let spans = self.spans().flat_map(TimeBucket::to_bytes);
        let all = std::iter::once(1 + self.kind as u8).chain(spans);
        bytes.iter_mut().zip(all).for_each(|(byte, value)| *byte = value);
        bytes
    }

    /// Decodes it, or returns `None` if the bytes are not valid.
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

    /// Returns the time buckets that it is counted in.
    pub fn spans(&self) -> impl Iterator<Item = TimeBucket> + use<> {
        std::iter::once(self.end).chain(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::time::Ttl;

    #[test]
    fn it_decodes_as_encoded_and_zeros_are_not_valid() {
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
