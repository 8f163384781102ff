//! The report as a table.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{Figure, Report};
use crate::target::{Of, Side, Target};

/// The width of a table in columns.
pub(super) const WIDTH: u16 = 120;

pub(super) fn of(report: &Report) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(WIDTH);
    table.set_header([
        "id",
        "what",
        "value",
        "reference",
        "ratio",
        "±",
        "pass",
        "excellent",
        "verdict",
    ]);
    for place in [2, 4, 5] {
        if let Some(column) = table.column_mut(place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for figure in &report.figures {
        let reference = figure.reference.as_ref();
        let mark = |mark: Option<f64>| {
            figure.target.zip(mark).map(|(target, mark)| written(&target, mark, figure.unit))
        };
        let spread = figure.spread.map(|spread| format!("{:.1} %", spread * 100.0));
        table.add_row([
            figure.id.to_owned(),
            figure.what.clone(),
            with_unit(figure.value, figure.unit),
            reference.map_or(String::new(), |reference| {
                format!("{} ({})", with_unit(reference.value, figure.unit), reference.what)
            }),
            reference.map_or(String::new(), |reference| format!("{:.2}x", reference.ratio)),
            spread.unwrap_or_default(),
            mark(figure.target.map(|target| target.pass)).unwrap_or_default(),
            mark(figure.target.and_then(|target| target.excellent)).unwrap_or_default(),
            figure.verdict().map_or("", |verdict| verdict.word()).to_owned(),
        ]);
    }
    let mut text = table.to_string();
    text.push_str(&growth(report));
    for note in &report.notes {
        text.push_str("\nnote: ");
        text.push_str(note);
    }
    text
}

fn growth(report: &Report) -> String {
    let mut sizes: Vec<u64> =
        report.growth.iter().flat_map(|line| &line.points).map(|(size, _)| *size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    if sizes.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    let heads = sizes.iter().map(|size| format!("{size} tokens"));
    table.set_header(["store".to_owned(), "what".to_owned()].into_iter().chain(heads));
    for line in &report.growth {
        let cells = sizes.iter().map(|size| {
            let point = line.points.iter().find(|(at, _)| at == size);
            point.map_or(String::new(), |(_, cost)| with_unit(*cost, line.unit))
        });
        table.add_row([line.store.to_owned(), line.what.to_owned()].into_iter().chain(cells));
    }
    format!("\n{table}")
}

/// Returns a short text of a figure.
pub(super) fn brief(figure: &Figure) -> String {
    let ratio = figure.reference.as_ref().map_or(String::new(), |reference| {
        format!(", {:.2}x of {}", reference.ratio, reference.what)
    });
    let verdict = figure.verdict().map_or(String::new(), |verdict| format!(": {}", verdict.word()));
    format!("{}: {}{ratio}{verdict}", figure.what, with_unit(figure.value, figure.unit))
}

fn written(target: &Target, mark: f64, unit: &str) -> String {
    let side = match target.side {
        Side::AtMost => "≤",
        Side::AtLeast => "≥",
    };
    match target.of {
        Of::Ratio => format!("{side} {mark}x"),
        Of::Value => format!("{side} {}", with_unit(mark, unit)),
    }
}

/// Formats a number with its significant digits.
pub(super) fn with_unit(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        _ if value.fract() == 0.0 => 0,
        _ => 2,
    };
    format!("{value:.digits$} {unit}").trim_end().to_owned()
}
