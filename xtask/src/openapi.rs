//! The OpenAPI document in the repository: `cargo xtask openapi [--bless]`.

use std::fs;

use anyhow::{Result, bail};

use crate::cargo;

const DOCUMENT: &str = "crates/keyfob-server/openapi.json";

/// Compares the document with that of the service or, with `--bless`, writes it.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let is_blessed = match args {
        [] => false,
        [only] if only == "--bless" => true,
        _ => bail!("openapi takes --bless, or nothing"),
    };
    let document =
        cargo::output(["run", "--quiet", "-p", "keyfob-server", "--example", "openapi"])?;
    let path = cargo::root().join(DOCUMENT);
    if is_blessed {
        fs::write(path, document)?;
    } else if fs::read_to_string(path)? != document {
        bail!("{DOCUMENT} is not that of the service: run cargo xtask openapi --bless");
    }
    Ok(())
}
