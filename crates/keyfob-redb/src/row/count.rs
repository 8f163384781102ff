//! The row of a count: the numbers of stored, revoked and exhausted tokens, then the id of a sample.

use keyfob_store::BucketCounts;
use keyfob_store::TokenId;

use super::{Damaged, Fields};

pub(crate) fn write_counts(counts: &BucketCounts) -> Vec<u8> {
    let numbers = [counts.stored, counts.revoked, counts.exhausted];
    let mut row: Vec<u8> = numbers.into_iter().flat_map(u64::to_be_bytes).collect();
    row.extend(counts.sample.iter().flat_map(|id| *id.as_bytes()));
    row
}

/// Reads the numbers of a row into the `counts`, whose other fields come from the key.
pub(crate) fn read_counts(row: &[u8], counts: &mut BucketCounts) -> Result<(), Damaged> {
    let mut fields = Fields::of(row);
    counts.stored = fields.u64()?;
    counts.revoked = fields.u64()?;
    counts.exhausted = fields.u64()?;
    counts.sample = match fields.rest() {
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
    fn a_count_reads_back_and_a_short_row_is_damaged() {
        let now = Timestamp::from_millis(1_795_000_000_000);
        let empty = BucketCounts::new(TimeBucket::of_end(Timestamp::MAX, now), Kind::Access, None);
        for sample in [None, Some(TokenId::from_bytes([7; 16]))] {
            let counts = BucketCounts { stored: 9, revoked: 2, exhausted: 1, sample, ..empty };
            let row = write_counts(&counts);
            let mut read = empty;
            assert_eq!(read_counts(&row, &mut read), Ok(()));
            assert_eq!(read, counts);
            assert!(read_counts(&row[..23], &mut read).is_err());
        }
    }
}
