//! A running `keyfob serve --dev` on a free port.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cargo;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A server over a store in memory. It stops when this is dropped.
pub(super) struct Service {
    process: Child,
    /// The URL, without a slash at the end.
    pub(super) url: String,
    /// The key of an administrator.
    pub(super) admin_key: String,
}

impl Service {
    /// Builds `keyfob`, and starts a server.
    pub(super) fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Builds `keyfob`, and starts a server with further arguments.
    pub(super) fn start_with(args: &[&str]) -> Result<Self> {
        cargo::run(["build", "--quiet", "-p", "keyfob-cli"], &[])?;
        let program = cargo::target().join("debug/keyfob");
        let mut process = Command::new(&program)
            .args(["serve", "--dev", "--json", "--listen", "127.0.0.1:0"])
            .args(args)
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

    /// Reads a path as the administrator. Returns the status and the body.
    pub(super) fn get(&self, path: &str) -> Result<(u16, String)> {
        let address = self.url.trim_start_matches("http://");
        let mut connection = TcpStream::connect(address)?;
        connection.set_read_timeout(Some(TIMEOUT))?;
        // HTTP/1.0: the body is not chunked, and the connection ends with it.
        write!(
            connection,
            "GET {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\r\n",
            self.admin_key
        )?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no body")?;
        let status = head.split(' ').nth(1).context("the answer has no status")?;
        Ok((status.parse()?, body.to_owned()))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
