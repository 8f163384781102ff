//! What a process knows of itself and of another one: its role, its memory.

use anyhow::{Context, Result};

/// The argument before a role on the command line.
pub(crate) const ROLE: &str = "--role";

/// Returns the resident memory of this process.
pub(crate) fn resident_bytes() -> Result<u64> {
    resident_bytes_of("self")
}

/// Returns the resident memory of a process.
pub(crate) fn resident_bytes_of(process: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))
        .context("this system does not report the memory of a process")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?;
    Ok(kilobytes.parse::<u64>()? * 1024)
}
