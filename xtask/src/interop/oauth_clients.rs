//! Libraries of OAuth clients: each drives discovery, client credentials, token exchange, introspection,
//! revocation and refresh.

use std::process::Command;

use anyhow::Result;
use serde_json::json;

use super::service::Service;
use super::tools;

/// Runs oauth4webapi.
pub(super) fn oauth4webapi() -> Result<()> {
    let folder = tools::node("oauth4webapi")?;
    drive(Command::new("node").arg("run.mjs").current_dir(folder))
}

/// Runs openid-client.
pub(super) fn openid_client() -> Result<()> {
    let folder = tools::node("openid-client")?;
    drive(Command::new("node").arg("run.mjs").current_dir(folder))
}

/// Runs Authlib.
pub(super) fn authlib() -> Result<()> {
    let folder = tools::python("authlib")?;
    drive(Command::new(folder.join("venv/bin/python")).arg("run.py").current_dir(folder))
}

/// Runs a script with a server, the key of a client, and the tokens of a user.
fn drive(script: &mut Command) -> Result<()> {
    let service = Service::start()?;
    let key = json!({
        "kind": "api-key", "client": "shop", "audience": ["shop"],
        "scopes": ["read", "write", "keyfob:introspect"]
    });
    let refresh = json!({
        "kind": "refresh", "client": "shop", "subject": "alice", "audience": ["shop"],
        "scopes": ["read", "write"]
    });
    let subject = json!({
        "kind": "session", "client": "web", "subject": "alice", "audience": ["shop"],
        "scopes": ["read", "write"]
    });
    script
        .env("KEYFOB_URL", &service.url)
        .env("KEYFOB_CLIENT_SECRET", service.issue(&key)?)
        .env("KEYFOB_REFRESH_TOKEN", service.issue(&refresh)?)
        .env("KEYFOB_SUBJECT_TOKEN", service.issue(&subject)?);
    tools::run(script)
}
