//! The library of Standard Webhooks receives events.

use std::process::Command;

use anyhow::Result;

use super::service::Service;
use super::tools;

/// Runs a receiver by `standardwebhooks`.
pub(super) fn run() -> Result<()> {
    let folder = tools::node("standardwebhooks")?;
    let service = Service::start()?;
    let mut script = Command::new("node");
    script.arg("run.mjs").current_dir(folder).env("KEYFOB_URL", &service.url);
    tools::run(script.env("KEYFOB_ADMIN_KEY", &service.admin_key))
}
