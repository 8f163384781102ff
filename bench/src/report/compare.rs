//! A run beside an earlier one: what moved beyond its spread.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};

use super::table::{WIDTH, with_unit};
use super::{Figure, RESULTS};
use crate::target::{Of, Side};

/// A smaller change is none, whatever the spreads are.
const MIN_CHANGE: f64 = 0.02;

/// The results of an earlier run.
#[derive(Debug)]
pub(crate) struct Earlier(HashMap<(String, String), EarlierFigure>);

#[derive(Debug, Deserialize)]
struct Document {
    results: Vec<EarlierFigure>,
}

#[derive(Debug, Deserialize)]
struct EarlierFigure {
    id: String,
    what: String,
    value: f64,
    ratio: Option<f64>,
    spread: Option<f64>,
}

/// How a figure differs from the earlier run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Moved {
    Better,
    Worse,
    /// It changed, and the figure has no target that says which side is better.
    Changed,
    WithinSpread,
    New,
}

/// One figure beside the earlier one.
#[derive(Debug, Serialize)]
pub(super) struct Change<'a> {
    id: &'a str,
    what: &'a str,
    /// The ratio if both runs have one and the target is not one of the value; else the value.
    earlier: Option<f64>,
    now: f64,
    unit: &'a str,
    /// The sum of the spreads of both runs.
    spread: f64,
    moved: Moved,
}

impl Earlier {
    /// Reads the results that an earlier run left in a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(RESULTS);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("there are no earlier results at {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} has no results", path.display()))
    }

    fn parse(text: &str) -> serde_json::Result<Self> {
        let document: Document = serde_json::from_str(text)?;
        let figures = document.results.into_iter();
        Ok(Self(figures.map(|figure| ((figure.id.clone(), figure.what.clone()), figure)).collect()))
    }
}

/// Compares figures with those of an earlier run.
pub(super) fn changes<'a>(figures: &'a [Figure], earlier: &Earlier) -> Vec<Change<'a>> {
    figures.iter().map(|figure| change(figure, earlier)).collect()
}

fn change<'a>(figure: &'a Figure, earlier: &Earlier) -> Change<'a> {
    let found = earlier.0.get(&(figure.id.to_owned(), figure.what.clone()));
    // Machines differ, and ratios differ less.
    let has_ratio = figure.target.is_none_or(|target| target.of == Of::Ratio);
    let ratio = figure.reference.as_ref().filter(|_| has_ratio).map(|reference| reference.ratio);
    let ratios = ratio.zip(found.and_then(|found| found.ratio));
    let (now, before, unit) = match ratios {
        Some((now, before)) => (now, Some(before), "x"),
        None => (figure.value, found.map(|found| found.value), figure.unit),
    };
    let spread = figure.spread.unwrap_or_default()
        + found.and_then(|found| found.spread).unwrap_or_default();
    let moved = match before {
        None => Moved::New,
        Some(before) if (now / before - 1.0).abs() <= spread.max(MIN_CHANGE) => Moved::WithinSpread,
        Some(before) => match figure.target.map(|target| target.side) {
            Some(Side::AtMost) if now < before => Moved::Better,
            Some(Side::AtLeast) if now > before => Moved::Better,
            Some(_) => Moved::Worse,
            None => Moved::Changed,
        },
    };
    Change { id: figure.id, what: &figure.what, earlier: before, now, unit, spread, moved }
}

/// Returns the table of what moved.
pub(super) fn table(changes: &[Change<'_>]) -> String {
    let moved: Vec<_> =
        changes.iter().filter(|change| change.moved != Moved::WithinSpread).collect();
    let within = changes.len() - moved.len();
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(["id", "what", "earlier", "now", "change", "±", ""]);
    for place in 2..6 {
        if let Some(column) = table.column_mut(place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for change in moved {
        let earlier = change.earlier;
        table.add_row([
            change.id.to_owned(),
            change.what.to_owned(),
            earlier.map_or(String::new(), |earlier| with_unit(earlier, change.unit)),
            with_unit(change.now, change.unit),
            earlier.map_or(String::new(), |earlier| {
                format!("{:+.1} %", (change.now / earlier - 1.0) * 100.0)
            }),
            format!("{:.1} %", change.spread * 100.0),
            change.moved.word().to_owned(),
        ]);
    }
    format!("{table}\n{within} figures are within the spread of both runs, or within 2 %.")
}

impl Moved {
    fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Changed => "moved",
            Self::WithinSpread => "",
            Self::New => "new",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    const EARLIER: &str = r#"{"results":[
        {"id":"V1","what":"a check","value":100.0,"ratio":1.5,"spread":0.01,"unit":"ns"},
        {"id":"R4","what":"issues","value":1000.0,"ratio":null,"spread":0.05,"unit":"/s"}
    ]}"#;

    fn moved(figure: Figure) -> Moved {
        let earlier = Earlier::parse(EARLIER).expect("the example is valid");
        change(&figure, &earlier).moved
    }

    fn check(ratio: f64) -> Figure {
        let target = Target { of: Of::Ratio, side: Side::AtMost, pass: 1.5, excellent: Some(1.2) };
        let figure = Figure::plain("V1", "a check", 80.0, "ns").beside_value("floor", 80.0 / ratio);
        Figure { spread: Some(0.02), ..figure.against(target) }
    }

    #[test]
    fn a_figure_moves_when_it_leaves_both_spreads() {
        assert_eq!(moved(check(1.46)), Moved::WithinSpread);
        assert_eq!(moved(check(1.40)), Moved::Better);
        assert_eq!(moved(check(1.60)), Moved::Worse);
    }

    #[test]
    fn values_are_compared_where_there_is_no_ratio() {
        let issues = |value| Figure::plain("R4", "issues", value, "/s");
        assert_eq!(moved(issues(1_040.0)), Moved::WithinSpread);
        assert_eq!(moved(issues(1_200.0)), Moved::Changed);
        assert_eq!(moved(Figure::plain("R4", "others", 1.0, "/s")), Moved::New);
    }
}
