//! Webhooks: events sent to receivers over HTTP, or published to NATS.
//!
//! | module | what |
//! |---|---|
//! | `stored` | subscriptions, positions and dead letters, as documents of the store |
//! | `registry` | how they are read and written |
//! | `subscriptions` | what `/v1/webhooks` does with them |
//! | `streams` | what receivers do with their own: stream management of Shared Signals |
//! | `window`, `poll`, `watch` | what waits for a receiver that polls, its polls, and a look at it in between |
//! | `waiting` | which polls wait for a token |
//! | `notices` | messages about a stream itself, which are in no log |
//! | `dead_letters` | deliveries that were given up |
//! | `backlog` | what waits, as gauges |
//! | `filter` | which events a subscription wants, by their tokens |
//! | `message` | what is sent about an event: JSON, or a signed security event token |
//! | `transmitter` | who signs security event tokens |
//! | `destination` | from a URL to who sends there |
//! | `sender` | one request to one receiver |
//! | `nats` | one message to a stream of NATS |
//! | `tls` | the TLS of both |
//! | `runner` | the deliveries of one subscription, by the replica that has its lease |
//! | `supervisor` | one runner for each subscription |
//!
//! Decisions are those of `keyfob-webhook`.

mod backlog;
mod dead_letters;
mod destination;
mod filter;
mod message;
pub mod nats;
mod notices;
mod poll;
mod registry;
mod runner;
mod sender;
mod stored;
mod streams;
mod subscriptions;
mod supervisor;
#[cfg(feature = "tls")]
mod tls;
mod transmitter;
mod waiting;
mod watch;
mod window;

use std::time::Duration;

use keyfob_webhook::address::AddressPolicy;
use keyfob_webhook::retry::RetryPolicy;

pub use nats::NatsSettings;
pub(crate) use registry::{Registry, WebhookError};
pub(crate) use stored::WebhookId;

/// The settings of webhooks.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct WebhookSettings {
    /// Which addresses the webhooks of administrators may be sent to.
    pub addresses: AddressPolicy,
    /// Which addresses the streams that receivers manage may be pushed to.
    pub stream_addresses: AddressPolicy,
    /// When a delivery is tried again.
    pub retry: RetryPolicy,
    /// For how long a replica delivers alone: another takes over so long after one has ended unexpectedly.
    pub lease: Duration,
    /// How long a receiver may take to answer, or NATS to acknowledge.
    pub timeout: Duration,
    /// The NATS servers that subscriptions may publish to. Default: none.
    pub nats: Option<NatsSettings>,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            addresses: AddressPolicy::default(),
            stream_addresses: AddressPolicy::default(),
            retry: RetryPolicy::default(),
            lease: Duration::from_secs(15),
            timeout: Duration::from_secs(15),
            nats: None,
        }
    }
}
