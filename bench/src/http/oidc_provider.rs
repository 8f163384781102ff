//! `oidc-provider` of Node, the reference of H2 and H3.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::install;
use super::keyfob::text;
use super::load::Load;
use super::process::{Process, pinned};
use super::request::{self, FORM, Request, basic};

/// The packages, with their versions.
const PACKAGES: [&str; 2] = ["oidc-provider@9.13.3", "ioredis@5.8.2"];
const PROGRAM: &str = include_str!("../../references/oidc-provider.mjs");

/// The number of tokens. Its store in memory keeps a thousand entries.
const TOKENS: usize = 200;

/// A running provider.
#[derive(Debug)]
pub(crate) struct OidcProvider {
    pub(crate) process: Process,
    pub(crate) introspect: Arc<Load>,
}

impl OidcProvider {
    /// Starts it, with its store in memory, or on the Redis at a URL.
    pub(crate) fn start(redis: Option<&str>) -> Result<Self> {
        let folder = install::folder("oidc-provider")?;
        install::npm(&folder, &PACKAGES)?;
        let program = folder.join("provider.mjs");
        std::fs::write(&program, PROGRAM)?;
        let mut command = pinned("node".as_ref());
        command.arg(&program).env("NODE_ENV", "production");
        if let Some(redis) = redis {
            command.env("REDIS_URL", redis);
        }
        let (process, line) = Process::start(&mut command)?;
        let port = line.trim().parse().context("oidc-provider printed no port")?;
        let authorization = basic("client", "secret");
        let headers = [("authorization", &*authorization)];
        let mut requests = Vec::with_capacity(TOKENS);
        for _ in 0..TOKENS {
            let body = "grant_type=client_credentials&scope=read";
            let answer = request::ask(port, &Request::post("/token", FORM, &headers, body))?;
            let said = String::from_utf8_lossy(&answer.body);
            ensure!(answer.status == 200, "oidc-provider issued no token: {said}");
            let token = text(&serde_json::from_slice::<Value>(&answer.body)?, "access_token")?;
            let body = format!("token={token}");
            requests.push(Request::post("/token/introspection", FORM, &headers, &body));
        }
        let contains = r#""active":true"#;
        let introspect = Arc::new(Load { port, requests, status: 200, contains });
        Ok(Self { process, introspect })
    }
}
