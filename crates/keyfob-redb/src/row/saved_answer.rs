//! The row of an answer. An operation that is sent again gets the same answer again.

use keyfob_store::{
    Advanced, Consumed, DocumentVersion, DocumentWritten, Inserted, MarkScope, OperationId,
    RecordVersion, Replaced, RevocationMark, Revoked, Stamp, Timestamp,
};

use super::{Damaged, Fields};

/// The answer that an operation got.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum SavedAnswer {
    Inserted(Inserted),
    Replaced(Replaced),
    Consumed(Consumed),
    /// With the mark of an earlier revocation, if the token was already revoked.
    Revoked(Option<RevocationMark>),
    Advanced(Advanced),
    DocumentWritten(DocumentWritten),
}

/// An answer of a store method that can be saved.
pub(crate) trait Savable: Sized + Clone {
    /// Returns the answer to save; `None` if the method may run again instead.
    fn to_saved(&self) -> Option<SavedAnswer>;
    /// Returns `None` if the saved answer is that of another method.
    fn from_saved(answer: SavedAnswer) -> Option<Self>;
}

macro_rules! savable {
    ($($name:ident),+) => {$(
        impl Savable for $name {
            fn to_saved(&self) -> Option<SavedAnswer> {
                Some(SavedAnswer::$name(self.clone()))
            }

            fn from_saved(answer: SavedAnswer) -> Option<Self> {
                match answer {
                    SavedAnswer::$name(answer) => Some(answer),
                    _ => None,
                }
            }
        }
    )+};
}

savable!(Inserted, Replaced, Consumed, Advanced, DocumentWritten);

impl Savable for Revoked {
    fn to_saved(&self) -> Option<SavedAnswer> {
        match self {
            Self::Now => Some(SavedAnswer::Revoked(None)),
            Self::Before(mark) => Some(SavedAnswer::Revoked(Some(mark.clone()))),
            // Nothing was changed, so running it again is harmless.
            Self::Missing => None,
        }
    }

    fn from_saved(answer: SavedAnswer) -> Option<Self> {
        match answer {
            SavedAnswer::Revoked(None) => Some(Self::Now),
            SavedAnswer::Revoked(Some(mark)) => Some(Self::Before(mark)),
            _ => None,
        }
    }
}

impl SavedAnswer {
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
            Self::DocumentWritten(DocumentWritten::Written(DocumentVersion(version))) => {
                return [&[DOCUMENT], version.as_bytes().as_slice()].concat();
            }
            Self::DocumentWritten(DocumentWritten::Conflict) => (0x61, 0),
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
        if tag == DOCUMENT {
            let version = DocumentVersion(OperationId::from_bytes(fields.array()?));
            fields.end()?;
            return Ok(Self::DocumentWritten(DocumentWritten::Written(version)));
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
            0x61 => Self::DocumentWritten(DocumentWritten::Conflict),
            _ => return Err(Damaged("its answer has an unknown tag")),
        })
    }
}

const MARK: u8 = 0x41;
const DOCUMENT: u8 = 0x60;

fn write_mark(mark: &RevocationMark) -> Vec<u8> {
    let scope = match mark.through {
        MarkScope::Token => [0, 0],
        MarkScope::Ancestor(index) => [1, index],
        MarkScope::Subject => [2, 0],
        MarkScope::Client => [3, 0],
        MarkScope::All => [4, 0],
    };
    let mut row = vec![MARK];
    row.extend_from_slice(&scope);
    row.extend_from_slice(&mark.at.as_millis().to_be_bytes());
    row.extend_from_slice(&mark.note);
    row
}

fn read_mark(mut fields: Fields<'_>) -> Result<RevocationMark, Damaged> {
    let scope = match fields.array()? {
        [0, 0] => MarkScope::Token,
        [1, index] => MarkScope::Ancestor(index),
        [2, 0] => MarkScope::Subject,
        [3, 0] => MarkScope::Client,
        [4, 0] => MarkScope::All,
        _ => return Err(Damaged("its revocation mark is unknown")),
    };
    let at = Timestamp::from_millis(fields.u64()?);
    Ok(RevocationMark { through: scope, at, note: fields.rest().to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_reads_back() {
        for answer in [
            SavedAnswer::Inserted(Inserted::Stored(Stamp::new(1 << 52))),
            SavedAnswer::Inserted(Inserted::IdTaken),
            SavedAnswer::Inserted(Inserted::Superseded),
            SavedAnswer::Replaced(Replaced::Stored(RecordVersion(7))),
            SavedAnswer::Replaced(Replaced::Stale),
            SavedAnswer::Replaced(Replaced::Ended),
            SavedAnswer::Replaced(Replaced::Missing),
            SavedAnswer::Replaced(Replaced::IdTaken),
            SavedAnswer::Consumed(Consumed::Left(0)),
            SavedAnswer::Consumed(Consumed::Left(u32::MAX)),
            SavedAnswer::Consumed(Consumed::Exhausted),
            SavedAnswer::Consumed(Consumed::Refused),
            SavedAnswer::Revoked(None),
            SavedAnswer::Advanced(Advanced { lanes: 64 }),
            SavedAnswer::DocumentWritten(DocumentWritten::Conflict),
            SavedAnswer::DocumentWritten(DocumentWritten::Written(DocumentVersion(
                OperationId::from_bytes([7; 16]),
            ))),
        ] {
            assert_eq!(SavedAnswer::read(&answer.write()), Ok(answer));
        }
        for scope in [
            MarkScope::Token,
            MarkScope::Ancestor(7),
            MarkScope::Subject,
            MarkScope::Client,
            MarkScope::All,
        ] {
            let mark = RevocationMark {
                through: scope,
                at: Timestamp::from_millis(9),
                note: b"why".to_vec(),
            };
            let answer = SavedAnswer::Revoked(Some(mark));
            assert_eq!(SavedAnswer::read(&answer.write()), Ok(answer));
        }
        for row in [&[][..], &[0x99], &[0x41, 9, 0], &[0x10, 1], &[0x50, 0, 0, 0, 0, 0, 1, 0, 0]] {
            assert!(SavedAnswer::read(row).is_err(), "{row:?}");
        }
    }
}
