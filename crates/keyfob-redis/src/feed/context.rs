//! What the tasks of the feed share.

use std::sync::Arc;
use std::time::Duration;

use keyfob_store::LaneCount;

use super::Feed;
use crate::connections::Connections;
use crate::keys::Keys;
use crate::namespace_guard::NamespaceGuard;

/// What the listeners of primaries are created with.
#[derive(Clone)]
pub(crate) struct FeedContext {
    pub(crate) feed: Arc<Feed>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) guard: Arc<NamespaceGuard>,
    /// The slot of the meta key.
    pub(crate) meta_slot: u16,
    pub(crate) lane_count: LaneCount,
    pub(crate) response_timeout: Duration,
    /// Whether lanes may move from one primary to another.
    pub(crate) lanes_move: bool,
}
