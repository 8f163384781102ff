//! Libraries of OAuth clients: each drives discovery, client credentials, token exchange, introspection,
//! revocation and refresh.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use serde_json::json;

use super::install;
use super::service::Service;
use crate::cargo;

/// Runs oauth4webapi.
pub(super) fn oauth4webapi() -> Result<()> {
    node("oauth4webapi.mjs")
}

/// Runs openid-client.
pub(super) fn openid_client() -> Result<()> {
    node("openid-client.mjs")
}

/// Runs Authlib.
pub(super) fn authlib() -> Result<()> {
    let python = install::pip(&["Authlib==1.9.*", "requests==2.*"])?;
    drive(Command::new(python).arg(cargo::root().join("interop/python/authlib_client.py")))
}

fn node(script: &str) -> Result<()> {
    let folder = install::npm(&["oauth4webapi@3.8", "openid-client@6.8"])?;
    // Node looks for packages beside the script.
    let copy = folder.join(script);
    std::fs::copy(cargo::root().join("interop/node").join(script), &copy)?;
    drive(Command::new("node").arg(Path::new(&copy)))
}

/// Runs a script with a server, the key of a client, and the tokens of a user.
fn drive(script: &mut Command) -> Result<()> {
    let service = Service::start()?;
    let key = json!({
        "kind": "api-key", "client": "shop", "audience": "shop",
        "scopes": ["read", "write", "keyfob:introspect"]
    });
    let refresh = json!({
        "kind": "refresh", "client": "shop", "subject": "alice", "audience": "shop",
        "scopes": ["read", "write"]
    });
    let subject = json!({
        "kind": "session", "client": "web", "subject": "alice", "audience": "shop",
        "scopes": ["read", "write"]
    });
    script
        .env("KEYFOB_URL", &service.url)
        .env("KEYFOB_CLIENT_SECRET", service.issue(&key)?)
        .env("KEYFOB_REFRESH_TOKEN", service.issue(&refresh)?)
        .env("KEYFOB_SUBJECT_TOKEN", service.issue(&subject)?);
    install::run_hidden(script)
}
