//! What consumes events: closures, the log, lines of JSON, an audit log.
//!
//! [`TokenManager::spawn_handler`] and [`TokenManager::spawn_audit_log`] run a handler.
//!
//! [`TokenManager::spawn_handler`]: crate::TokenManager::spawn_handler
//! [`TokenManager::spawn_audit_log`]: crate::TokenManager::spawn_audit_log

pub mod audit;
mod handler;
mod json_lines;

pub use handler::{Delivery, EventHandler, HandlerError, log_events};
pub use json_lines::JsonLines;
