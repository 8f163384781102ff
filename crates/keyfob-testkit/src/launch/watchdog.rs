//! Kills the servers when the tests end, also if they crash.
//!
//! A test that panics drops its servers. But a shared server is in a static, which is never
//! dropped, and a killed process drops nothing. So each test process starts one small shell, sends
//! it the pid of every server, and the shell waits for the end of its input. The input ends when
//! the test process has ended for any reason; then the shell kills the remaining servers.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// By the time of the kill, a pid may belong to another process. If the system can report the
/// folder of a process, a process in another folder is not killed.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
servers= folders=
newline='
'
while read -r sign pid folder; do
  case $sign in
    +) servers="$servers$pid $folder$newline" ;;
    -) servers=$(printf '%s' "$servers" | grep -v "^$pid ")$newline ;;
    f) folders="$folders$folder$newline" ;;
  esac
done
printf '%s' "$servers" | while read -r pid folder; do
  [ -n "$pid" ] || continue
  if [ -d /proc/self ] && [ "$(readlink "/proc/$pid/cwd")" != "$folder" ]; then continue; fi
  kill -9 "$pid"
done
printf '%s' "$folders" | while read -r folder; do
  [ -n "$folder" ] && rm -rf "$folder"
done
"#;

fn tell(line: &str) -> io::Result<()> {
    static SHELL: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    if SHELL.get().is_none() {
        // A shell that loses the race for the static sees the end of its input immediately.
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // A terminal interrupt of the tests must not end the shell before them.
            .process_group(0)
            .spawn()?;
        let input = shell.stdin.take().ok_or_else(|| io::Error::other("no input of the shell"))?;
        let _lost = SHELL.set(Mutex::new(input));
    }
    let shell = SHELL.get().ok_or_else(|| io::Error::other("no shell"))?;
    shell.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes())
}

/// Registers the server to be killed at the end of the tests.
pub(super) fn watch(pid: u32, folder: &Path) -> io::Result<()> {
    tell(&format!("+ {pid} {}\n", folder.display()))
}

/// Unregisters a server that has ended: its pid may be reused.
pub(super) fn forget(pid: u32) {
    // If the watchdog has ended, it cannot kill a wrong process.
    let _gone = tell(&format!("- {pid}\n"));
}

/// Registers a folder to be removed at the end of the tests, if it still exists.
pub(super) fn remove_at_the_end(folder: &Path) -> io::Result<()> {
    tell(&format!("f - {}\n", folder.display()))
}
