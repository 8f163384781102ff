//! The report as JSON.

use serde::Serialize;

use super::compare::Change;
use super::{Growth, Report};
use crate::target::{Of, Side};

#[derive(Serialize)]
struct Document<'a> {
    results: Vec<Row<'a>>,
    growth: &'a [Growth],
    notes: &'a [String],
    /// What differs from the earlier run, if there is one to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a [Change<'a>]>,
}

/// One figure. Several may share an id: its verdict is then the worst of theirs.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    what: &'a str,
    value: f64,
    unit: &'a str,
    reference: Option<f64>,
    reference_is: Option<&'a str>,
    ratio: Option<f64>,
    pass: Option<f64>,
    excellent: Option<f64>,
    /// The value that is compared with the targets, and whether lower or higher is better.
    mark_is: Option<String>,
    verdict: Option<&'a str>,
    spread: Option<f64>,
}

pub(super) fn of(report: &Report, changes: Option<&[Change<'_>]>) -> serde_json::Result<String> {
    let rows = report.figures.iter().map(|figure| Row {
        id: figure.id,
        what: &figure.what,
        value: figure.value,
        unit: figure.unit,
        reference: figure.reference.as_ref().map(|reference| reference.value),
        reference_is: figure.reference.as_ref().map(|reference| reference.what),
        ratio: figure.reference.as_ref().map(|reference| reference.ratio),
        pass: figure.target.map(|target| target.pass),
        excellent: figure.target.and_then(|target| target.excellent),
        mark_is: figure.target.map(|target| {
            let of = match target.of {
                Of::Ratio => "ratio",
                Of::Value => "value",
            };
            let side = match target.side {
                Side::AtMost => "at most",
                Side::AtLeast => "at least",
            };
            format!("{of} {side}")
        }),
        verdict: figure.verdict().map(|verdict| verdict.word()),
        spread: figure.spread,
    });
    let (growth, notes) = (&report.growth, &report.notes);
    serde_json::to_string_pretty(&Document { results: rows.collect(), growth, notes, changes })
}
