//! Installs other services below `target/bench/references`, with the clients of their registries.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Returns the folder of a reference, and creates it.
pub(crate) fn folder(name: &str) -> Result<PathBuf> {
    let folder = crate::folder::of_results().join("references").join(name);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("the folder {} could not be made", folder.display()))?;
    Ok(folder)
}

/// Installs packages of npm, unless they are there.
pub(crate) fn npm(folder: &Path, packages: &[&str]) -> Result<()> {
    let names = packages.iter().filter_map(|package| package.split('@').next());
    if names.map(|name| folder.join("node_modules").join(name)).all(|path| path.is_dir()) {
        return Ok(());
    }
    let mut command = Command::new("npm");
    command.args(["install", "--no-audit", "--no-fund", "--no-save", "--prefix"]);
    run(command.arg(folder).args(packages))
}

/// Installs a package of PyPI, unless `made` is there.
pub(crate) fn pip(folder: &Path, package: &str, made: &Path) -> Result<()> {
    if made.is_file() {
        return Ok(());
    }
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target"]);
    run(command.arg(folder).arg(package))
}

fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    crate::report::progress(&format!("  {shown}"));
    let output = command.output().with_context(|| format!("{shown} could not be started"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{shown} failed: {}", errors.trim());
    Ok(())
}
