//! Decisions about webhooks.
//!
//! | module | what |
//! |---|---|
//! | [`secret`] | secrets, and the signature of [Standard Webhooks](https://www.standardwebhooks.com) |
//! | [`destination`] | where the events of a subscription are sent: over HTTP, or to NATS |
//! | [`endpoint`] | where a webhook may be sent: the URL |
//! | [`address`] | where a webhook may be sent: the address that the name leads to |
//! | [`nats`] | the subjects of events in NATS, and what JetStream answers |
//! | [`answer`] | what an answer of a receiver means |
//! | [`retry`] | when a delivery is tried again, and when it is given up |
//! | [`set`] | security event tokens: which events are signals of CAEP, and what they say |
//! | [`subject`] | subjects that a receiver does not want to hear of |
//! | [`queue`] | which delivery is next, and how far the log is done |
//! | `fuzzing` | the properties of the parsers for any input |
//!
//! Everything here is a function of values: the time and randomness are arguments. The sender reads the log,
//! resolves names, and keeps secrets and positions.

pub mod address;
pub mod answer;
pub mod destination;
pub mod endpoint;
pub mod nats;
pub mod queue;
pub mod retry;
pub mod secret;
pub mod set;
pub mod subject;

#[doc(hidden)]
pub mod fuzzing;
