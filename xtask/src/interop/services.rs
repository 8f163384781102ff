//! Small services in other languages, which ask keyfob about each bearer token: the programs of the
//! guides.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::http::{self, Answer};
use super::process::{self, Running};
use super::service::Service;
use super::{install, tools};
use crate::programs::in_path;

/// Runs the service in Python.
pub(super) fn python() -> Result<()> {
    install::debian(&["python3"], "python3")?;
    walk("python", |folder| Ok(program("python3", "service.py", folder)))
}

/// Runs the service in Node.
pub(super) fn node() -> Result<()> {
    install::debian(&["nodejs"], "node")?;
    walk("node", |folder| Ok(program("node", "service.mjs", folder)))
}

/// Builds and runs the service in Go.
pub(super) fn go() -> Result<()> {
    install::debian(&["golang-go"], "go")?;
    walk("go", |folder| {
        tools::run(
            Command::new("go")
                .args(["build", "-o", "service", "main.go"])
                .env("GOFLAGS", "-mod=mod")
                .env("GOCACHE", folder.join("cache"))
                .current_dir(folder),
        )?;
        Ok(Command::new(folder.join("service")))
    })
}

fn program(name: &str, file: &str, folder: &Path) -> Command {
    let mut command = Command::new(in_path(name).unwrap_or_else(|| name.into()));
    command.arg(file).current_dir(folder);
    command
}

/// Starts a service by the files of `interop/NAME`, and sends it good and bad requests.
fn walk(name: &str, command: impl FnOnce(&Path) -> Result<Command>) -> Result<()> {
    let mut keyfob = Service::start()?;
    let folder = process::folder(name)?;
    process::configure(name, &folder, &[])?;
    let address = process::free_address()?;
    let key = json!({
        "kind": "api-key", "client": "shop", "audience": ["shop"], "scopes": ["keyfob:introspect"]
    });
    let mut command = command(&folder)?;
    command
        .env("KEYFOB_URL", &keyfob.url)
        .env("KEYFOB_CLIENT_SECRET", keyfob.issue(&key)?)
        .env("PORT", address.port().to_string());
    let service = Running::start(command, &folder, address)?;
    let ask = |bearer: Option<&str>| -> Result<Answer> {
        let authorization = bearer.map(|bearer| format!("Bearer {bearer}"));
        let headers: Vec<_> =
            authorization.iter().map(|value| ("Authorization", &**value)).collect();
        http::send(address, "GET", "/", &headers, "").with_context(|| service.log())
    };
    let grant = |scope: &str| json!({"subject": "alice", "audience": ["shop"], "scopes": [scope]});
    let good = keyfob.issue(&grant("read"))?;
    let weak = keyfob.issue(&grant("other"))?;
    let mut bound = grant("read");
    bound["cnf"] = json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"});
    let bound = keyfob.issue(&bound)?;
    let revoked = keyfob.issue(&grant("read"))?;
    let answer = keyfob.form("/oauth2/revoke", &[("token", &revoked)])?;
    ensure!(answer.status == 200, "{answer:?}");

    let answer = ask(Some(&good))?;
    ensure!(answer.status == 200, "a good token: {answer:?}\n{}", service.log());
    ensure!(answer.json()?["hello"] == "alice", "{answer:?}");
    for (bearer, status, challenge) in [
        (None, 401, "Bearer"),
        (Some(&*revoked), 401, "invalid_token"),
        (Some("nonsense"), 401, "invalid_token"),
        // It was presented without a proof.
        (Some(&*bound), 401, "invalid_token"),
        (Some(&*weak), 403, "insufficient_scope"),
    ] {
        let answer = ask(bearer)?;
        let has_challenge = answer.header("www-authenticate").contains(challenge);
        ensure!(answer.status == status && has_challenge, "{challenge}: {answer:?}");
    }
    keyfob.stop();
    let answer = ask(Some(&good))?;
    ensure!(answer.status == 503, "without keyfob: {answer:?}");
    Ok(())
}
