//! The folders for the files of a run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// Creates a folder on a disk. Temporary folders are often in memory, where durability costs nothing.
pub(crate) fn on_disk() -> Result<TempDir> {
    let root = target().join("bench").join("data");
    std::fs::create_dir_all(&root)
        .with_context(|| format!("the folder {} could not be made", root.display()))?;
    Ok(tempfile::Builder::new().prefix("run-").tempdir_in(root)?)
}

/// Returns the folder for plots and results.
pub(crate) fn of_results() -> PathBuf {
    target().join("bench")
}

/// Returns the folder for build output.
pub(crate) fn target() -> PathBuf {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
    bench.parent().unwrap_or(bench).join("target")
}
