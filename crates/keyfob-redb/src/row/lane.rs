//! The rows of a lane: its sequence, and the epochs of its fields.

use keyfob_store::{Epoch, Stamp, Timestamp};

use super::{Damaged, Fields};

/// The state of a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LaneRow {
    pub(crate) birth: Stamp,
    pub(crate) sequence: Stamp,
    /// An upper limit for the `keep_until` of the lane's records.
    pub(crate) kept_until: Timestamp,
}

/// An epoch, and the time after which no record that it covers can exist.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct EpochRow {
    pub(crate) epoch: Epoch,
    pub(crate) covers_until: Timestamp,
}

/// `kept_until` is raised in steps of an hour, so that few inserts have to write it. Milliseconds.
const KEPT_UNTIL_STEP: u64 = 3_600_000;

impl LaneRow {
    /// Returns the state of a new lane.
    pub(crate) fn new(now: Timestamp) -> Self {
        let birth = Stamp::birth(now);
        Self { birth, sequence: birth, kept_until: Timestamp::default() }
    }

    /// Raises `kept_until` to at least `until`. Returns whether the row changed and must be written.
    pub(crate) fn raise_kept_until(&mut self, until: Timestamp) -> bool {
        if until <= self.kept_until {
            return false;
        }
        let steps = until.as_millis().div_ceil(KEPT_UNTIL_STEP);
        self.kept_until = Timestamp::from_millis(steps.saturating_mul(KEPT_UNTIL_STEP));
        true
    }

    pub(crate) fn read(row: &[u8]) -> Result<Self, Damaged> {
        let mut fields = Fields::of(row);
        let birth = Stamp::new(fields.u64()?);
        let sequence = Stamp::new(fields.u64()?);
        let kept_until = Timestamp::from_millis(fields.u64()?);
        fields.end()?;
        Ok(Self { birth, sequence, kept_until })
    }

    pub(crate) fn write(&self) -> [u8; 24] {
        let mut row = [0; 24];
        let numbers = [self.birth.value(), self.sequence.value(), self.kept_until.as_millis()];
        for (field, number) in row.as_chunks_mut().0.iter_mut().zip(numbers) {
            *field = number.to_be_bytes();
        }
        row
    }
}

impl EpochRow {
    pub(crate) fn read(row: &[u8]) -> Result<Self, Damaged> {
        let mut fields = Fields::of(row);
        let stamp = Stamp::new(fields.u64()?);
        let at = Timestamp::from_millis(fields.u64()?);
        let covers_until = Timestamp::from_millis(fields.u64()?);
        let note = fields.rest().to_vec();
        Ok(Self { epoch: Epoch { stamp, at, note }, covers_until })
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(24 + self.epoch.note.len());
        row.extend_from_slice(&self.epoch.stamp.value().to_be_bytes());
        row.extend_from_slice(&self.epoch.at.as_millis().to_be_bytes());
        row.extend_from_slice(&self.covers_until.as_millis().to_be_bytes());
        row.extend_from_slice(&self.epoch.note);
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back_and_short_ones_are_damaged() {
        let lane = LaneRow {
            birth: Stamp::new(5),
            sequence: Stamp::new(9),
            kept_until: Timestamp::from_millis(77),
        };
        assert_eq!(LaneRow::read(&lane.write()), Ok(lane));
        assert!(LaneRow::read(&lane.write()[..23]).is_err());
        let epoch =
            Epoch { stamp: Stamp::new(9), at: Timestamp::from_millis(3), note: b"why".to_vec() };
        let row = EpochRow { epoch, covers_until: Timestamp::from_millis(8) };
        assert_eq!(EpochRow::read(&row.write()), Ok(row.clone()));
        assert!(EpochRow::read(&row.write()[..23]).is_err());
    }

    #[test]
    fn kept_until_is_an_upper_limit_and_is_rarely_written() {
        let mut lane = LaneRow::new(Timestamp::from_millis(1));
        let until = Timestamp::from_millis(1_795_000_000_123);
        assert!(lane.raise_kept_until(until));
        assert!(lane.kept_until >= until);
        assert!(!lane.raise_kept_until(until), "the same time again needs no write");
        assert!(lane.raise_kept_until(Timestamp::MAX));
        assert_eq!(lane.kept_until, Timestamp::MAX);
    }
}
