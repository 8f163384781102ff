//! A setting that the environment or the command line gives.

use toml::Value;

use super::error::Place;

/// A setting, its value, and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) place: Place,
    /// The sections and the name.
    pub(super) path: Vec<String>,
    pub(super) value: Value,
}
