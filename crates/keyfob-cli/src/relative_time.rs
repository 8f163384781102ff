//! A time as a person reads it in a narrow column: how long until it, or since it.

use keyfob::Timestamp;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

/// The units, each with the number of its units from which on the next one is used.
const UNITS: [(u64, u64, &str); 4] =
    [(SECOND, 120, "s"), (MINUTE, 120, "m"), (HOUR, 48, "h"), (DAY, 1_000, "d")];

/// Returns how far `at` is from `now`, such as `in 90m`, `12d ago` or `now`. It has at most nine characters for
/// times within 999 years.
pub(crate) fn relative(at: Timestamp, now: Timestamp) -> String {
    let (at, now) = (at.as_millis(), now.as_millis());
    let distance = at.abs_diff(now);
    let fits = |(unit, end, _): &&(u64, u64, &str)| distance.saturating_add(unit / 2) < unit * end;
    let (unit, name) =
        UNITS.iter().find(fits).map_or((YEAR, "y"), |(unit, _, name)| (*unit, *name));
    match distance.saturating_add(unit / 2) / unit {
        0 => "now".to_owned(),
        count if now < at => format!("in {count}{name}"),
        count => format!("{count}{name} ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_is_rounded_to_one_unit() {
        let now = 100 * YEAR;
        for (distance, text) in [
            (0, "now"),
            (499, "now"),
            (500, "in 1s"),
            (59_999, "in 60s"),
            (119_400, "in 119s"),
            (119_500, "in 2m"),
            (HOUR - 1, "in 60m"),
            (2 * HOUR - 1, "in 2h"),
            (2 * DAY - 1, "in 2d"),
            (30 * DAY - 5, "in 30d"),
            (365 * DAY, "in 365d"),
            (1_000 * DAY, "in 3y"),
            (36_500 * DAY, "in 100y"),
        ] {
            let at = |millis| Timestamp::from_millis(millis);
            assert_eq!(relative(at(now + distance), at(now)), text);
            let past = text.strip_prefix("in ").map(|text| format!("{text} ago"));
            let past = past.unwrap_or_else(|| text.to_owned());
            assert_eq!(relative(at(now - distance), at(now)), past);
        }
        relative(Timestamp::MAX, Timestamp::from_millis(0));
        relative(Timestamp::from_millis(0), Timestamp::MAX);
    }
}
