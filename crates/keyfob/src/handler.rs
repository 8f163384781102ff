//! What can be done with events as they come: log them, write them to an audit file, call back.
//!
//! A handler is fed from the store's feed by a cursor, not from the code that makes the change. So
//! a slow one delays nobody, and loses nothing: it catches up from where it was.

use std::io::Write;

use serde::Serialize;

use crate::event::{CloudEvent, Event};
use crate::store::Cursor;

/// Something that wants to see every event.
pub trait EventHandler: Send + 'static {
    /// Takes one event. It may block; it is called on a thread of its own, one event at a time.
    ///
    /// # Errors
    /// When the event could not be handled. It is then offered again, until it can be.
    fn handle(&mut self, event: &Event) -> Result<(), HandlerError>;

    /// Told when events may have been trimmed before this handler had them: it was away too long.
    ///
    /// # Errors
    /// As [`EventHandler::handle`]; it is told again.
    fn trimmed(&mut self) -> Result<(), HandlerError> {
        Ok(())
    }

    /// Told after each page that has been handled, with the cursor to go on from after a restart.
    ///
    /// # Errors
    /// As [`EventHandler::handle`]; the page is then offered again.
    fn checkpoint(&mut self, cursor: &Cursor) -> Result<(), HandlerError> {
        let _ = cursor;
        Ok(())
    }
}

/// A handler could not do its work.
#[derive(Debug, thiserror::Error)]
#[error("the event handler failed: {0}")]
pub struct HandlerError(#[from] pub std::io::Error);

/// Writes each event to the log, through `tracing`, at level info.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingLog;

impl EventHandler for TracingLog {
    fn trimmed(&mut self) -> Result<(), HandlerError> {
        tracing::error!(target: "keyfob::event", "events were trimmed before they were read");
        Ok(())
    }

    fn handle(&mut self, event: &Event) -> Result<(), HandlerError> {
        tracing::info!(
            target: "keyfob::event",
            event = %event.id,
            kind = event.what.as_str(),
            token = event.token().map(tracing::field::display),
            by = event.by.as_ref().map(tracing::field::display),
            reason = event.reason.as_ref().map(tracing::field::display),
        );
        Ok(())
    }
}

/// Writes each event as one line of JSON (CloudEvents 1.0), flushed after each page.
pub struct AuditLog<W> {
    writer: W,
    /// Whether the last line may have been written in part.
    torn: bool,
}

impl<W: Write + Send + 'static> AuditLog<W> {
    /// A log that goes to `writer`, such as a file opened for appending.
    pub fn new(writer: W) -> Self {
        Self { writer, torn: false }
    }
}

/// The line that stands for events that nobody can read any more.
#[derive(Serialize)]
struct Gap {
    specversion: &'static str,
    source: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl<W: Write> AuditLog<W> {
    fn line(&mut self, what: &impl Serialize) -> Result<(), HandlerError> {
        // A line that was torn by a full disk must not run into the next.
        let mut line = if self.torn { b"\n".to_vec() } else { Vec::new() };
        serde_json::to_writer(&mut line, what).map_err(std::io::Error::from)?;
        line.push(b'\n');
        self.torn = true;
        self.writer.write_all(&line)?;
        self.torn = false;
        Ok(())
    }
}

impl<W> std::fmt::Debug for AuditLog<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditLog")
    }
}

impl<W: Write + Send + 'static> EventHandler for AuditLog<W> {
    fn handle(&mut self, event: &Event) -> Result<(), HandlerError> {
        self.line(&CloudEvent::of(event))
    }

    fn trimmed(&mut self) -> Result<(), HandlerError> {
        let gap = Gap { specversion: "1.0", source: "/keyfob", kind: "keyfob.events.trimmed" };
        self.line(&gap)
    }

    fn checkpoint(&mut self, _: &Cursor) -> Result<(), HandlerError> {
        self.writer.flush()?;
        Ok(())
    }
}

/// Calls a closure with each event.
pub struct Callback<F>(F);

impl<F: FnMut(&Event) + Send + 'static> Callback<F> {
    /// A handler that calls `closure`.
    pub fn new(closure: F) -> Self {
        Self(closure)
    }
}

impl<F> std::fmt::Debug for Callback<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Callback")
    }
}

impl<F: FnMut(&Event) + Send + 'static> EventHandler for Callback<F> {
    fn handle(&mut self, event: &Event) -> Result<(), HandlerError> {
        (self.0)(event);
        Ok(())
    }
}
