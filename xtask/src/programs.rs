//! Installs the programs that the tests run, if they are missing.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

/// The programs: servers, and what the guides of the documentation use.
const PROGRAMS: [&str; 5] = ["redis-server", "redis-cli", "nats-server", "curl", "jq"];

/// The package managers to try, by the name of their program, with the steps that install all of them.
const MANAGERS: [(&str, &[&[&str]]); 5] = [
    (
        "apt-get",
        &[
            &["update"],
            &[
                "install",
                "-y",
                "--no-install-recommends",
                "redis-server",
                "redis-tools",
                "nats-server",
                "curl",
                "jq",
            ],
        ],
    ),
    ("dnf", &[&["install", "-y", "redis", "curl", "jq"], &["install", "-y", "nats-server"]]),
    ("apk", &[&["add", "redis", "nats-server", "curl", "jq", "bash"]]),
    ("pacman", &[&["-Sy", "--noconfirm", "redis", "nats-server", "curl", "jq"]]),
    ("brew", &[&["install", "redis", "nats-server", "curl", "jq"]]),
];

/// Installs what is missing by the system's package manager.
pub(crate) fn ensure_installed() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    let Some((manager, steps)) = MANAGERS.iter().find(|(name, _)| in_path(name).is_some()) else {
        bail!(
            "missing: {missing}, and no known package manager was found. Install them (Redis 7.0 or later), \
             or set KEYFOB_REDIS_SERVER and KEYFOB_NATS_SERVER to the paths of the servers"
        );
    };
    for step in *steps {
        let words = elevated(manager, step);
        let shown = words.join(" ");
        crate::say(&format!("missing: {missing}; installing: {shown}"));
        let Some((program, args)) = words.split_first() else { continue };
        // An install must not start a server of its own: the tests start theirs on free ports.
        let status = Command::new(program)
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("RUNLEVEL", "1")
            .status();
        if !status.is_ok_and(|status| status.success()) {
            bail!(
                "`{shown}` failed. Install {missing} by hand (Redis 7.0 or later), or set \
                 KEYFOB_REDIS_SERVER and KEYFOB_NATS_SERVER to the paths of the servers"
            );
        }
    }
    match self::missing().first() {
        None => Ok(()),
        Some(program) => {
            bail!("{manager} succeeded, but {program} is not in PATH. Install it by hand")
        }
    }
}

/// Returns the programs that are not in PATH.
fn missing() -> Vec<&'static str> {
    let is_set = |variable| std::env::var_os(variable).is_some();
    let (has_own_redis, has_own_nats) =
        (is_set("KEYFOB_REDIS_SERVER"), is_set("KEYFOB_NATS_SERVER"));
    let is_needed = |program: &&str| match *program {
        "redis-server" | "redis-cli" => !has_own_redis,
        "nats-server" => !has_own_nats,
        _ => true,
    };
    let missing = |program: &&str| in_path(program).is_none();
    PROGRAMS.into_iter().filter(is_needed).filter(missing).collect()
}

/// Returns the command with root rights: through `sudo -n`, unless the user is root already.
pub(crate) fn elevated<'a>(manager: &'a str, step: &[&'a str]) -> Vec<&'a str> {
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
