//! What the store methods and the maintenance task share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use keyfob_store::{MonotonicInstant, Namespace, Timestamp};

use super::limits::refusals::Refusals;
use super::lookup_failure::LookupFailure;
use super::pulses::Pulses;
use crate::config::RedisConfig;
use crate::connections::Connections;
use crate::feed::Feed;
use crate::keys::Keys;
use crate::namespace_guard::NamespaceGuard;
use crate::protocol::arg::Arg;
use crate::protocol::signatures::Scripts;

/// What the calls and the maintenance task of a store share.
pub(super) struct Shared {
    pub(super) config: RedisConfig,
    pub(super) namespace: Namespace,
    pub(super) created: Timestamp,
    pub(super) keys: Arc<Keys>,
    pub(super) scripts: Arc<Scripts>,
    pub(super) connections: Arc<Connections>,
    pub(super) feed: Arc<Feed>,
    /// Many callers send the recent revocations of a lane to a new primary once.
    pub(super) catching_up: Vec<tokio::sync::Mutex<()>>,
    pub(super) pulses: Pulses,
    pub(super) refusals: Refusals,
    pub(super) guard: Arc<NamespaceGuard>,
    /// Whether the maintenance task runs.
    pub(super) is_maintained: Arc<AtomicBool>,
    /// Many callers look for the namespace in a lane once. Each lock holds the last failure and its time, which
    /// is the answer for those that waited. Without copies there is one lock for all lanes.
    pub(super) looking: Vec<tokio::sync::Mutex<Option<(MonotonicInstant, LookupFailure)>>>,
}

impl Shared {
    pub(super) fn now(&self) -> Timestamp {
        self.config.clock.now()
    }

    /// About how many entries a lane's stream keeps.
    pub(super) fn stream_cap(&self) -> u64 {
        (self.config.feed_cap / u64::from(self.namespace.lanes().get())).max(1)
    }

    /// When a stream that is written to now may expire. In coarse steps, so that most writes find this
    /// expiry already set.
    pub(super) fn stream_expires_at(&self) -> Arg {
        let retention = self.config.feed_retention;
        let step = (retention.as_millis() / 168).max(1);
        let end = (self.now() + retention).as_millis();
        Arg::Local(Timestamp::from_millis(end.next_multiple_of(step)))
    }
}
