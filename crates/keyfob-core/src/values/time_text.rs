//! Reads a point in time: RFC 3339, also with the time zone in brackets of RFC 9557.

use jiff::fmt::temporal::Pieces;

use super::invalid::InvalidReason;

const EXPECTED: &str = "RFC 3339 such as 2026-11-24T08:30:00Z";
/// The range of times, as [`Timestamp`](super::time::Timestamp) has it.
const ALLOWED: &str = "1970-01-01T00:00:00Z to 9999-12-30T00:00:00Z";
const ZONE_RULE: &str =
    "the offset must be that of the time zone in brackets. Leave the brackets out";

/// Reads the milliseconds since the start of 1970, up to `max`.
pub(super) fn parse_millis(text: &str, max: u64) -> Result<u64, InvalidReason> {
    let malformed = InvalidReason::Malformed { expected: EXPECTED };
    let Ok(pieces) = Pieces::parse(text) else { return Err(malformed) };
    if pieces.time().is_none() || pieces.offset().is_none() {
        return Err(malformed);
    }
    let out_of_range = InvalidReason::OutOfRange { allowed: ALLOWED };
    // The parts of the text are valid, so only the point itself can be beyond what jiff holds.
    let Ok(at) = text.parse::<jiff::Timestamp>() else { return Err(out_of_range) };
    if pieces.time_zone_annotation().is_some() {
        // jiff compares the offset with the time zone.
        let zoned = text.parse::<jiff::ZonedDateTime>();
        if zoned.is_err() {
            return Err(InvalidReason::Contradiction { rule: ZONE_RULE });
        }
    }
    match u64::try_from(at.as_millisecond()) {
        Ok(millis) if millis <= max => Ok(millis),
        _ => Err(out_of_range),
    }
}
