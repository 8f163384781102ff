//! nginx with `auth_request`.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::gateway::{Answers, Guarded};
use super::install;

/// Starts nginx before a page.
pub(super) fn guard() -> Result<Guarded> {
    install::debian(&["nginx-light"], "/usr/sbin/nginx")?;
    Guarded::start("nginx", |_, folder| {
        let mut nginx = Command::new("/usr/sbin/nginx");
        // One process, so that it ends when it is killed.
        let settings = "daemon off; master_process off; pid nginx.pid; error_log stderr;";
        nginx.arg("-p").arg(folder).args(["-c", "nginx.conf", "-g", settings]);
        Ok(nginx)
    })
}

/// Guards a page by nginx.
pub(super) fn run() -> Result<()> {
    let guarded = guard()?;
    guarded.walk_chain().context("a chain")?;
    let inner = guarded.get("/_authz/read", "nonsense", &[])?;
    ensure!(inner.status == 404, "a location for nginx alone: {inner:?}");
    guarded.walk_proofs().context("proofs of possession")?;
    guarded.walk(&Answers::ALL).map(drop)
}
