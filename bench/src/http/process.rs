//! A server process on the first core: its processor time and its memory.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::request::{self, Request};
use crate::measure::micros;

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server process. It is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

/// Returns a command that runs a program on the first core, if there are several.
pub(crate) fn pinned(program: &Path) -> Command {
    let is_single = std::thread::available_parallelism().is_ok_and(|cores| cores.get() < 2);
    let has_taskset = || Command::new("taskset").arg("--version").output().is_ok();
    // This process may be confined to the other core, so its own count of cores may be 1.
    if is_single && std::fs::metadata("/sys/devices/system/cpu/cpu1").is_err() || !has_taskset() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", "0"]).arg(program);
    command
}

impl Process {
    /// Starts a server whose first line on stdout says that it is ready. Returns that line too.
    pub(crate) fn start(command: &mut Command) -> Result<(Self, String)> {
        let shown = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("{shown} could not be started"))?;
        let output = child.stdout.take().context("the process has no output")?;
        let process = Self { child };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        anyhow::ensure!(!line.is_empty(), "{shown} ended at once");
        Ok((process, line))
    }

    /// Starts a server that is ready when it answers a request with 200.
    pub(crate) fn start_until(command: &mut Command, port: u16, probe: &Request) -> Result<Self> {
        let shown = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("{shown} could not be started"))?;
        let mut process = Self { child };
        let begun = Instant::now();
        while !request::ask(port, probe).is_ok_and(|answer| answer.status == 200) {
            if let Some(status) = process.child.try_wait()? {
                bail!("{shown} ended: {status}");
            }
            anyhow::ensure!(begun.elapsed() < PATIENCE, "{shown} does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(process)
    }

    /// Returns the user and system time of all threads, as the system counts it.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))
            .context("this system does not report the processor time of a process")?;
        // The name of the program, in parentheses, may have spaces.
        let (_, fields) = stat.rsplit_once(')').context("no fields")?;
        let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
        let user = times.next().context("no user time")??;
        let system = times.next().context("no system time")??;
        let ticks = (user + system) as f64 / rustix::param::clock_ticks_per_second() as f64;
        Ok(Duration::from_secs_f64(ticks))
    }

    /// Returns microseconds of its work for each of `count` requests that `send` sends.
    pub(crate) fn cpu_each<T>(
        &self,
        count: usize,
        send: impl FnOnce() -> Result<T>,
    ) -> Result<f64> {
        let before = self.cpu()?;
        send()?;
        Ok(micros(self.cpu()? - before) / count as f64)
    }

    /// Returns the resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<f64> {
        Ok(crate::process_state::resident_bytes_of(&self.child.id().to_string())? as f64)
    }

    /// Asks the process to end, and waits for it.
    pub(crate) fn end(mut self) -> Result<()> {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", "TERM", &id]).status()?;
        anyhow::ensure!(status.success(), "the process cannot be ended");
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Returns a port that is free now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
