//! The values of the tables, in bytes of our own, so that no change of the engine's encodings can
//! misread them. Numbers are big-endian; a row that does not fit its layout is damaged, never a
//! panic.

mod answer;
mod lane;
mod record;
mod tally;

pub(crate) use answer::{Answer, Kept};
pub(crate) use lane::{EpochRow, LaneRow};
pub(crate) use record::Record;
pub(crate) use tally::{read_tally, write_tally};

use keyfob_store::StoreError;

/// What does not fit the layout of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Damaged(pub(crate) &'static str);

impl Damaged {
    pub(crate) fn of(self, what: impl std::fmt::Display) -> StoreError {
        StoreError::Corrupt { what: what.to_string(), detail: self.0.to_owned() }
    }
}

/// The fields of a row that were not read yet.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn of(row: &'a [u8]) -> Self {
        Self(row)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Damaged("it is cut short"))?;
        self.0 = rest;
        Ok(*field)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8], Damaged> {
        let (field, rest) = self.0.split_at_checked(len).ok_or(Damaged("it is cut short"))?;
        self.0 = rest;
        Ok(field)
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Damaged> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Damaged> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Damaged> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Damaged> {
        self.array().map(u64::from_be_bytes)
    }

    /// Ends the row: nothing may be left of it.
    pub(crate) fn end(self) -> Result<(), Damaged> {
        if self.0.is_empty() { Ok(()) } else { Err(Damaged("it is too long")) }
    }
}
