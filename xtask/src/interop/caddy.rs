//! Caddy with `forward_auth`.

use std::process::Command;

use anyhow::{Context, Result};

use super::gateway::{Answers, Guarded};
use super::install;

/// Guards a page by Caddy.
pub(super) fn run() -> Result<()> {
    install::debian(&["caddy"], "caddy")?;
    let guarded = Guarded::start("caddy", |_, folder| {
        let mut caddy = Command::new("caddy");
        caddy.args(["run", "--adapter", "caddyfile", "--config", "Caddyfile"]).env("HOME", folder);
        Ok(caddy)
    })?;
    guarded.walk_proofs().context("proofs of possession")?;
    guarded.walk(&Answers { without_keyfob: 502, ..Answers::ALL }).map(drop)
}
