//! Numbers and short strings that Rust and the scripts both use.

use keyfob_store::{BucketCounts, Epoch, Kind, OperationId, TimeBucket, TokenId};

use super::layout;

/// 2025-01-01 in seconds. The scores of an index count from here, so they fit 32 bits, which takes 4
/// bytes less for each entry.
pub(crate) const SCORE_EPOCH_SECS: u64 = 1_735_689_600;

/// The milliseconds of one tick of an id.
const TICK_MS: u64 = 16;

/// How far ahead of the server's clock an id may be.
const MAX_ID_AHEAD_MS: u64 = 10_000;

/// For how long the answer to an insert is kept after its last record has gone.
const ANSWER_GRACE_MS: u64 = 8_000;

/// The lifetime classes of a broad term, by the power of four of the seconds that a record still has
/// to live. If short-lived and long-lived tokens shared a sorted set, the set would keep expired
/// entries for as long as the long-lived ones.
pub(crate) const CLASS_COUNT: u8 = 15;

/// The length of a lifetime class relative to the class before it.
pub(crate) const CLASS_BASE: u64 = 4;

/// The letter of the first lifetime class.
pub(crate) const FIRST_CLASS_LETTER: u8 = b'a';

/// The format of a record that this version writes.
pub(crate) const RECORD_FORMAT: u8 = 1;

/// How many expired ids a call removes from a leaf at most.
const MAX_REMOVED: u64 = 16;

/// One advance of an epoch in so many looks for epochs that no longer cover anything.
const ADVANCES_PER_CLEANING: u64 = 8;

/// The length of the value that makes the server keep the hash of a lane as a table: one more than its
/// default for `hash-max-listpack-value`.
const WIDE_BYTES: u64 = 65;

/// The numbers that scripts name, such as `@TICK_MS@`. The capacity of an index leaf is a setting, so
/// [`template`](super::template) adds it.
pub(super) fn numbers() -> Vec<(&'static str, u64)> {
    let id_bytes = TokenId::LOCAL_BYTES as u64;
    vec![
        ("SCORE_EPOCH_SECS", SCORE_EPOCH_SECS),
        ("TICK_MS", TICK_MS),
        ("MAX_ID_AHEAD_MS", MAX_ID_AHEAD_MS),
        ("ANSWER_GRACE_MS", ANSWER_GRACE_MS),
        ("MAX_CLASS", u64::from(CLASS_COUNT) - 1),
        ("CLASS_BASE", CLASS_BASE),
        ("FIRST_CLASS_LETTER", u64::from(FIRST_CLASS_LETTER)),
        ("RECORD_FORMAT", u64::from(RECORD_FORMAT)),
        ("MAX_REMOVED", MAX_REMOVED),
        ("ADVANCES_PER_CLEANING", ADVANCES_PER_CLEANING),
        ("WIDE_BYTES", WIDE_BYTES),
        ("EPOCH_RETENTION_MS", Epoch::KEPT_AT_LEAST.as_millis()),
        ("MAX_COUNTED_OUT", BucketCounts::MIN_COUNTED_REVOKED as u64),
        ("ID_BYTES", id_bytes),
        ("DOCUMENT_VERSION_BYTES", OperationId::BYTES as u64),
        ("TIME_BUCKET_BYTES", TimeBucket::BYTES as u64),
        ("MAX_KIND", Kind::ALL.len() as u64 - 1),
        ("DIGIT_ZERO", u64::from(b'0')),
        ("MARKER_BYTES", 1 + id_bytes),
        ("LAST_HEADER_OFFSET", layout::MAX_HEADER_BYTES as u64 - 1),
        ("FIXED_HEADER_BYTES", layout::FIXED_BYTES as u64),
        ("EPOCH_FIELD_BYTES", layout::EPOCH_FIELD_BYTES as u64),
    ]
}

