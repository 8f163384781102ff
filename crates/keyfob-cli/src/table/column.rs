//! The columns of a table.

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) heading: &'static str,
    pub(crate) fit: Fit,
}

impl Column {
    /// A column whose cells are always shown whole, on one line.
    pub(crate) const fn whole(heading: &'static str) -> Self {
        Self { heading, fit: Fit::Whole }
    }

    /// A column whose cells are cut where the terminal is narrow.
    pub(crate) const fn cut(heading: &'static str) -> Self {
        Self { heading, fit: Fit::Cut }
    }

    /// A column whose cells are broken into lines where the terminal is narrow.
    pub(crate) const fn wrap(heading: &'static str) -> Self {
        Self { heading, fit: Fit::Wrap }
    }
}

/// What becomes of a column that has not enough room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fit {
    /// It keeps its width: a part of an id or of a number is of no use.
    Whole,
    /// Its cells are cut, with `…` at the end.
    Cut,
    /// Its cells are broken into lines.
    Wrap,
}
