//! nginx with `auth_request`.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::gateway::{Answers, Guarded};
use super::install;

/// Guards a page by nginx.
pub(super) fn run() -> Result<()> {
    install::debian(&["nginx-light"], "/usr/sbin/nginx")?;
    let guarded = Guarded::start("nginx", |_, folder| {
        let mut nginx = Command::new("/usr/sbin/nginx");
        // One process, so that it ends when it is killed.
        let settings = "daemon off; master_process off; pid nginx.pid; error_log stderr;";
        nginx.arg("-p").arg(folder).args(["-c", "nginx.conf", "-g", settings]);
        Ok(nginx)
    })?;
    guarded.walk_chain().context("a chain")?;
    let inner = guarded.get("/_authz/read", "nonsense", &[])?;
    ensure!(inner.status == 404, "a location for nginx alone: {inner:?}");
    guarded.walk(&Answers::ALL).map(drop)
}
