//! The byte layouts of the rows. The store encodes rows itself, so that a change of the engine's
//! encodings cannot misread them. Numbers are big-endian. A row that does not match its layout is
//! reported as damaged; it never causes a panic.

mod count;
mod lane;
mod record;
mod saved_answer;

pub(crate) use count::{read_counts, write_counts};
pub(crate) use lane::{EpochRow, LaneRow};
pub(crate) use record::Record;
pub(crate) use saved_answer::{Savable, SavedAnswer};

use keyfob_store::StoreError;

/// The error of a row that does not match its layout, with the reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Damaged(pub(crate) &'static str);

impl Damaged {
    pub(crate) fn of(self, what: impl std::fmt::Display) -> StoreError {
        StoreError::Corrupt { what: what.to_string(), detail: self.0.to_owned() }
    }
}

/// A parser over the unread part of a row.
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

    /// Checks that the row ends here.
    pub(crate) fn end(self) -> Result<(), Damaged> {
        if self.0.is_empty() { Ok(()) } else { Err(Damaged("it is too long")) }
    }
}
