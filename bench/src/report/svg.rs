//! The report as pictures: ratios as bars beside their targets, growth as lines.

use std::fmt::Write as _;

use super::{Figure, Growth, table};
use crate::target::{Of, Verdict};

const STYLE: &str = "<style>text{font:12px sans-serif;fill:#222}.small{font-size:10px;fill:#666}\
    .axis{stroke:#bbb;stroke-width:1}.pass{stroke:#222;stroke-width:2}\
    .excellent{stroke:#222;stroke-width:1;stroke-dasharray:3 2}</style>";
const COLOURS: [&str; 8] =
    ["#1b6ca8", "#c8553d", "#4c956c", "#8a5a9e", "#b8860b", "#2f4858", "#d1495b", "#66a182"];

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn document(width: f64, height: f64, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\">{STYLE}\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>{body}</svg>\n"
    )
}

/// Draws a bar for every figure with a target. Each bar has its own scale, on which the target to pass
/// is at the same position.
pub(super) fn ratios(figures: &[Figure]) -> String {
    const LABEL: f64 = 500.0;
    const MARK: f64 = 220.0;
    const MAX_WIDTH: f64 = 380.0;
    const ROW: f64 = 24.0;
    let mut body = String::new();
    let mut y = 46.0;
    let _ = write!(
        body,
        "<text x=\"10\" y=\"20\">Each bar to its mark: full line = pass, dashed = excellent; \
         ≤ wants the bar to end before it, ≥ beyond.</text>"
    );
    for figure in figures {
        let Some(target) = figure.target else { continue };
        let held = match target.of {
            Of::Value => figure.value,
            Of::Ratio => figure.reference.as_ref().map_or(f64::NAN, |reference| reference.ratio),
        };
        let position = |value: f64| (value / target.pass * MARK).clamp(0.0, MAX_WIDTH);
        let colour = match figure.verdict() {
            Some(Verdict::Excellent) => "#4c956c",
            Some(Verdict::Pass) => "#8fb996",
            _ => "#c8553d",
        };
        let said = match target.of {
            Of::Value => table::with_unit(held, figure.unit),
            Of::Ratio => format!("{held:.2}x"),
        };
        let label = escaped(&format!("{}  {}", figure.id, figure.what));
        let length = if held.is_finite() { position(held) } else { 0.0 };
        let _ = write!(
            body,
            "<text x=\"10\" y=\"{text}\">{label}</text>\
             <rect x=\"{LABEL}\" y=\"{top}\" width=\"{length:.1}\" height=\"14\" fill=\"{colour}\"/>\
             <text x=\"{end:.1}\" y=\"{text}\" class=\"small\">{said}</text>",
            text = y + 11.0,
            top = y,
            end = LABEL + length + 6.0,
        );
        let marks = [(Some(target.pass), "pass"), (target.excellent, "excellent")];
        for (mark, class) in marks {
            let Some(mark) = mark else { continue };
            let x = LABEL + position(mark);
            let _ = write!(
                body,
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{}\" y2=\"{}\" class=\"{class}\"/>",
                y - 3.0,
                y + 17.0
            );
        }
        y += ROW;
    }
    document(LABEL + MAX_WIDTH + 90.0, y + 10.0, &body)
}

/// One panel for each store and unit, both axes logarithmic, one line for each operation.
pub(super) fn growth(lines: &[Growth]) -> String {
    let mut panels: Vec<(&str, &str)> = Vec::new();
    for line in lines {
        if !panels.contains(&(line.store, line.unit)) {
            panels.push((line.store, line.unit));
        }
    }
    const WIDTH: f64 = 760.0;
    const HEIGHT: f64 = 290.0;
    let mut body = String::new();
    for (place, (store, unit)) in panels.iter().enumerate() {
        let of_panel = lines.iter().filter(|line| (line.store, line.unit) == (*store, *unit));
        panel(&mut body, place as f64 * HEIGHT, store, unit, of_panel);
    }
    document(WIDTH, panels.len() as f64 * HEIGHT + 20.0, &body)
}

fn panel<'a>(
    body: &mut String,
    top: f64,
    store: &str,
    unit: &str,
    lines: impl Iterator<Item = &'a Growth> + Clone,
) {
    const LEFT: f64 = 70.0;
    const WIDTH: f64 = 450.0;
    const HEIGHT: f64 = 210.0;
    let costs = || lines.clone().flat_map(|line| &line.points).map(|(_, cost)| cost.log10());
    let sizes =
        || lines.clone().flat_map(|line| &line.points).map(|(size, _)| (*size as f64).log10());
    let (low, high) =
        (costs().fold(f64::MAX, f64::min).floor(), costs().fold(f64::MIN, f64::max).ceil());
    let (few, many) = (sizes().fold(f64::MAX, f64::min), sizes().fold(f64::MIN, f64::max));
    let x = |size: f64| LEFT + (size - few) / (many - few).max(1e-9) * WIDTH;
    let y = |cost: f64| top + 40.0 + HEIGHT - (cost - low) / (high - low).max(1.0) * HEIGHT;
    let _ = write!(
        body,
        "<text x=\"{LEFT}\" y=\"{}\">{}: {} as tokens grow</text>",
        top + 24.0,
        escaped(store),
        escaped(unit)
    );
    let mut power = low;
    while power <= high {
        let (at, said) = (y(power), table::with_unit(10f64.powf(power), unit));
        let _ = write!(
            body,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" class=\"axis\"/>\
             <text x=\"8\" y=\"{:.1}\" class=\"small\">{said}</text>",
            LEFT + WIDTH,
            at + 4.0
        );
        power += 1.0;
    }
    let mut size = few.ceil();
    while size <= many {
        let _ = write!(
            body,
            "<text x=\"{:.1}\" y=\"{:.1}\" class=\"small\">10^{size:.0}</text>",
            x(size) - 10.0,
            top + 56.0 + HEIGHT
        );
        size += 1.0;
    }
    for (place, line) in lines.enumerate() {
        let colour = COLOURS.get(place % COLOURS.len()).copied().unwrap_or("#222");
        let points: Vec<String> = line
            .points
            .iter()
            .map(|(size, cost)| format!("{:.1},{:.1}", x((*size as f64).log10()), y(cost.log10())))
            .collect();
        let _ = write!(
            body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{}\" y=\"{}\" style=\"fill:{colour}\">{}</text>",
            points.join(" "),
            LEFT + WIDTH + 14.0,
            top + 50.0 + place as f64 * 18.0,
            escaped(line.what)
        );
    }
}
