//! The rules of the house that a program can check.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The most lines that a hand-written source file may have.
const MOST_LINES: usize = 800;
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
        bail!("the rules of the house are broken:\n  {}", broken.join("\n  "));
    }
    Ok(())
}

fn faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > MOST_LINES {
        faults.push(format!("{lines} lines: one idea per file, at most {MOST_LINES} lines"));
    }
    if !text.trim_start().starts_with("//!") && !text.contains("use super::") {
        faults.push("no module documentation: say the one idea of the file at its top".to_owned());
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
