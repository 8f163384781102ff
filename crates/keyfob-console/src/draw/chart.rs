//! A chart of what happened in each minute: one bar for each.

use keyfob_core::Timestamp;
use maud::{Markup, html};

use crate::activity::PerMinute;

/// The size of a chart in units of its own. It fills the width that it gets.
const WIDTH: usize = 240;
const HEIGHT: usize = 48;

/// Draws a chart. `name` says what is counted. People who do not see it hear the numbers that matter.
pub(crate) fn bars(name: &str, class: &str, data: &PerMinute) -> Markup {
    let (peak, at) = data.peak();
    let total = data.total();
    let label = match total {
        0 => format!("{name}: none in the last hour"),
        _ => format!(
            "{name}: {total} in the last hour, at most {peak} in one minute, at {}",
            clock(at)
        ),
    };
    let step = WIDTH / data.counts.len().max(1);
    html! {
        svg.chart role="img" aria-label=(label) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" {
            title { (label) }
            line.axis x1="0" x2=(WIDTH) y1=(HEIGHT) y2=(HEIGHT) {}
            @for (minute, count) in data.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                @let height = height(*count, peak);
                rect class=(class) x=(minute * step) y=(HEIGHT - height) width=(step - 1) height=(height) {}
            }
        }
    }
}

/// Returns the height of a bar. What is there at all can be seen.
fn height(count: u64, peak: u64) -> usize {
    let scaled = (count as u128 * HEIGHT as u128).div_ceil(u128::from(peak.max(1)));
    usize::try_from(scaled).unwrap_or(HEIGHT).clamp(2, HEIGHT)
}

/// Returns the time of day, in UTC.
fn clock(at: Timestamp) -> String {
    let minutes = at.as_millis() / 60_000 % (24 * 60);
    format!("{:02}:{:02} UTC", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let start = Timestamp::from_millis(1_795_000_020_000);
        let mut counts = vec![0; 60];
        (counts[10], counts[20]) = (3, 12);
        let shown = bars("Refusals", "bad", &PerMinute { counts, start }).into_string();
        assert!(
            shown.contains("Refusals: 15 in the last hour, at most 12 in one minute, at "),
            "{shown}"
        );
        assert_eq!(shown.matches("<rect").count(), 2);
        assert!(shown.contains(r#"height="48""#) && shown.contains(r#"height="12""#));
    }
}
