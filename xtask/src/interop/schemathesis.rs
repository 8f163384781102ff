//! Schemathesis: calls every operation of the OpenAPI document with what the document allows and with
//! what it does not, and checks each answer.
//!
//! `KEYFOB_INTEROP_SECONDS` is how long it tries. Default: 60.

use std::process::Command;

use anyhow::Result;

use super::service::Service;
use super::tools;

const SECONDS: &str = "KEYFOB_INTEROP_SECONDS";

pub(super) fn run() -> Result<()> {
    let folder = tools::python("schemathesis")?;
    let service = Service::start()?;
    let seconds = std::env::var(SECONDS).unwrap_or_else(|_| "60".to_owned());
    tools::run(
        Command::new(folder.join("venv/bin/schemathesis"))
            .args(["--config-file", "schemathesis.toml", "run"])
            .arg(format!("{}/openapi.json", service.url))
            .args(["--request-timeout", "15", "--max-time", &seconds])
            .arg("--header")
            .arg(format!("Authorization: Bearer {}", service.admin_key))
            .current_dir(&folder),
    )
}
