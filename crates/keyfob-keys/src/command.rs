//! Reads a key ring from the output of a command, such as the client of a key management service.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use zeroize::Zeroizing;

use keyfob_core::Ttl;
use keyfob_seal::KeyProvider;
use keyfob_seal::{KeyError, KeyRing};

use crate::{MAX_RING_BYTES, parse};

/// Reads a key ring from the standard output of a command.
///
/// Each read runs the command again, without a shell. The command gets no input. Its standard error
/// goes to the standard error of this process.
#[derive(Clone)]
pub struct CommandKeys {
    program: OsString,
    arguments: Vec<OsString>,
    limit: Duration,
}

impl std::fmt::Debug for CommandKeys {
    /// Omits the arguments, which may contain passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommandKeys").field("program", &self.program).finish_non_exhaustive()
    }
}

/// The initial capacity of the buffer: enough for several hundred keys.
const BUFFER_CAPACITY: usize = 64 * 1024;

impl CommandKeys {
    /// Creates a provider that runs `program` with these arguments. The default timeout is ten seconds.
    pub fn new<A: Into<OsString>>(
        program: impl Into<OsString>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            limit: Duration::from_secs(10),
        }
    }

    /// Sets the timeout of the command.
    #[must_use]
    pub fn limit(self, limit: Ttl) -> Self {
        Self { limit: limit.as_duration(), ..self }
    }

    fn what(&self) -> String {
        format!("the command {}", self.program.display())
    }

    fn unreadable(&self, detail: impl std::fmt::Display) -> KeyError {
        KeyError::Unreadable { what: self.what(), detail: detail.to_string() }
    }

    async fn run(&self) -> Result<KeyRing, KeyError> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // A timeout drops this future, which ends the command.
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| self.unreadable(error))?;
        let output = child.stdout.take().ok_or_else(|| self.unreadable("it has no output"))?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(BUFFER_CAPACITY));
        let read = output.take(MAX_RING_BYTES + 1).read_to_end(&mut bytes).await;
        read.map_err(|error| self.unreadable(error))?;
        let status = child.wait().await.map_err(|error| self.unreadable(error))?;
        if !status.success() {
            return Err(self.unreadable(format_args!("it ended with {status}")));
        }
        parse(&self.what(), bytes)
    }
}

#[async_trait]
impl KeyProvider for CommandKeys {
    async fn ring(&self) -> Result<KeyRing, KeyError> {
        let ended = tokio::time::timeout(self.limit, self.run()).await;
        ended.unwrap_or_else(|_| Err(KeyError::TimedOut { what: self.what(), limit: self.limit }))
    }
}