macro_rules! names {
    ($(#[$doc:meta])* $module:ident { $($(#[$name_doc:meta])* $name:ident = $value:literal;)+ }) => {
        $(#[$doc])*
        pub(crate) mod $module {
            $(
                $(#[$name_doc])*
                #[allow(dead_code, reason = "some names are of use to scripts only")]
                pub(crate) const $name: &str = $value;
            )+

            pub(in super::super) const NAMED: &[(&str, &str)] = &[$((stringify!($name), $value)),+];
        }
    };
}

names! {
    /// The words that a script's answer begins with.
    reply {
        STORED = "stored";
        ID_TAKEN = "taken";
        SUPERSEDED = "superseded";
        /// The id lies ahead of the server's clock; by how many milliseconds follows.
        ID_AHEAD = "ahead";
        /// The record's version is not the one that was read.
        STALE = "stale";
        /// The record is revoked.
        ENDED = "ended";
        MISSING = "missing";
        /// The namespace has no lane here, and the caller may not create it.
        LANE_MISSING = "no_lane";
        /// The header of the record cannot be read.
        DAMAGED = "damaged";
        /// The key version is below the lowest that is accepted; both follow.
        KEY_RETIRED = "retired";
        DEADLINE_PASSED = "late";
        /// The operation was applied, now or by an earlier attempt.
        APPLIED = "now";
        /// The record was revoked before; what is needed to read its revocation follows.
        REVOKED_BEFORE = "before";
        /// Something was written, and then a command failed. The server's error follows.
        HALF_DONE = "half";
        /// The number of uses left follows.
        USES_LEFT = "left";
        EXHAUSTED = "exhausted";
        REFUSED = "refused";
    }
}

names! {
    /// The fields of a lane's hash. Epoch fields have eight bytes and are not listed here.
    lane {
        /// Where the sequence began: the server's time in microseconds.
        BIRTH = "b";
        SEQUENCE = "n";
        /// The tick of the highest lower bound of any index head in the lane.
        HIGHEST_BOUND = "r";
        /// The time up to which the lane is kept at least.
        KEPT_UNTIL = "x";
        /// The lowest key version that the lane accepts. A lane that has one never expires.
        MIN_KEY_VERSION = "k";
        /// The tag of the namespace that the lane belongs to.
        NAMESPACE = "t";
        /// When nodes last renewed the lane, by the server's clock in milliseconds.
        PULSE = "p";
        /// The birth before the lane was found to be rolled back.
        FORMER_BIRTH = "f";
        /// The pulse that a rolled back lane was found with: what was written since then is lost.
        LOST_SINCE = "s";
        /// When the lane was found to be rolled back.
        NOTICED_AT = "o";
        /// A long value. It makes the server keep the hash as a table, in which a field that is missing
        /// is found to be missing at once.
        WIDE = "w";
        /// The epoch of everything.
        EVERYTHING = "*";
    }
}

names! {
    /// What is added to the head of an index, and what a head holds besides ids.
    index {
        DIRECTORY = "d";
        MARKER = "m";
        LOWEST_ID = "\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0";
    }
}

names! {
    /// The columns of a count bucket, and what is added to its directory.
    counts {
        STORED = "i";
        REVOKED = "r";
        EXHAUSTED = "x";
        SAMPLES = "s";
    }
}

names! {
    /// What the key of an answer holds while the operation is incomplete.
    answer {
        HALF_DONE = "half";
    }
}

names! {
    /// Which tokens an advance counts as revoked.
    count_out {
        ALL = "all";
        CLIENT = "client";
        LISTED = "listed";
    }
}

/// The groups of short strings that scripts name, such as `@lane.birth@`.
pub(super) const NAMES: &[(&str, &[(&str, &str)])] = &[
    ("reply", reply::NAMED),
    ("lane", lane::NAMED),
    ("index", index::NAMED),
    ("counts", counts::NAMED),
    ("answer", answer::NAMED),
    ("count_out", count_out::NAMED),
];

/// The bits of a header's flags. Above them lies the number of ancestors.
pub(crate) mod flags {
    /// The uses of the token are counted.
    pub(crate) const COUNTS_USES: u8 = 1;
    pub(crate) const HAS_SUBJECT: u8 = 2;
    pub(crate) const HAS_CLIENT: u8 = 4;
    /// How far the number of ancestors is shifted.
    pub(crate) const ANCESTORS_SHIFT: u8 = 4;

    pub(in super::super) const ALL: &[(&str, u8)] =
        &[("counts_uses", COUNTS_USES), ("has_subject", HAS_SUBJECT), ("has_client", HAS_CLIENT)];
}
