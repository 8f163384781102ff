//! Drawings as SVG. Colours come from the style sheet by classes, so they follow light and dark.

pub(crate) mod chart;
pub(crate) mod states;
pub(crate) mod tree;
