//! A program that runs until it is dropped, in a folder of its own with the configuration files that the
//! guides show.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cargo;

/// How long a program may take to listen.
const START: Duration = Duration::from_secs(30);

/// A running program. It is stopped when this is dropped.
pub(super) struct Running {
    process: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a program, and waits until it listens at `address`.
    pub(super) fn start(mut command: Command, folder: &Path, address: SocketAddr) -> Result<Self> {
        let shown = command.get_program().to_string_lossy().into_owned();
        let log = folder.join("log.txt");
        let output = File::create(&log)?;
        let process = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{shown} could not be started"))?;
        let mut running = Self { process, log };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = running.process.try_wait()? {
                bail!("{shown} ended with {status}:\n{}", running.log());
            }
            if start.elapsed() > START {
                bail!("{shown} does not listen at {address}:\n{}", running.log());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(running)
    }

    /// Returns what the program has written.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the folder in which a program runs, empty.
pub(super) fn folder(name: &str) -> Result<PathBuf> {
    let folder = cargo::target().join("interop/run").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Copies the files of `interop/NAME` into a folder, with other texts in the place of some.
pub(super) fn configure(name: &str, folder: &Path, replace: &[(&str, &str)]) -> Result<()> {
    for entry in fs::read_dir(cargo::root().join("interop").join(name))? {
        let entry = entry?;
        let mut text = fs::read_to_string(entry.path())?;
        for (from, to) in replace {
            text = text.replace(from, to);
        }
        fs::write(folder.join(entry.file_name()), text)?;
    }
    Ok(())
}

/// Returns an address with a free port.
pub(super) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
