//! The row of a count: how many are stored, revoked and exhausted, then the id of a sample.

use keyfob_store::{BucketCounts, TokenId};

use super::{Damaged, Fields};

pub(crate) fn write_tally(tally: &BucketCounts) -> Vec<u8> {
    let numbers = [tally.stored, tally.revoked, tally.exhausted];
    let mut row: Vec<u8> = numbers.into_iter().flat_map(u64::to_be_bytes).collect();
    row.extend(tally.sample.iter().flat_map(|id| *id.as_bytes()));
    row
}

/// Reads the numbers of a row into the tally that its key names.
pub(crate) fn read_tally(row: &[u8], tally: &mut BucketCounts) -> Result<(), Damaged> {
    let mut fields = Fields::of(row);
    tally.stored = fields.u64()?;
    tally.revoked = fields.u64()?;
    tally.exhausted = fields.u64()?;
    tally.sample = match fields.rest() {
        [] => None,
        id => Some(TokenId::from_bytes(Fields::of(id).array()?)),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use keyfob_store::TimeBucket;
    use keyfob_store::{Kind, Timestamp};

    use super::*;

    #[test]
    fn a_tally_reads_back_and_a_short_row_is_damaged() {
        let now = Timestamp::from_millis(1_795_000_000_000);
        let empty = BucketCounts::new(TimeBucket::of_end(Timestamp::MAX, now), Kind::Access, None);
        for sample in [None, Some(TokenId::from_bytes([7; 16]))] {
            let tally = BucketCounts { stored: 9, revoked: 2, exhausted: 1, sample, ..empty };
            let row = write_tally(&tally);
            let mut read = empty;
            assert_eq!(read_tally(&row, &mut read), Ok(()));
            assert_eq!(read, tally);
            assert!(read_tally(&row[..23], &mut read).is_err());
        }
    }
}
