//! Events published to NATS JetStream.
//!
//! | module | what |
//! |---|---|
//! | `settings` | which servers, and as whom: what the operator sets |
//! | `files` | whether the files of the settings can be used |
//! | `login` | from the files of a login to what the server is shown |
//! | `connection` | the one connection of the process, and what went wrong with it |
//! | `publisher` | one message to one subject, and its acknowledgement |
//!
//! `login`, `connection` and `publisher` are built with the feature `nats` alone. `not_built` stands for them without it: the settings are refused, and
//! nothing is sent.

#[cfg(feature = "nats")]
mod connection;
mod files;
#[cfg(feature = "nats")]
mod login;
#[cfg(not(feature = "nats"))]
mod not_built;
#[cfg(feature = "nats")]
mod publisher;
mod settings;

#[cfg(not(feature = "nats"))]
pub(super) use not_built::Publisher;
#[cfg(feature = "nats")]
pub(super) use publisher::Publisher;
pub use settings::{NatsLogin, NatsSettings, NatsUnusable};
