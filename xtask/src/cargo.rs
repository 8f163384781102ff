//! Running cargo.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs cargo in the root of the workspace. Fails if cargo fails.
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

/// Runs cargo in the root of the workspace and returns its standard output.
pub(crate) fn output<'a>(args: impl IntoIterator<Item = &'a str>) -> Result<String> {
    let args: Vec<&str> = args.into_iter().collect();
    let shown = format!("cargo {}", args.join(" "));
    crate::say(&format!("$ {shown}"));
    let output = Command::new(env!("CARGO"))
        .args(&args)
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{shown} could not be started"))?;
    if !output.status.success() {
        bail!("{shown} failed");
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Returns what `cargo metadata` says about the workspace's own crates.
pub(crate) fn metadata() -> Result<serde_json::Value> {
    let text = output(["metadata", "--no-deps", "--offline", "--format-version", "1"])?;
    serde_json::from_str(&text).context("cargo metadata is not JSON")
}

/// Returns whether cargo has a subcommand.
pub(crate) fn has(subcommand: &str) -> bool {
    Command::new(env!("CARGO"))
        .args([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Returns the directory for build output.
pub(crate) fn target() -> std::path::PathBuf {
    let chosen = std::env::var_os("CARGO_TARGET_DIR").map(std::path::PathBuf::from);
    root().join(chosen.unwrap_or_else(|| "target".into()))
}

/// Returns the root of the workspace.
pub(crate) fn root() -> std::path::PathBuf {
    let mut root = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}
