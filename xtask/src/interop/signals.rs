//! A receiver of Shared Signals, with `jose`, finds the service, manages streams, polls and is pushed tokens.

use std::process::Command;

use anyhow::Result;
use serde_json::json;

use super::service::Service;
use super::tools;

/// Runs the receiver.
pub(super) fn run() -> Result<()> {
    let folder = tools::node("signals")?;
    let service = Service::start_as_issuer()?;
    let key = json!({ "kind": "api-key", "client": "idp", "scopes": ["keyfob:signals"] });
    let mut script = Command::new("node");
    script.arg("run.mjs").current_dir(folder).env("KEYFOB_URL", &service.url);
    script.env("KEYFOB_SIGNALS_KEY", service.issue(&key)?);
    tools::run(script.env("KEYFOB_ADMIN_KEY", &service.admin_key))
}
