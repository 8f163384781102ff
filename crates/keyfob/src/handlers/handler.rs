//! Handlers of events: what each does with an event, and why it failed.

use std::error::Error as StdError;
use std::io;

use keyfob_core::event::Event;
use keyfob_store::Cursor;

/// What a consumer of events is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// An event.
    Event(Box<Event>),
    /// Events between the last one and the next may have been trimmed before they were read:
    /// rebuild what is built from events.
    Trimmed,
}

/// Consumes events, one at a time. A closure that takes a [`Delivery`] is one; so are
/// [`log_events`] and [`JsonLines`](crate::handlers::JsonLines). [`TokenManager::spawn_handler`] runs it.
///
/// A handler is fed from the store's feed by a cursor, and not by the code that makes the change.
/// So a slow handler delays no other work and loses no event.
///
/// [`TokenManager::spawn_handler`]: crate::TokenManager::spawn_handler
pub trait EventHandler: Send + 'static {
    /// Consumes one delivery. It may block: it is called on a thread for blocking work.
    ///
    /// # Errors
    /// When the delivery could not be handled. It is then delivered again, until it is.
    fn handle(&mut self, delivery: &Delivery) -> Result<(), HandlerError>;

    /// Called after each batch that was handled, with the cursor after it. A handler that resumes
    /// after a restart keeps the cursor here.
    ///
    /// # Errors
    /// As [`EventHandler::handle`]. The last delivery of the batch is then delivered again.
    fn commit(&mut self, cursor: &Cursor) -> Result<(), HandlerError> {
        let _ = cursor;
        Ok(())
    }

    /// Whether [`EventHandler::sync`] must be called when a second has passed without an event.
    fn needs_sync(&self) -> bool {
        false
    }

    /// Writes what the handler has put off. Also called before the task ends.
    ///
    /// # Errors
    /// When it could not be written. It is then called again.
    fn sync(&mut self) -> Result<(), HandlerError> {
        Ok(())
    }
}

impl<F> EventHandler for F
where
    F: FnMut(&Delivery) -> Result<(), HandlerError> + Send + 'static,
{
    fn handle(&mut self, delivery: &Delivery) -> Result<(), HandlerError> {
        self(delivery)
    }
}

/// An event could not be handled.
#[derive(Debug, thiserror::Error)]
#[error("the event handler failed: {0}")]
pub struct HandlerError(#[source] Box<dyn StdError + Send + Sync>);

impl HandlerError {
    /// A failure with this cause, which may be an error or a text.
    pub fn new(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl From<io::Error> for HandlerError {
    fn from(error: io::Error) -> Self {
        Self::new(error)
    }
}

/// Logs each event through `tracing`, at level info. Give it to [`TokenManager::spawn_handler`]:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = keyfob::TokenManager::new(keyfob::MemoryStore::new()?);
/// manager.spawn_handler(keyfob::handlers::log_events, manager.latest_event().await?);
/// # manager.shutdown().await;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// None.
///
/// [`TokenManager::spawn_handler`]: crate::TokenManager::spawn_handler
pub fn log_events(delivery: &Delivery) -> Result<(), HandlerError> {
    match delivery {
        Delivery::Event(event) => tracing::info!(
            target: "keyfob::event",
            event = %event.id,
            kind = event.what.as_str(),
            token = event.token().map(tracing::field::display),
            by = event.by.as_ref().map(tracing::field::display),
            reason = event.reason.as_ref().map(tracing::field::display),
        ),
        Delivery::Trimmed => {
            tracing::error!(target: "keyfob::event", "events were trimmed before they were read");
        }
    }
    Ok(())
}
