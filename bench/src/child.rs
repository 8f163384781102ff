//! What has to happen in a process of its own: this program starts itself again with a role.

use std::io::{BufRead, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use keyfob_redb::RedbStore;
use tokio::runtime::Builder;

use crate::measure::machine_nanos;
use crate::population;

/// The word before a role on the command line.
pub(crate) const ROLE: &str = "--role";
const FIRST_ANSWER: &str = "first-answer";

/// What a process that opened a store and answered once says of itself.
#[derive(Debug)]
pub(crate) struct FirstAnswer {
    /// From the moment before it was started.
    pub(crate) millis: f64,
    pub(crate) resident_bytes: f64,
}

/// Starts a process that opens the store at `path` and validates a bearer.
pub(crate) fn first_answer(path: &Path, bearer: &str) -> Result<FirstAnswer> {
    let path = path.to_str().context("the path is no text")?;
    let began = machine_nanos();
    let mut child = Command::new(std::env::current_exe()?)
        .args([ROLE, FIRST_ANSWER, path])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the program could not be started again")?;
    let mut input = child.stdin.take().context("no input of the child")?;
    writeln!(input, "{bearer}")?;
    let output = child.wait_with_output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut words = text.split_whitespace();
    let mut next = || -> Result<f64> { Ok(words.next().context("it said nothing")?.parse()?) };
    let (answered, resident_bytes) = (next()?, next()?);
    Ok(FirstAnswer { millis: (answered - began as f64) / 1e6, resident_bytes })
}

/// Plays a role and ends.
pub(crate) fn play(role: &[String]) -> Result<()> {
    match role {
        [role, path] if role == FIRST_ANSWER => answer_once(Path::new(path)),
        other => bail!("there is no role {other:?}"),
    }
}

fn answer_once(path: &Path) -> Result<()> {
    let manager = population::manager(std::sync::Arc::new(RedbStore::open(path)?));
    let mut bearer = String::new();
    std::io::stdin().lock().read_line(&mut bearer)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(manager.validate_any(bearer.trim()))?;
    writeln!(std::io::stdout(), "{} {}", machine_nanos(), resident_bytes()?)?;
    Ok(())
}

/// How much of this process is in memory now.
pub(crate) fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")
        .context("this system does not say how much memory a process has")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?;
    Ok(kilobytes.parse::<u64>()? * 1024)
}
