//! Kills the servers when the tests end, however they end.
//!
//! A test that panics drops its servers, but a shared server lives in a static, which is never
//! dropped, and a process that is killed drops nothing. So each test process has one small shell
//! beside it that is told of every server and waits for the end of its input. That comes when the
//! last of the test process is gone, whatever ended it; then the shell kills what is left.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A pid may belong to somebody else by the time of the kill; what works in another folder than
/// the server did is left alone, where the system can tell.
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
        // One that loses the race for the static sees the end of its input at once.
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // What interrupts the tests at a terminal must not end it before them.
            .process_group(0)
            .spawn()?;
        let input = shell.stdin.take().ok_or_else(|| io::Error::other("no input of the shell"))?;
        let _lost = SHELL.set(Mutex::new(input));
    }
    let shell = SHELL.get().ok_or_else(|| io::Error::other("no shell"))?;
    shell.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes())
}

/// From now on the server dies with the tests.
pub(super) fn watch(pid: u32, folder: &Path) -> io::Result<()> {
    tell(&format!("+ {pid} {}\n", folder.display()))
}

/// The server is dead; its pid may be anybody's.
pub(super) fn forget(pid: u32) {
    // If the watchdog is gone there is nothing that it could do wrong.
    let _gone = tell(&format!("- {pid}\n"));
}

/// The folder is removed when the tests are over, if it still exists.
pub(super) fn remove_at_the_end(folder: &Path) -> io::Result<()> {
    tell(&format!("f - {}\n", folder.display()))
}
