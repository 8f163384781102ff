//! Where a password comes from: the settings, or a source that is asked again.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keyfob_store::StoreError;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use zeroize::Zeroizing;

use super::misconfigured::misconfigured;
use super::secret::Secret;

/// The maximum length of a password. Tokens of cloud providers have a few kilobytes.
const MAX_BYTES: u64 = 64 * 1024;

/// A source of a password that changes while the process runs.
///
/// The store asks it for the first connection, before the password ends, and when a server refuses the
/// password. In between it uses the last answer. A caller waits for the answer, at most ten seconds, unless
/// the last password is still valid.
///
/// ```
/// use keyfob_redis::{Password, PasswordSource};
/// use keyfob::store::StoreError;
///
/// #[derive(Debug)]
/// struct CloudToken;
///
/// #[async_trait::async_trait]
/// impl PasswordSource for CloudToken {
///     async fn password(&self) -> Result<Password, StoreError> {
///         let token = "…"; // from the provider's client
///         Ok(Password::new(token).with_lifetime(std::time::Duration::from_secs(15 * 60)))
///     }
/// }
/// ```
#[async_trait]
pub trait PasswordSource: fmt::Debug + Send + Sync + 'static {
    /// Returns the present password.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`], with what to do. It is shown and logged.
    async fn password(&self) -> Result<Password, StoreError>;
}

/// A password, and for how long it is valid. [`Debug`](fmt::Debug) does not show it.
#[derive(Clone, Debug)]
pub struct Password {
    pub(crate) text: Secret,
    pub(crate) lifetime: Option<Duration>,
}

impl Password {
    /// Creates a password that is valid until a server refuses it.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: Secret::new(text), lifetime: None }
    }

    /// Sets for how long the password is valid from now on. When three quarters of that time have passed,
    /// the source is asked again, and open connections log in again.
    #[must_use]
    pub fn with_lifetime(self, lifetime: Duration) -> Self {
        Self { lifetime: Some(lifetime), ..self }
    }
}

/// A file that holds a password, such as a mounted secret. The end of the line is not a part of it.
#[derive(Clone, Debug)]
pub struct PasswordFile(PathBuf);

impl PasswordFile {
    /// Creates a source that reads this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

#[async_trait]
impl PasswordSource for PasswordFile {
    async fn password(&self) -> Result<Password, StoreError> {
        let what = format!("the password file {}", self.0.display());
        let unreadable = |error| misconfigured(format!("{what} cannot be read: {error}"));
        let mut file = std::fs::File::open(&self.0).map_err(unreadable)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
        std::io::Read::read_to_end(&mut std::io::Read::take(&mut file, MAX_BYTES + 1), &mut bytes)
            .map_err(unreadable)?;
        password_in(&what, &bytes)
    }
}

/// A command that prints a password, such as the client of a cloud provider.
///
/// It runs without a shell and without input. Its standard error goes to that of this process.
#[derive(Clone)]
pub struct PasswordCommand {
    program: OsString,
    arguments: Vec<OsString>,
}

impl PasswordCommand {
    /// Creates a source that runs `program` with these arguments.
    pub fn new<A: Into<OsString>>(
        program: impl Into<OsString>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { program: program.into(), arguments }
    }
}

impl fmt::Debug for PasswordCommand {
    /// Omits the arguments, which may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordCommand").field("program", &self.program).finish_non_exhaustive()
    }
}

#[async_trait]
impl PasswordSource for PasswordCommand {
    async fn password(&self) -> Result<Password, StoreError> {
        let what = format!("the password command {}", self.program.display());
        let failed =
            |error: std::io::Error| misconfigured(format!("{what} cannot be run: {error}"));
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // After a timeout this future is dropped, which ends the command.
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
        if let Some(output) = child.stdout.take() {
            output.take(MAX_BYTES + 1).read_to_end(&mut bytes).await.map_err(failed)?;
        }
        let status = child.wait().await.map_err(failed)?;
        if !status.success() {
            return Err(misconfigured(format!("{what} ended with {status}")));
        }
        password_in(&what, &bytes)
    }
}

/// Returns the one line that a file or command consists of.
fn password_in(what: &str, bytes: &[u8]) -> Result<Password, StoreError> {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let problem = match std::str::from_utf8(line) {
        _ if bytes.len() as u64 > MAX_BYTES => "is longer than 64 KiB",
        Err(_) => "is not UTF-8",
        Ok("") => "is empty",
        Ok(line) if line.contains(['\n', '\r']) => "has more than one line",
        Ok(line) => return Ok(Password::new(line)),
    };
    Err(misconfigured(format!("{what} {problem}: it must be the password and nothing else")))
}

/// The user and the password of a login.
#[derive(Clone, Debug, Default)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) password: LoginPassword,
}

#[derive(Clone, Debug, Default)]
pub(crate) enum LoginPassword {
    #[default]
    None,
    Fixed(Secret),
    Source(Arc<dyn PasswordSource>),
}

impl LoginPassword {
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line() {
        let read = |bytes: &[u8]| password_in("it", bytes);
        for bytes in [&b"hunter2"[..], b"hunter2\n", b"hunter2\r\n"] {
            assert_eq!(read(bytes).unwrap().text.expose(), "hunter2");
        }
        assert_eq!(read(b" spaces are kept ").unwrap().text.expose(), " spaces are kept ");
        for bytes in [&b""[..], b"\n", b"hunter2\nhunter2\n", b"hunter2\xff", &[b'x'; 70_000]] {
            let error = read(bytes).unwrap_err();
            assert_eq!(error.code(), "store_misconfigured");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let source = PasswordCommand::new("print", ["hunter2"]);
        let login = Login { user: None, password: LoginPassword::Source(Arc::new(source)) };
        let password = Password::new("hunter2").with_lifetime(Duration::from_secs(1));
        let text = format!("{login:?} {password:?}");
        assert!(!text.contains("hunter2") && text.contains("print"), "{text}");
    }
}
