//! Libraries of OAuth clients: each drives discovery, client credentials, token exchange, introspection,
//! revocation and refresh; those that can also tokens that are bound to a key.

use std::process::Command;

use anyhow::Result;
use serde_json::json;

use super::service::Service;
use super::{nginx, tools};

/// Runs oauth4webapi.
pub(super) fn oauth4webapi() -> Result<()> {
    let folder = tools::node("oauth4webapi")?;
    let service = Service::start()?;
    drive(&service, Command::new("node").arg("run.mjs").current_dir(&folder))?;
    drive(&service, Command::new("node").arg("dpop.mjs").current_dir(&folder))
}

/// Runs openid-client.
pub(super) fn openid_client() -> Result<()> {
    let folder = tools::node("openid-client")?;
    let guarded = nginx::guard()?;
    let service = guarded.service();
    drive(service, Command::new("node").arg("run.mjs").current_dir(&folder))?;
    let mut script = Command::new("node");
    script.arg("dpop.mjs").current_dir(&folder).env("GATEWAY_URL", guarded.url());
    drive(service, &mut script)
}

/// Runs Authlib.
pub(super) fn authlib() -> Result<()> {
    let folder = tools::python("authlib")?;
    let service = Service::start()?;
    drive(&service, Command::new(folder.join("venv/bin/python")).arg("run.py").current_dir(folder))
}

/// Runs a script with a server, the key of a client, and the tokens of a user.
fn drive(service: &Service, script: &mut Command) -> Result<()> {
    let key = json!({
        "kind": "api-key", "client": "shop", "audience": ["shop"],
        "scopes": ["read", "write", "keyfob:introspect"]
    });
    let refresh = json!({
        "kind": "refresh", "client": "shop", "subject": "alice", "audience": ["shop"],
        "scopes": ["read", "write"]
    });
    let for_jwts = json!({
        "kind": "refresh", "client": "shop", "subject": "alice",
        "audience": ["shop", "https://orders.example"], "scopes": ["read", "write"]
    });
    let public = json!({
        "kind": "refresh", "client": "spa", "subject": "alice", "audience": ["shop"],
        "scopes": ["read", "write"]
    });
    let subject = json!({
        "kind": "session", "client": "web", "subject": "alice", "audience": ["shop"],
        "scopes": ["read", "write"]
    });
    script
        .env("KEYFOB_URL", &service.url)
        .env("KEYFOB_ADMIN_KEY", &service.admin_key)
        .env("KEYFOB_CLIENT_SECRET", service.issue(&key)?)
        .env("KEYFOB_REFRESH_TOKEN", service.issue(&refresh)?)
        .env("KEYFOB_JWT_REFRESH_TOKEN", service.issue(&for_jwts)?)
        .env("KEYFOB_PUBLIC_REFRESH_TOKEN", service.issue(&public)?)
        .env("KEYFOB_SUBJECT_TOKEN", service.issue(&subject)?);
    tools::run(script)
}
