//! `keyfob serve` as a process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::load::Load;
use super::process::{Process, pinned};
use super::request::{self, FORM, JSON, Request, basic};

/// The client that asks.
pub(crate) const CLIENT: &str = "resource-server";

/// A running server, and a key of it.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) process: Process,
    pub(crate) port: u16,
    /// The key of an administrator, or another one that may introspect.
    pub(crate) key: String,
}

/// Names a program to measure instead of the one of this repository.
const PROGRAM: &str = "KEYFOB_BENCH_PROGRAM";

/// Builds the program as it is distributed, and returns its path.
pub(crate) fn build() -> Result<PathBuf> {
    if std::env::var_os(PROGRAM).is_some() {
        return Ok(program());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no root")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--profile", "dist", "--quiet", "-p", "keyfob-cli"])
        .current_dir(root)
        .status()
        .context("cargo could not be started")?;
    ensure!(status.success(), "keyfob could not be built");
    Ok(program())
}

fn program() -> PathBuf {
    let named = std::env::var_os(PROGRAM).map(PathBuf::from);
    named.unwrap_or_else(|| crate::folder::target().join("dist").join("keyfob"))
}

impl Service {
    /// Starts a server over an empty store in memory.
    pub(crate) fn in_memory() -> Result<Self> {
        Self::start(&["--dev"], None)
    }

    /// Starts a server on a store, of which `key` is a key.
    pub(crate) fn on(store: &str, key: &str) -> Result<Self> {
        Self::start(&["--store", store], Some(key))
    }

    /// Starts an edge in front of this server. Its configuration is written to `folder`. It has this server's key.
    pub(crate) fn edge(&self, folder: &Path) -> Result<Self> {
        let grant = json!({"kind": "api-key", "client": "edge", "scopes": ["keyfob:edge"]});
        let key = text(&self.post("/v1/tokens", &grant)?, "bearer")?;
        let (config, key_file) = (folder.join("edge.toml"), folder.join("edge-key"));
        std::fs::write(&key_file, key)?;
        let central = format!("http://127.0.0.1:{}", self.port);
        let text = format!("[edge]\ncentral = {central:?}\nkey_file = {key_file:?}\n");
        std::fs::write(&config, text)?;
        let config = config.to_str().context("the folder's name is not Unicode")?;
        Self::start(&["--config", config], Some(&self.key))
    }

    fn start(args: &[&str], key: Option<&str>) -> Result<Self> {
        let mut command = pinned(&program());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KEYFOB_") {
                command.env_remove(name);
            }
        }
        command.args(["serve", "--json", "--listen", "127.0.0.1:0"]).args(args);
        let (process, line) = Process::start(&mut command)?;
        let started: Value = serde_json::from_str(&line).context("the server printed no JSON")?;
        let text = |name: &str| started.get(name).and_then(Value::as_str);
        let url = text("url").context("the server printed no URL")?;
        let port = url.rsplit(':').next().context("no port")?.parse()?;
        let key = key.or(text("admin_key")).context("there is no key")?.to_owned();
        Ok(Self { process, port, key })
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.key)
    }

    /// Sends a body of JSON and returns the answer.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let headers = [("authorization", &*self.bearer())];
        let answer =
            request::ask(self.port, &Request::post(path, JSON, &headers, &body.to_string()))?;
        let text = String::from_utf8_lossy(&answer.body);
        ensure!(matches!(answer.status, 200 | 201), "{}: {text}", answer.status);
        Ok(serde_json::from_slice(&answer.body)?)
    }

    /// Issues tokens. Returns their bearer tokens.
    pub(crate) fn issue(&self, count: usize) -> Result<Vec<String>> {
        let mut bearers = Vec::with_capacity(count);
        while bearers.len() < count {
            let numbers = bearers.len()..count.min(bearers.len() + 1_000);
            let grants: Vec<_> = numbers.map(grant).collect();
            let answer = self.post("/v1/tokens", &json!(grants))?;
            for issued in answer.as_array().context("no array")? {
                bearers.push(text(issued, "bearer")?);
            }
        }
        Ok(bearers)
    }

    /// Issues an API key that may introspect. Returns the header of its client.
    pub(crate) fn introspecting_client(&self) -> Result<String> {
        let grant = json!({"kind": "api-key", "client": CLIENT, "scopes": ["keyfob:introspect"]});
        Ok(basic(CLIENT, &text(&self.post("/v1/tokens", &grant)?, "bearer")?))
    }

    /// Returns a load that introspects these bearer tokens in turn.
    pub(crate) fn introspect(&self, authorization: &str, bearers: &[String]) -> Arc<Load> {
        let request = |bearer: &String| {
            let headers = [("authorization", authorization)];
            Request::post("/oauth2/introspect", FORM, &headers, &format!("token={bearer}"))
        };
        Arc::new(Load {
            port: self.port,
            requests: bearers.iter().map(request).collect(),
            status: 200,
            contains: r#""active":true"#,
        })
    }

    /// Returns a load that issues tokens.
    pub(crate) fn issuing(&self) -> Arc<Load> {
        let headers = [("authorization", &*self.bearer())];
        let request =
            |number| Request::post("/v1/tokens", JSON, &headers, &grant(number).to_string());
        Arc::new(Load {
            port: self.port,
            requests: (0..1_000).map(request).collect(),
            status: 201,
            contains: r#""bearer":"#,
        })
    }
}

/// A token as those of the other measurements, without the index entries of an operator.
fn grant(number: usize) -> Value {
    json!({
        "subject": format!("user-{:07}", number / 5),
        "client": format!("client-{:02}", number * 7 % 50),
        "audience": ["api.example"],
        "scopes": ["read", "write"],
        "ttl": "30d",
    })
}

/// Returns a member that is a text.
pub(crate) fn text(object: &Value, name: &str) -> Result<String> {
    let text = object.get(name).and_then(Value::as_str);
    Ok(text.with_context(|| format!("no {name} in {object}"))?.to_owned())
}
