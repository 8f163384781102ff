//! Running cargo.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs cargo in the root of the workspace and fails if it does.
pub(crate) fn run<'a>(
    args: impl IntoIterator<Item = &'a str>,
    environment: &[(&str, &str)],
) -> Result<()> {
    let args: Vec<&str> = args.into_iter().collect();
    let shown = format!("cargo {}", args.join(" "));
    crate::say(&format!("$ {shown}"));
    let status = Command::new(env!("CARGO"))
        .args(&args)
        .envs(environment.iter().copied())
        .current_dir(root())
        .status()
        .with_context(|| format!("{shown} could not be started"))?;
    if !status.success() {
        bail!("{shown} failed");
    }
    Ok(())
}

/// Whether cargo has a subcommand.
pub(crate) fn has(subcommand: &str) -> bool {
    Command::new(env!("CARGO"))
        .args([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The root of the workspace.
pub(crate) fn root() -> std::path::PathBuf {
    let mut root = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}
