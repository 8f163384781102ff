//! What a server keeps when its settings are replaced.

use super::lists::StatusLists;
use super::places::Places;

/// What is kept about JWTs while the settings are replaced.
#[derive(Debug, Default)]
pub(crate) struct JwtState {
    pub(crate) places: Places,
    pub(crate) lists: StatusLists,
}
