//! One server process on a free port, which only its owner kills.

use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{LaunchError, Program, watchdog};

/// The distance of a cluster node's bus port from its port.
const BUS: u16 = 10_000;

/// Returns a free port on loopback whose bus port is also free.
pub(crate) fn free_port() -> io::Result<u16> {
    loop {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let Some(bus) = port.checked_add(BUS) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, bus)).is_ok() {
            return Ok(port);
        }
    }
}

fn is_there(program: &Path) -> bool {
    if program.components().count() > 1 {
        return program.is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A process that works in its own folder and logs to `log` there.
#[derive(Debug)]
pub(crate) struct Process {
    program: Program,
    folder: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Process {
    pub(crate) fn new(program: Program, folder: &Path) -> Self {
        Self { program, folder: folder.to_owned(), child: Mutex::new(None) }
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the server with these arguments. Returns its pid.
    pub(crate) fn start(&self, args: &[String]) -> Result<u32, LaunchError> {
        let path = self.program.path();
        if !is_there(&path) {
            return Err(LaunchError::Missing { path, program: self.program });
        }
        let log = File::options().create(true).append(true).open(self.folder.join("log"))?;
        // The shell waits for a line on stdin before it executes the server. So the watchdog knows
        // the pid first. If the tests die before that, the server never starts.
        let mut child = Command::new("sh")
            .args(["-c", r#"read -r leave && exec "$@" </dev/null"#, "sh"])
            .arg(path)
            .args(args)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let pid = child.id();
        let leave = child.stdin.take();
        *self.child() = Some(child);
        watchdog::watch(pid, &self.folder)?;
        leave.ok_or_else(|| io::Error::other("no input of the shell"))?.write_all(b"go\n")?;
        Ok(pid)
    }

    /// Calls `ready` until it succeeds, as long as the process runs.
    pub(crate) fn wait_until(
        &self,
        waited_for: &'static str,
        mut ready: impl FnMut() -> Result<(), String>,
    ) -> Result<(), LaunchError> {
        let mut ended = false;
        let waited = wait_until(waited_for, || {
            ended = self.has_ended();
            if ended { Ok(()) } else { ready() }
        });
        if ended { Err(LaunchError::Ended { log: self.log() }) } else { waited }
    }

    fn has_ended(&self) -> bool {
        let mut child = self.child();
        match child.as_mut().map(Child::try_wait) {
            Some(Ok(None)) => false,
            Some(_) => {
                // From here on the system may reuse the pid.
                if let Some(child) = child.take() {
                    watchdog::forget(child.id());
                }
                true
            }
            None => true,
        }
    }

    /// Returns the end of the server's log.
    pub(crate) fn log(&self) -> String {
        let log = std::fs::read(self.folder.join("log")).unwrap_or_default();
        let start = log.len().saturating_sub(4000);
        String::from_utf8_lossy(&log[start..]).into_owned()
    }

    /// Kills the process immediately, if it runs.
    pub(crate) fn kill(&self) {
        // A child that was not waited for keeps its pid, so this never kills another process.
        if let Some(mut child) = self.child().take() {
            let _ended = child.kill();
            let _ended = child.wait();
            watchdog::forget(child.id());
        }
    }

    /// Sends a signal to the process, by name.
    pub(crate) fn signal(&self, name: &str) -> io::Result<()> {
        let child = self.child();
        let child = child.as_ref().ok_or_else(|| io::Error::other("the server is not running"))?;
        let kill = ["-c", r#"kill -s "$1" "$2""#, "sh", name, &child.id().to_string()];
        let status = Command::new("sh").args(kill).stdin(Stdio::null()).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other("the signal was refused")) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The maximum time until one or several servers are ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// Calls `ready` until it succeeds. On failure it returns the last state.
pub(crate) fn wait_until(
    waited_for: &'static str,
    mut ready: impl FnMut() -> Result<(), String>,
) -> Result<(), LaunchError> {
    let start = Instant::now();
    loop {
        match ready() {
            Ok(()) => return Ok(()),
            Err(seen) if start.elapsed() > PATIENCE => {
                return Err(LaunchError::NotReady { waited_for, seen });
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
