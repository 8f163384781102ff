//! A running `keyfob serve --dev` on a free port.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use super::http::{self, Answer};
use super::process;
use crate::cargo;

/// A server over a store in memory. It stops when this is dropped.
pub(super) struct Service {
    process: Child,
    /// The URL, without a slash at the end.
    pub(super) url: String,
    /// The key of an administrator.
    pub(super) admin_key: String,
}

/// Builds `keyfob`, and returns its path. `KEYFOB_BINARY` names another binary instead.
pub(super) fn program() -> Result<PathBuf> {
    match std::env::var_os("KEYFOB_BINARY") {
        Some(binary) => Ok(PathBuf::from(binary)),
        None => {
            cargo::run(["build", "--quiet", "-p", "keyfob-cli"], &[])?;
            Ok(cargo::target().join("debug/keyfob"))
        }
    }
}

impl Service {
    /// Builds `keyfob`, and starts a server.
    pub(super) fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Builds `keyfob`, and starts a server with further arguments. See [`program`]. Its proofs of possession need
    /// a nonce, `spa` is a public client, and access tokens for `https://orders.example` are JWTs.
    pub(super) fn start_with(args: &[&str]) -> Result<Self> {
        Self::launch("127.0.0.1:0", args, None)
    }

    /// Builds `keyfob`, and starts a server that has its own URL as its issuer, for what is sent without a request.
    pub(super) fn start_as_issuer() -> Result<Self> {
        let address = process::free_address()?.to_string();
        Self::launch(&address, &[], Some(&format!("http://{address}")))
    }

    fn launch(listen: &str, args: &[&str], issuer: Option<&str>) -> Result<Self> {
        let program = program()?;
        let mut process = Command::new(&program)
            .args(["serve", "--dev", "--json", "--listen", listen])
            .args(args)
            .envs(issuer.map(|issuer| ("KEYFOB_ISSUER", issuer)))
            // What needs no proof is not changed by this.
            .envs([("KEYFOB_DPOP_NONCE", "required"), ("KEYFOB_PUBLIC_CLIENTS", "spa")])
            .env("KEYFOB_JWT_AUDIENCES", "https://orders.example")
            .env("KEYFOB_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8")
            .env("KEYFOB_SIGNALS_ALLOWED_NETWORKS", "127.0.0.0/8")
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("{} could not be started", program.display()))?;
        let stdout = process.stdout.take().context("the server has no output")?;
        let mut service = Self { process, url: String::new(), admin_key: String::new() };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let announced: serde_json::Value =
            serde_json::from_str(&line).context("the server did not announce itself")?;
        let text = |name: &str| announced.get(name).and_then(serde_json::Value::as_str);
        service.url = text("url").context("the server announced no URL")?.to_owned();
        service.admin_key = text("admin_key").context("the server announced no key")?.to_owned();
        Ok(service)
    }

    /// Returns the address that it listens on.
    pub(super) fn address(&self) -> Result<SocketAddr> {
        Ok(self.url.trim_start_matches("http://").parse()?)
    }

    /// Reads a path as the administrator. Returns the status and the body.
    pub(super) fn get(&self, path: &str) -> Result<(u16, String)> {
        let answer = self.send("GET", path, "application/json", "")?;
        Ok((answer.status, answer.body))
    }

    /// Issues a token as the administrator. Returns its bearer token.
    pub(super) fn issue(&self, grant: &Value) -> Result<String> {
        let answer = self.send("POST", "/v1/tokens", "application/json", &grant.to_string())?;
        let issued = answer.json()?;
        let bearer = issued.get("bearer").and_then(Value::as_str);
        Ok(bearer.with_context(|| format!("no token was issued: {answer:?}"))?.to_owned())
    }

    /// Sends a form as the administrator. Its values need no encoding.
    pub(super) fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Answer> {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.send("POST", path, "application/x-www-form-urlencoded", &pairs.join("&"))
    }

    /// Stops the server, as if its machine were lost.
    pub(super) fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    fn send(&self, method: &str, path: &str, content_type: &str, body: &str) -> Result<Answer> {
        let authorization = format!("Bearer {}", self.admin_key);
        let headers = [("Authorization", &*authorization), ("Content-Type", content_type)];
        http::send(self.address()?, method, path, &headers, body)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}
