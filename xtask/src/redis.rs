//! Installs `redis-server` for the tests, if it is missing.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

/// The package managers to try, by the name of their program, with the steps that install Redis.
const MANAGERS: [(&str, &[&[&str]]); 5] = [
    (
        "apt-get",
        &[
            &["update"],
            &["install", "-y", "--no-install-recommends", "redis-server", "redis-tools"],
        ],
    ),
    ("dnf", &[&["install", "-y", "redis"]]),
    ("apk", &[&["add", "redis"]]),
    ("pacman", &[&["-Sy", "--noconfirm", "redis"]]),
    ("brew", &[&["install", "redis"]]),
];

/// Installs `redis-server` by the system's package manager if it is missing.
pub(crate) fn ensure_installed() -> Result<()> {
    if std::env::var_os("KEYFOB_REDIS_SERVER").is_some() {
        return Ok(());
    }
    if in_path("redis-server").is_some() && in_path("redis-cli").is_some() {
        return Ok(());
    }
    let Some((manager, steps)) = MANAGERS.iter().find(|(name, _)| in_path(name).is_some()) else {
        bail!(
            "redis-server is missing, and no known package manager was found. Install Redis 7.0 or later, \
             or set KEYFOB_REDIS_SERVER to the path of a redis-server"
        );
    };
    for step in *steps {
        let words = elevated(manager, step);
        let shown = words.join(" ");
        crate::say(&format!("redis-server is missing; installing it: {shown}"));
        let Some((program, args)) = words.split_first() else { continue };
        // An install must not start a server of its own: the tests start theirs on free ports.
        let status = Command::new(program)
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("RUNLEVEL", "1")
            .status();
        if !status.is_ok_and(|status| status.success()) {
            bail!(
                "`{shown}` failed. Install Redis 7.0 or later by hand, or set KEYFOB_REDIS_SERVER to the \
                 path of a redis-server"
            );
        }
    }
    if in_path("redis-server").is_none() {
        bail!("{manager} succeeded, but redis-server is not in PATH. Install it by hand");
    }
    Ok(())
}

/// Returns the command with root rights: through `sudo -n`, unless the user is root already.
fn elevated<'a>(manager: &'a str, step: &[&'a str]) -> Vec<&'a str> {
    let mut words = Vec::new();
    let user = Command::new("id").arg("-u").output();
    let is_root = user.is_ok_and(|user| user.stdout.starts_with(b"0\n"));
    if !is_root && manager != "brew" && in_path("sudo").is_some() {
        words.extend(["sudo", "-n"]);
    }
    words.push(manager);
    words.extend(step);
    words
}

/// Returns the file of a program, if it is in PATH.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
