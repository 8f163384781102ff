//! HAProxy with an action in Lua.

use std::process::Command;

use anyhow::{Context, Result};

use super::gateway::{Answers, Guarded};
use super::install;

/// Guards a page by HAProxy.
pub(super) fn run() -> Result<()> {
    install::debian(&["haproxy"], "/usr/sbin/haproxy")?;
    let guarded = Guarded::start("haproxy", |_, _| {
        let mut haproxy = Command::new("/usr/sbin/haproxy");
        haproxy.args(["-db", "-f", "haproxy.cfg"]);
        Ok(haproxy)
    })?;
    guarded.walk_proofs().context("proofs of possession")?;
    guarded.walk(&Answers::ALL).map(drop)
}
