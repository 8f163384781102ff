//! What all requests share.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use keyfob::TokenManager;

use crate::access::caller::Authenticator;
use crate::listen::phase::Phases;
use crate::settings::Settings;

/// Renders all metrics of the process in the text format of Prometheus.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) manager: TokenManager,
    pub(crate) authenticator: Authenticator,
    pub(crate) settings: Settings,
    /// The OpenAPI document.
    pub(crate) openapi: Bytes,
    pub(crate) render_metrics: Option<RenderMetrics>,
    /// From serving to ended. Streams end when the server drains.
    pub(crate) phases: Arc<Phases>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("manager", &self.manager)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
