//! A call of a script with its keys and arguments, and how it is sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyfob_store::MonotonicInstant;
use redis::{Cmd, Pipeline, Value};

use super::call_error::CallError;
use super::connection::Connection;
use crate::protocol::arg::Arg;
use crate::protocol::script::Script;

/// A call of a script.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) script: &'a Script,
    pub(crate) keys: Vec<Vec<u8>>,
    pub(crate) args: Vec<Arg>,
    /// Whether it may be sent again if no answer came.
    pub(crate) repeatable: bool,
    /// Whether the caller has another way when the slot is being moved and the server has only some of the
    /// keys. Then the call is not repeated.
    pub(crate) can_be_split: bool,
    /// Whether its caller can do without the answer. Then it fails as soon as the server has been silent for
    /// the response timeout.
    pub(crate) fails_early: bool,
    /// The number of replicas to wait for. Such calls have a separate connection, because WAIT delays
    /// everything that is sent after it.
    pub(crate) wait: u32,
    /// A key in the same slot to write before waiting. WAIT considers only what its own connection wrote,
    /// and a repetition of the call writes nothing.
    pub(crate) ping: Vec<u8>,
    /// When it was last sent, in nanoseconds of a monotonic clock.
    sent: AtomicU64,
}

impl<'a> Call<'a> {
    /// A call that may be sent again and waits for no replica.
    pub(crate) fn new(
        script: &'a Script,
        keys: impl Into<Vec<Vec<u8>>>,
        args: impl Into<Vec<Arg>>,
    ) -> Self {
        Self {
            script,
            keys: keys.into(),
            args: args.into(),
            repeatable: true,
            can_be_split: false,
            fails_early: false,
            wait: 0,
            ping: Vec::new(),
            sent: AtomicU64::new(0),
        }
    }

    /// When the call was last sent.
    pub(crate) fn sent(&self) -> MonotonicInstant {
        MonotonicInstant::from_nanos(self.sent.load(Ordering::Relaxed))
    }

    fn command(&self, connection: &Connection) -> Cmd {
        let mut command = Cmd::with_capacity(3 + self.keys.len() + self.args.len(), 512);
        command.arg("EVALSHA").arg(&self.script.digest).arg(self.keys.len());
        for key in &self.keys {
            command.arg(key.as_slice());
        }
        for arg in &self.args {
            match arg {
                Arg::Bytes(bytes) => command.arg(bytes.as_slice()),
                Arg::Number(number) => command.arg(*number),
                Arg::Local(at) => command.arg(connection.to_server_time(*at).as_millis()),
            };
        }
        command
    }

    /// Sends the call once, or twice if the server did not have the script. Then nothing of the first call
    /// was executed.
    pub(super) async fn send(
        &self,
        connection: &Connection,
        asking: bool,
        timeout: Duration,
    ) -> Result<Value, CallError> {
        match self.send_once(connection, asking, timeout).await {
            Err(CallError::NoScript(_)) => {
                connection.load_script(self.script, timeout).await?;
                self.send_once(connection, asking, timeout).await
            }
            outcome => outcome,
        }
    }

    async fn send_once(
        &self,
        connection: &Connection,
        asking: bool,
        timeout: Duration,
    ) -> Result<Value, CallError> {
        let command = self.command(connection);
        self.sent.store(MonotonicInstant::now().as_nanos(), Ordering::Relaxed);
        if !asking && self.wait == 0 {
            return connection.send(&command, timeout).await;
        }
        let mut pipeline = Pipeline::new();
        if asking {
            pipeline.cmd("ASKING");
        }
        pipeline.add_command(command);
        if self.wait > 0 {
            pipeline.cmd("SET").arg(self.ping.as_slice()).arg("").arg("PX").arg(60_000);
            pipeline.cmd("WAIT").arg(self.wait).arg(timeout.as_millis() as u64);
        }
        let mut values = connection.send_all(&pipeline, timeout * 2).await?.into_iter();
        let mut next = || values.next().unwrap_or(Value::Nil);
        if asking {
            next();
        }
        let answer = connection.check(next())?;
        if self.wait > 0 {
            let waited = connection.check(next()).and_then(|_| connection.check(next()));
            match waited.map_err(CallError::after_the_call)? {
                Value::Int(reached) if reached >= i64::from(self.wait) => {}
                // The caller must not believe that enough replicas have it.
                _ => return Err(CallError::Unsafe("too few replicas have it yet".to_owned())),
            }
        }
        Ok(answer)
    }
}
