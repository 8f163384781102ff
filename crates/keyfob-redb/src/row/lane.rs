//! The rows of a lane: its sequence, and the epochs of its fields.

use keyfob_store::{Epoch, Stamp, Timestamp};

use super::{Damaged, Fields};

/// The state of a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LaneRow {
    pub(crate) birth: Stamp,
    pub(crate) sequence: Stamp,
    /// No record of the lane is kept longer than this.
    pub(crate) kept_until: Timestamp,
}

/// An epoch, and when nothing that it covers can be left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct EpochRow {
    pub(crate) epoch: Epoch,
    pub(crate) covers_until: Timestamp,
}

/// `kept_until` is raised in steps of an hour, so that not every insert has to write it.
const STEP: u64 = 3_600_000;

impl LaneRow {
    pub(crate) fn born(now: Timestamp) -> Self {
        let birth = Stamp::birth(now);
        Self { birth, sequence: birth, kept_until: Timestamp::default() }
    }

    /// Notes that a record is kept so long; whether the row has to be written for it.
    pub(crate) fn keep(&mut self, until: Timestamp) -> bool {
        if until <= self.kept_until {
            return false;
        }
        let step = until.as_millis().div_ceil(STEP).saturating_mul(STEP);
        self.kept_until = Timestamp::from_millis(step);
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
    fn what_is_kept_is_bounded_from_above_and_rarely_written() {
        let mut lane = LaneRow::born(Timestamp::from_millis(1));
        let until = Timestamp::from_millis(1_795_000_000_123);
        assert!(lane.keep(until));
        assert!(lane.kept_until >= until);
        assert!(!lane.keep(until), "the same again needs no write");
        assert!(lane.keep(Timestamp::MAX));
        assert_eq!(lane.kept_until, Timestamp::MAX);
    }
}
