//! Where the files of a run lie.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// A folder on a disk: temporary ones are often in memory, where nothing has to be made durable.
pub(crate) fn on_disk() -> Result<TempDir> {
    let root = target().join("bench").join("data");
    std::fs::create_dir_all(&root)
        .with_context(|| format!("the folder {} could not be made", root.display()))?;
    Ok(tempfile::Builder::new().prefix("run-").tempdir_in(root)?)
}

/// Where plots and results go.
pub(crate) fn of_results() -> PathBuf {
    target().join("bench")
}

fn target() -> PathBuf {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
    bench.parent().unwrap_or(bench).join("target")
}
