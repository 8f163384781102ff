//! The report: figures and growth lines, as a table, as JSON, and as pictures.

mod compare;
mod json;
mod svg;
mod table;

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

pub(crate) use compare::Earlier;

use crate::measure::Series;
use crate::target::{self, Target, Verdict};

/// The file of the results for machines.
const RESULTS: &str = "results.json";

/// All results of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    figures: Vec<Figure>,
    growth: Vec<Growth>,
    notes: Vec<String>,
}

/// One measured value.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// The row that it belongs to; a row may have several figures.
    id: &'static str,
    what: String,
    value: f64,
    unit: &'static str,
    reference: Option<Reference>,
    target: Option<Target>,
    /// The spread of the ratio if there is one, else of the value.
    spread: Option<f64>,
}

#[derive(Clone, Debug)]
struct Reference {
    what: &'static str,
    value: f64,
    ratio: f64,
}

/// The cost of an operation as the number of tokens grows.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Growth {
    /// The store.
    pub(crate) store: &'static str,
    /// The operation, or another value that grows.
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    /// Numbers of tokens, and the cost at each.
    pub(crate) points: Vec<(u64, f64)>,
}

impl Figure {
    /// Creates a figure from one value.
    pub(crate) fn plain(
        id: &'static str,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> Self {
        Self { id, what: what.into(), value, unit, reference: None, target: None, spread: None }
    }

    /// Creates a figure from the values of rounds.
    pub(crate) fn of(
        id: &'static str,
        what: impl Into<String>,
        values: &Series,
        unit: &'static str,
    ) -> Self {
        let spread = Some(values.spread());
        Self { spread, ..Self::plain(id, what, values.median(), unit) }
    }

    /// Sets the reference from the same rounds. The ratio is the median of the ratios of the
    /// rounds.
    pub(crate) fn beside(self, what: &'static str, values: &Series, reference: &Series) -> Self {
        let ratios = values.over(reference);
        let ratio = ratios.median();
        let reference = Some(Reference { what, value: reference.median(), ratio });
        Self { reference, spread: Some(ratios.spread()), ..self }
    }

    /// The same, as the factor by which the reference costs more.
    pub(crate) fn ahead_of(self, what: &'static str, values: &Series, peer: &Series) -> Self {
        let ratios = peer.over(values);
        let reference = Some(Reference { what, value: peer.median(), ratio: ratios.median() });
        Self { reference, spread: Some(ratios.spread()), ..self }
    }

    /// Sets a reference that has one value.
    pub(crate) fn beside_value(self, what: &'static str, value: f64) -> Self {
        let ratio = self.value / value;
        Self { reference: Some(Reference { what, value, ratio }), ..self }
    }

    /// Compares the figure with the targets of its row.
    pub(crate) fn judged(self) -> Self {
        let target = target::of(self.id);
        Self { target, ..self }
    }

    /// Compares the figure with these targets.
    pub(crate) fn against(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    fn verdict(&self) -> Option<Verdict> {
        let ratio = self.reference.as_ref().map(|reference| reference.ratio);
        self.target.map(|target| target.verdict(self.value, ratio))
    }
}

impl Report {
    pub(crate) fn add(&mut self, figure: Figure) {
        progress(&format!("  {} {}", figure.id, table::brief(&figure)));
        self.figures.push(figure);
    }

    pub(crate) fn grow(&mut self, growth: Growth) {
        self.growth.push(growth);
    }

    /// Adds a note for the reader of the figures.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        progress(&format!("  note: {note}"));
        self.notes.push(note);
    }

    /// Prints the report, with what moved since an earlier run, and writes the pictures to `folder`.
    pub(crate) fn publish(
        mut self,
        as_json: bool,
        folder: &Path,
        earlier: Option<&Earlier>,
    ) -> Result<()> {
        // Groups run in an order that suits their data; a reader looks for rows.
        self.figures.sort_by_key(|figure| row_order(figure.id));
        std::fs::create_dir_all(folder)
            .with_context(|| format!("the folder {} could not be made", folder.display()))?;
        let changes = earlier.map(|earlier| compare::changes(&self.figures, earlier));
        let json = json::of(&self, changes.as_deref())?;
        for (name, text) in [
            (RESULTS, json.as_str()),
            ("ratios.svg", &svg::ratios(&self.figures)),
            ("growth.svg", &svg::growth(&self.growth)),
        ] {
            let path = folder.join(name);
            std::fs::write(&path, text)
                .with_context(|| format!("{} could not be written", path.display()))?;
        }
        let text = match changes {
            _ if as_json => json,
            Some(changes) => format!("{}\n{}", table::of(&self), compare::table(&changes)),
            None => table::of(&self),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}").context("the report could not be printed")?;
        progress(&format!("plots and results.json are in {}", folder.display()));
        Ok(())
    }
}

fn row_order(id: &str) -> (usize, &str) {
    ("VRCIPEXSH".find(|letter| id.starts_with(letter)).unwrap_or(usize::MAX), id)
}

/// Prints progress.
#[expect(clippy::print_stderr, reason = "a run takes minutes and people watch it")]
pub(crate) fn progress(line: &str) {
    eprintln!("{line}");
}
