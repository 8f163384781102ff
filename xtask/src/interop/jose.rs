//! `jose` checks access tokens that are JWTs, and reads their status list.

use std::process::Command;

use anyhow::Result;
use serde_json::json;

use super::service::Service;
use super::tools;

/// Runs a service by `jose`.
pub(super) fn run() -> Result<()> {
    let folder = tools::node("jose")?;
    let service = Service::start()?;
    let key = json!({
        "kind": "api-key", "client": "shop", "audience": ["https://orders.example"],
        "scopes": ["read", "keyfob:introspect"]
    });
    let mut script = Command::new("node");
    script.arg("run.mjs").current_dir(folder).env("KEYFOB_URL", &service.url);
    script.env("KEYFOB_CLIENT_SECRET", service.issue(&key)?);
    tools::run(script.env("KEYFOB_ADMIN_KEY", &service.admin_key))
}
