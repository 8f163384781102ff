//! The console as people use it, in a real browser: `cargo xtask console [WALK ...]`.

use std::process::Command;

use anyhow::Result;

use super::{install, service, tools};
use crate::{cargo, programs};

/// Runs the walks of `interop/console` over two servers on one Redis. Without a name, all. With `--pictures`,
/// each page is pictured below `docs/console`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    programs::ensure_installed()?;
    install::debian(&["chromium", "fonts-noto-core", "fonts-noto-color-emoji"], "chromium")?;
    let folder = tools::node("console")?;
    let program = service::program()?;
    let mut browser = Command::new("node");
    browser.arg("run.mjs").args(args).current_dir(folder).env("KEYFOB_PROGRAM", program);
    browser.env("PICTURES", cargo::root().join("docs/console"));
    tools::run(&mut browser)
}
