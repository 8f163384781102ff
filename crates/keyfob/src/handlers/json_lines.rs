//! Events as lines of JSON.

use std::io::Write;

use serde::Serialize;

use super::handler::{Delivery, EventHandler, HandlerError};
use keyfob_core::event::CloudEvent;
use keyfob_store::Cursor;

/// Writes each event as one line of JSON (CloudEvents 1.0), flushed after each batch. For a file
/// that survives a restart and rotates, use [`AuditLog`](crate::AuditLog).
pub struct JsonLines<W> {
    writer: W,
    /// Whether the last line may have been written in part.
    is_torn: bool,
}

impl<W: Write + Send + 'static> JsonLines<W> {
    /// A handler that writes to `writer`, such as a file opened for appending.
    pub fn new(writer: W) -> Self {
        Self { writer, is_torn: false }
    }
}

impl<W: Write + Send + 'static> EventHandler for JsonLines<W> {
    fn handle(&mut self, delivery: &Delivery) -> Result<(), HandlerError> {
        // A line that was torn by a full disk must not run into the next.
        let mut bytes = if self.is_torn { b"\n".to_vec() } else { Vec::new() };
        bytes.extend(line(delivery)?);
        self.is_torn = true;
        self.writer.write_all(&bytes)?;
        self.is_torn = false;
        Ok(())
    }

    fn commit(&mut self, _: &Cursor) -> Result<(), HandlerError> {
        self.writer.flush()?;
        Ok(())
    }
}

impl<W> std::fmt::Debug for JsonLines<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonLines").field("is_torn", &self.is_torn).finish_non_exhaustive()
    }
}

/// A delivery as one line of JSON, with its line break.
pub(super) fn line(delivery: &Delivery) -> Result<Vec<u8>, HandlerError> {
    let mut line = match delivery {
        Delivery::Event(event) => serde_json::to_vec(&CloudEvent::new(event)),
        Delivery::Trimmed => serde_json::to_vec(&Gap {
            specversion: "1.0",
            source: "/keyfob",
            kind: "keyfob.events.trimmed",
        }),
    }
    .map_err(HandlerError::new)?;
    line.push(b'\n');
    Ok(line)
}

/// The line in place of events that were trimmed before they were read.
#[derive(Serialize)]
struct Gap {
    specversion: &'static str,
    source: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}
