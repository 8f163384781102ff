//! The row of an answer: what an operation was told, to be told again when it is sent again.

use keyfob_store::{
    Advanced, Consumed, Inserted, MarkScope, RecordVersion, Replaced, RevocationMark, Revoked,
    Stamp, Timestamp,
};

use super::{Damaged, Fields};

/// The answer of an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    Inserted(Inserted),
    Replaced(Replaced),
    Consumed(Consumed),
    /// With the mark of an earlier revocation, if there was one.
    Revoked(Option<RevocationMark>),
    Advanced(Advanced),
}

/// What a verb answers with, and how its answer is kept.
pub(crate) trait Kept: Sized + Clone {
    /// `None` if it need not be kept.
    fn keep(&self) -> Option<Answer>;
    /// `None` if the answer is another verb's.
    fn recall(answer: Answer) -> Option<Self>;
}

macro_rules! kept {
    ($($name:ident),+) => {$(
        impl Kept for $name {
            fn keep(&self) -> Option<Answer> {
                Some(Answer::$name(self.clone()))
            }

            fn recall(answer: Answer) -> Option<Self> {
                match answer {
                    Answer::$name(answer) => Some(answer),
                    _ => None,
                }
            }
        }
    )+};
}

kept!(Inserted, Replaced, Consumed, Advanced);

impl Kept for Revoked {
    fn keep(&self) -> Option<Answer> {
        match self {
            Self::Now => Some(Answer::Revoked(None)),
            Self::Before(mark) => Some(Answer::Revoked(Some(mark.clone()))),
            // Nothing was done, so that it may be asked anew.
            Self::Missing => None,
        }
    }

    fn recall(answer: Answer) -> Option<Self> {
        match answer {
            Answer::Revoked(None) => Some(Self::Now),
            Answer::Revoked(Some(mark)) => Some(Self::Before(mark)),
            _ => None,
        }
    }
}

impl Answer {
    pub(crate) fn write(&self) -> Vec<u8> {
        let (tag, number): (u8, u64) = match self {
            Self::Inserted(Inserted::Stored(stamp)) => (0x10, stamp.value()),
            Self::Inserted(Inserted::IdTaken) => (0x11, 0),
            Self::Inserted(Inserted::Superseded) => (0x12, 0),
            Self::Replaced(Replaced::Stored(version)) => (0x20, u64::from(version.0)),
            Self::Replaced(Replaced::Stale) => (0x21, 0),
            Self::Replaced(Replaced::Ended) => (0x22, 0),
            Self::Replaced(Replaced::Missing) => (0x23, 0),
            Self::Replaced(Replaced::IdTaken) => (0x24, 0),
            Self::Consumed(Consumed::Left(left)) => (0x30, u64::from(*left)),
            Self::Consumed(Consumed::Exhausted) => (0x31, 0),
            Self::Consumed(Consumed::Refused) => (0x32, 0),
            Self::Revoked(None) => (0x40, 0),
            Self::Revoked(Some(mark)) => return write_mark(mark),
            Self::Advanced(Advanced { lanes }) => (0x50, u64::from(*lanes)),
        };
        let mut row = vec![tag];
        if number != 0 {
            row.extend_from_slice(&number.to_be_bytes());
        }
        row
    }

    pub(crate) fn read(row: &[u8]) -> Result<Self, Damaged> {
        let mut fields = Fields::of(row);
        let tag = fields.u8()?;
        if tag == MARK {
            return read_mark(fields).map(|mark| Self::Revoked(Some(mark)));
        }
        let number = if row.len() == 1 { 0 } else { fields.u64()? };
        fields.end()?;
        let small = || u32::try_from(number).map_err(|_| Damaged("its number is too large"));
        Ok(match tag {
            0x10 => Self::Inserted(Inserted::Stored(Stamp::new(number))),
            0x11 => Self::Inserted(Inserted::IdTaken),
            0x12 => Self::Inserted(Inserted::Superseded),
            0x20 => Self::Replaced(Replaced::Stored(RecordVersion(small()?))),
            0x21 => Self::Replaced(Replaced::Stale),
            0x22 => Self::Replaced(Replaced::Ended),
            0x23 => Self::Replaced(Replaced::Missing),
            0x24 => Self::Replaced(Replaced::IdTaken),
            0x30 => Self::Consumed(Consumed::Left(small()?)),
            0x31 => Self::Consumed(Consumed::Exhausted),
            0x32 => Self::Consumed(Consumed::Refused),
            0x40 => Self::Revoked(None),
            0x50 => {
                let lanes = u16::try_from(number).map_err(|_| Damaged("too many lanes"))?;
                Self::Advanced(Advanced { lanes })
            }
            _ => return Err(Damaged("its answer is unknown")),
        })
    }
}

const MARK: u8 = 0x41;

fn write_mark(mark: &RevocationMark) -> Vec<u8> {
    let through = match mark.through {
        MarkScope::Token => [0, 0],
        MarkScope::Ancestor(place) => [1, place],
        MarkScope::Subject => [2, 0],
        MarkScope::Client => [3, 0],
        MarkScope::All => [4, 0],
    };
    let mut row = vec![MARK];
    row.extend_from_slice(&through);
    row.extend_from_slice(&mark.at.as_millis().to_be_bytes());
    row.extend_from_slice(&mark.note);
    row
}

fn read_mark(mut fields: Fields<'_>) -> Result<RevocationMark, Damaged> {
    let through = match fields.array()? {
        [0, 0] => MarkScope::Token,
        [1, place] => MarkScope::Ancestor(place),
        [2, 0] => MarkScope::Subject,
        [3, 0] => MarkScope::Client,
        [4, 0] => MarkScope::All,
        _ => return Err(Damaged("its mark is unknown")),
    };
    let at = Timestamp::from_millis(fields.u64()?);
    Ok(RevocationMark { through, at, note: fields.rest().to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_reads_back() {
        for answer in [
            Answer::Inserted(Inserted::Stored(Stamp::new(1 << 52))),
            Answer::Inserted(Inserted::IdTaken),
            Answer::Inserted(Inserted::Superseded),
            Answer::Replaced(Replaced::Stored(RecordVersion(7))),
            Answer::Replaced(Replaced::Stale),
            Answer::Replaced(Replaced::Ended),
            Answer::Replaced(Replaced::Missing),
            Answer::Replaced(Replaced::IdTaken),
            Answer::Consumed(Consumed::Left(0)),
            Answer::Consumed(Consumed::Left(u32::MAX)),
            Answer::Consumed(Consumed::Exhausted),
            Answer::Consumed(Consumed::Refused),
            Answer::Revoked(None),
            Answer::Advanced(Advanced { lanes: 64 }),
        ] {
            assert_eq!(Answer::read(&answer.write()), Ok(answer));
        }
        for through in [
            MarkScope::Token,
            MarkScope::Ancestor(7),
            MarkScope::Subject,
            MarkScope::Client,
            MarkScope::All,
        ] {
            let mark =
                RevocationMark { through, at: Timestamp::from_millis(9), note: b"why".to_vec() };
            let answer = Answer::Revoked(Some(mark));
            assert_eq!(Answer::read(&answer.write()), Ok(answer));
        }
        for row in [&[][..], &[0x99], &[0x41, 9, 0], &[0x10, 1], &[0x50, 0, 0, 0, 0, 0, 1, 0, 0]] {
            assert!(Answer::read(row).is_err(), "{row:?}");
        }
    }
}
