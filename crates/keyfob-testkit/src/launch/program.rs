//! Which program is started.

use std::path::PathBuf;

/// A program that tests start: the one that a variable names, or the usual one in the path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Program {
    /// The name of the file, and of its package.
    pub name: &'static str,
    /// The variable of the environment that may name another file.
    pub variable: &'static str,
}

impl Program {
    /// Returns the file.
    pub(super) fn path(self) -> PathBuf {
        std::env::var_os(self.variable).map_or_else(|| self.name.into(), PathBuf::from)
    }
}
