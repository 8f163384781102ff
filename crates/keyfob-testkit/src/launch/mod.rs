//! Servers as processes: on free ports, in folders of their own, and killed when the tests end.

mod error;
mod process;
mod program;
mod watchdog;

pub use error::LaunchError;
pub(crate) use process::{Process, free_port, wait_until};
pub use program::Program;

use tempfile::TempDir;

/// A folder that is removed when it is dropped, or at the latest when the tests end. Its path
/// contains no symbolic links.
pub(crate) fn new_folder(prefix: &str) -> Result<TempDir, LaunchError> {
    let root = std::env::temp_dir().canonicalize()?;
    let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(root)?;
    watchdog::remove_at_the_end(folder.path())?;
    Ok(folder)
}
