//! The bare server: reads a form and answers with JSON of the size of an introspection. It knows nobody and
//! checks nothing.

use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::{Deserialize, Serialize};
use std::io::Write as _;

use anyhow::{Context, Result};
use std::process::Command;

use super::process::{Process, pinned};

/// The role on the command line.
pub(crate) const ROLE: &str = "http-echo";

#[derive(Deserialize)]
struct Asked {
    token: String,
}

#[derive(Serialize)]
struct Answered {
    active: bool,
    scope: &'static str,
    client_id: &'static str,
    token_type: &'static str,
    exp: u64,
    iat: u64,
    sub: &'static str,
    aud: &'static str,
    jti: String,
}

/// Serves until it is killed. The runtime is that of `keyfob serve`.
pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
        let router = Router::new().route("/echo", post(echo)).route("/empty", get(async || {}));
        axum::serve(listener, router).await?;
        Ok(())
    })
}

async fn echo(Form(asked): Form<Asked>) -> Json<Answered> {
    Json(Answered {
        active: true,
        scope: "read write",
        client_id: "client-07",
        token_type: "Bearer",
        exp: 1_790_000_000,
        iat: 1_780_000_000,
        sub: "user-0000001",
        aud: "api.example",
        jti: asked.token,
    })
}

/// Starts the bare server. Returns its port too.
pub(crate) fn start() -> Result<(Process, u16)> {
    let mut command: Command = pinned(&std::env::current_exe()?);
    let (process, line) = Process::start(command.args([crate::process_state::ROLE, ROLE]))?;
    Ok((process, line.trim().parse().context("the bare server printed no port")?))
}
