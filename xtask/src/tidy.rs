//! The house rules that hold for each source file on its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The maximum number of lines of a source file.
const MAX_LINES: usize = 800;
const UNFINISHED: [&str; 4] = ["todo!(", "unimplemented!(", "FIXME", "#[ignore"];

/// Checks every source file.
pub(crate) fn check() -> Result<()> {
    let root = crate::cargo::root();
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "fuzz", "bench"] {
        collect(&root.join(folder), &mut files)?;
    }
    let mut broken = Vec::new();
    for file in &files {
        // This file names what it looks for.
        if file.ends_with("tidy.rs") {
            continue;
        }
        let text = fs::read_to_string(file)?;
        let shown = file.strip_prefix(&root).unwrap_or(file).display();
        broken.extend(faults(&text).into_iter().map(|fault| format!("{shown}: {fault}")));
    }
    if !broken.is_empty() {
        bail!("house rules are broken (see CONTRIBUTING.md):\n  {}", broken.join("\n  "));
    }
    Ok(())
}

fn faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > MAX_LINES {
        faults.push(format!("{lines} lines: one idea per file, at most {MAX_LINES} lines"));
    }
    let mut code = text.lines().filter(|line| !line.is_empty() && !line.starts_with("#!["));
    if !code.next().is_some_and(|line| line.starts_with("//!")) {
        faults.push(
            "no module documentation: begin the file with a //! line that says its one idea"
                .to_owned(),
        );
    }
    for marker in UNFINISHED {
        if let Some(place) = text.lines().position(|line| line.contains(marker)) {
            faults.push(format!("line {}: {marker} is not done", place + 1));
        }
    }
    faults
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
