//! The logs of events and of observations, and the cursors to read them with.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use keyfob_core::field::Field;
use keyfob_core::id::Lane;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::time::Timestamp;

/// Which log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Feed {
    /// Events: each entry was written together with the change that it describes.
    Events,
    /// Observations: refusals, expiries, sampled uses.
    Observations,
}

/// How far a reader of a log has read: a position in each lane. Lanes are independent of each other,
/// so no entry of a slow lane is skipped.
///
/// Its text form is opaque and safe in a URL. `start` is the beginning of what is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cursor(BTreeMap<Lane, LanePosition>);

/// A position in one lane of a log. Later entries have greater positions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct LanePosition {
    /// Milliseconds by the store's clock.
    pub millis: u64,
    /// The number of the entry within that millisecond.
    pub number: u64,
}

/// One entry of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its lane.
    pub lane: Lane,
    /// Its position in the lane.
    pub position: LanePosition,
    /// The encoded entry.
    pub body: Vec<u8>,
}

/// A page of entries of a log.
#[derive(Clone, Debug, Default)]
pub struct EntryPage {
    /// The entries: in order of time, and within each lane in order of position.
    pub entries: Vec<Entry>,
    /// The cursor after them.
    pub cursor: Cursor,
    /// Whether entries after the old cursor may have been dropped before they were read.
    pub trimmed: bool,
    /// Whether more entries may be there already.
    pub more: bool,
}

impl Cursor {
    /// Returns the cursor at the beginning of what is kept.
    pub const fn start() -> Self {
        Self(BTreeMap::new())
    }

    /// Returns the position in a lane, or `None` at the start of the lane.
    pub fn position(&self, lane: Lane) -> Option<LanePosition> {
        self.0.get(&lane).copied()
    }

    /// Moves forward in a lane. An earlier position changes nothing.
    pub fn advance(&mut self, lane: Lane, position: LanePosition) {
        let slot = self.0.entry(lane).or_default();
        *slot = (*slot).max(position);
    }

    /// Returns the cursor before what was written at `time` or later. A lane that this cursor has read
    /// less of stays as it is.
    ///
    /// From the cursor after the newest entry, that is the place to read what was written since then.
    #[must_use]
    pub fn back_to(&self, time: Timestamp) -> Self {
        let before = LanePosition { millis: time.as_millis().saturating_sub(1), number: u64::MAX };
        Self(self.0.iter().map(|(lane, position)| (*lane, before.min(*position))).collect())
    }
}

impl Entry {
    /// Returns when the store wrote the entry.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.position.millis)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("start");
        }
        let mut separator = "";
        for (lane, position) in &self.0 {
            write!(
                f,
                "{separator}{:x}.{:x}.{:x}",
                lane.number(),
                position.millis,
                position.number
            )?;
            separator = "-";
        }
        Ok(())
    }
}

impl FromStr for Cursor {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let expected = "'start' or a cursor that an earlier page gave";
        let malformed = || InvalidValue::new(Field::Cursor, InvalidReason::Malformed { expected });
        if text == "start" {
            return Ok(Self::start());
        }
        let mut cursor = Self::start();
        for part in text.split('-') {
            let mut numbers = part.split('.').map(|digits| u64::from_str_radix(digits, 16));
            let mut next = || numbers.next().and_then(Result::ok).ok_or_else(malformed);
            let lane = u16::try_from(next()?).map_err(|_| malformed())?;
            let position = LanePosition { millis: next()?, number: next()? };
            if numbers.next().is_some() || cursor.0.insert(Lane::new(lane), position).is_some() {
                return Err(malformed());
            }
        }
        Ok(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_goes_back_to_a_time_and_never_forward() {
        let mut cursor = Cursor::start();
        let at = |millis, number| LanePosition { millis, number };
        cursor.advance(Lane::new(0), at(1_000, 2));
        cursor.advance(Lane::new(1), at(300, 0));
        let back = cursor.back_to(Timestamp::from_millis(500));
        assert_eq!(back.position(Lane::new(0)), Some(at(499, u64::MAX)));
        assert_eq!(back.position(Lane::new(1)), Some(at(300, 0)));
        assert_eq!(cursor.back_to(Timestamp::from_millis(2_000)), cursor);
        assert_eq!(Cursor::start().back_to(Timestamp::from_millis(1)), Cursor::start());
    }

    #[test]
    fn a_cursor_reads_back_and_refuses_what_it_did_not_write() {
        let mut cursor = Cursor::start();
        assert_eq!("start".parse(), Ok(cursor.clone()));
        cursor.advance(Lane::new(3), LanePosition { millis: 1_795_000_000_000, number: 4 });
        cursor.advance(Lane::new(63), LanePosition { millis: 5, number: 0 });
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "1", "1.2", "1.2.3.4", "x.1.1", "1.1.1-1.2.2", "1.1.1-", "fffff.1.1"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
