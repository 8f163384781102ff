//! A ring from a command, so that any key management service with a command line can give one.

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

use crate::{MOST, parse};

/// A ring from what a command writes to its standard output. The command is run anew each time,
/// without a shell; it gets no input, and what it says on its standard error goes to ours.
#[derive(Clone)]
pub struct CommandKeys {
    program: OsString,
    arguments: Vec<OsString>,
    limit: Duration,
}

impl std::fmt::Debug for CommandKeys {
    /// Without the arguments: people put passwords there.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommandKeys").field("program", &self.program).finish_non_exhaustive()
    }
}

/// Room for a ring of some hundred keys.
const ROOM: usize = 64 * 1024;

impl CommandKeys {
    /// Runs `program` with these arguments. It has ten seconds unless it is given more.
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

    /// How long the command may take.
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
            // One that takes too long is ended when this future is dropped.
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| self.unreadable(error))?;
        let output = child.stdout.take().ok_or_else(|| self.unreadable("it has no output"))?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(ROOM));
        let read = output.take(MOST + 1).read_to_end(&mut bytes).await;
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
