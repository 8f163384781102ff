//! The binary layouts that Rust and the scripts read and write: fields with a name, an offset and a
//! size.
//!
//! Numbers are big-endian. Times are in milliseconds unless the field says otherwise.

use keyfob_store::{CountBucket, Epochs, TimeBucket, TokenId};

/// A field of a layout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// The name that scripts use, in upper case.
    pub(super) name: &'static str,
    /// The position of its first byte, counted from 0.
    pub(crate) offset: usize,
    /// The number of its bytes.
    pub(crate) size: usize,
    pub(super) content: Content,
}

/// How the scripts read a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Content {
    Number,
    Bytes,
}

/// A layout, as the scripts name it.
pub(super) struct Layout {
    pub(super) name: &'static str,
    pub(super) fields: &'static [Field],
    /// The number of leading bytes that are left out of what the script has.
    pub(super) skipped: usize,
}

impl Field {
    /// The position after its last byte.
    pub(crate) const fn end(self) -> usize {
        self.offset + self.size
    }

    /// Returns the bytes of the field, or `None` if the value is too short.
    pub(crate) fn bytes(self, value: &[u8]) -> Option<&[u8]> {
        value.get(self.offset..self.end())
    }

    /// Returns the field as a number, or `None` if the value is too short.
    pub(crate) fn number(self, value: &[u8]) -> Option<u64> {
        let bytes = self.bytes(value)?;
        Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

macro_rules! layout {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $content:ident, $offset:expr, $size:expr;)+ }) => {
        $(#[$doc])*
        pub(crate) mod $name {
            use super::*;

            $(
                $(#[$field_doc])*
                pub(crate) const $field: Field = Field {
                    name: stringify!($field),
                    offset: $offset,
                    size: $size,
                    content: Content::$content,
                };
            )+

            pub(crate) const FIELDS: &[Field] = &[$($field),+];
        }
    };
}

layout! {
    /// The header of a record. Its fixed part ends at [`FIXED_BYTES`]. Then come the number of uses
    /// left, if uses are counted, and eight bytes for each epoch field: the subject's, the
    /// client's, the ancestors'. Then comes the body, which no script reads.
    ///
    /// The tombstone has its room from the beginning, so a revocation is one write in place and the
    /// record keeps its size. Until then the same bytes say where the token is counted, which is no
    /// longer needed after a revocation.
    header {
        FORMAT: Number, 0, 1;
        /// See [`flags`](super::super::flags).
        FLAGS: Number, 1, 1;
        VERSION: Number, 2, 4;
        STAMP: Number, 6, 8;
        KEEP_UNTIL: Number, 14, 6;
        KEY_VERSION: Number, 20, 2;
        /// The first bytes of the operation that inserted the record.
        INSERTED_BY: Bytes, 22, 8;
        /// The bytes of the id that are not in the record's key.
        ID_SUFFIX: Bytes, 30, 6;
        /// 0: not revoked. 1: revoked. 2: revoked with a note.
        TOMBSTONE: Number, 36, 1;
        REVOKED_AT: Number, 37, 6;
        /// The first bytes of the operation that revoked the record.
        REVOKED_BY: Bytes, 43, 8;
        /// Before a revocation: 1 plus the number of the token's kind, or 0 if it is not counted.
        COUNTED_KIND: Number, 37, 1;
        /// Before a revocation: the time bucket of the token's end.
        END_BUCKET: Bytes, 38, TimeBucket::BYTES;
        /// Before a revocation: the time bucket of the token's start, or zeros.
        START_BUCKET: Bytes, 44, TimeBucket::BYTES;
        /// Present only if [`COUNTS_USES`](super::super::flags::COUNTS_USES) is set.
        USES_LEFT: Number, 51, 4;
    }
}

/// The length of the part of a header that every record has.
pub(crate) const FIXED_BYTES: usize = header::USES_LEFT.offset;

/// The length of an epoch field.
pub(crate) const EPOCH_FIELD_BYTES: usize = 8;

/// The length of the longest header: with uses, a subject, a client and all ancestors.
pub(crate) const MAX_HEADER_BYTES: usize =
    header::USES_LEFT.end() + EPOCH_FIELD_BYTES * (2 + Epochs::MAX_ANCESTORS);

layout! {
    /// An epoch in the lane's hash. The note of the revocation follows.
    epoch {
        STAMP: Number, 0, 8;
        REVOKED_AT: Number, 8, 6;
        /// Nothing that the epoch covers is kept longer than this.
        COVERS_UNTIL: Number, 14, 6;
        /// The first bytes of the operation that advanced the epoch.
        ADVANCED_BY: Bytes, 20, 8;
    }
}

/// Where the note of an epoch begins.
pub(crate) const EPOCH_NOTE: usize = epoch::ADVANCED_BY.end();

layout! {
    /// A sample token of a client, in the hash of samples.
    sample {
        TOKEN_ID: Bytes, 0, TokenId::LOCAL_BYTES + header::ID_SUFFIX.size;
        /// The end of the token's time bucket, in seconds.
        ENDS_AT_SECS: Number, 16, 5;
    }
}

layout! {
    /// The debt of a rate limit's key, and the units that it is in: those of the rate at which it
    /// was last charged.
    debt {
        UNITS: Number, 0, 8;
        MEASURED_AT: Number, 8, 8;
        PERMIT: Number, 16, 8;
        DRAIN: Number, 24, 8;
    }
}

layout! {
    /// An entry of an index: the part of an id that its key holds. The tick is in steps of
    /// [`TICK_MS`](super::super::constants::TICK_MS).
    local_id {
        TICK: Number, 0, 5;
        RANDOM: Number, 5, 5;
    }
}

layout! {
    /// A time bucket at the end of a count's key.
    time_bucket {
        /// The power of two of its seconds; the highest bit says that it counts starts, not ends.
        POWER: Number, 0, 1;
        NUMBER: Number, 1, 5;
    }
}

layout! {
    /// The name of a field in a count bucket. The client is there only if the token has one.
    count_field {
        COLUMN: Bytes, 0, 1;
        /// The number of the kind, as a digit.
        KIND: Bytes, 1, 1;
        CLIENT: Bytes, 2, EPOCH_FIELD_BYTES;
    }
}

/// The layouts that scripts may name.
pub(super) const LAYOUTS: &[Layout] = &[
    Layout { name: "header", fields: header::FIELDS, skipped: 0 },
    // New records are sent in two parts, between which the script puts the stamp.
    Layout { name: "after_stamp", fields: header::FIELDS, skipped: header::STAMP.end() },
    Layout { name: "epoch", fields: epoch::FIELDS, skipped: 0 },
    Layout { name: "sample", fields: sample::FIELDS, skipped: 0 },
    Layout { name: "debt", fields: debt::FIELDS, skipped: 0 },
    Layout { name: "local_id", fields: local_id::FIELDS, skipped: 0 },
    Layout { name: "time_bucket", fields: time_bucket::FIELDS, skipped: 0 },
    Layout { name: "count_field", fields: count_field::FIELDS, skipped: 0 },
];

const _: () = assert!(time_bucket::NUMBER.end() == TimeBucket::BYTES);
const _: () = assert!(local_id::RANDOM.end() == TokenId::LOCAL_BYTES);
const _: () =
    assert!(header::START_BUCKET.end() - header::COUNTED_KIND.offset == CountBucket::BYTES);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_layout_follow_one_another() {
        for layout in LAYOUTS {
            let mut end = 0;
            for field in layout.fields {
                // The fields of counting use the space of the tombstone.
                if field.offset == header::REVOKED_AT.offset && end > field.offset {
                    end = field.offset;
                }
                let is_uses = layout.fields.len() == header::FIELDS.len()
                    && field.offset == header::USES_LEFT.offset;
                assert!(field.offset == end || is_uses, "{} {}", layout.name, field.name);
                end = field.end();
            }
        }
    }
}
