//! Times: how long ago, with the exact time beside it.

use keyfob_core::Timestamp;
use maud::{Markup, html};

/// Shows a time by its distance from now.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    let exact = at.to_string();
    html! { time datetime=(exact) title=(exact) { (distance(at, now)) } }
}

/// Shows a time that may be missing.
pub(crate) fn ago_or(at: Option<Timestamp>, now: Timestamp, missing: &str) -> Markup {
    match at {
        Some(at) => ago(at, now),
        None => html! { span.quiet { (missing) } },
    }
}

/// Returns the distance of a time from now in words, such as `3 min ago` or `in 2 h`.
pub(crate) fn distance(at: Timestamp, now: Timestamp) -> String {
    let (at, now) = (at.as_millis(), now.as_millis());
    let seconds = at.abs_diff(now) / 1_000;
    if seconds < 2 {
        return "now".to_owned();
    }
    let length = length(seconds);
    if at > now { format!("in {length}") } else { format!("{length} ago") }
}

/// Returns a number of seconds in its largest unit.
pub(crate) fn length(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let fits = UNITS.iter().find(|(unit, _)| seconds >= 2 * unit).unwrap_or(&UNITS[3]);
    format!("{} {}", seconds / fits.0, fits.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_has_one_unit() {
        let now = Timestamp::from_millis(1_795_000_000_000);
        let at = |seconds: i64| {
            let millis = now.as_millis().checked_add_signed(seconds * 1_000).unwrap();
            distance(Timestamp::from_millis(millis), now)
        };
        assert_eq!(at(0), "now");
        assert_eq!(at(-59), "59 s ago");
        assert_eq!(at(-150), "2 min ago");
        assert_eq!(at(3_600), "in 60 min");
        assert_eq!(at(7_200), "in 2 h");
        assert_eq!(at(-400 * 86_400), "400 d ago");
    }
}
