//! The metrics of keyfob, as handles of the [`metrics`](https://docs.rs/metrics) facade: the application
//! chooses the recorder.
//!
//! | module | what |
//! |---|---|
//! | `catalog` | the list of all metrics |
//! | `http` | the metrics of the HTTP server |
//! | `labels` | every label and every value of it |
//! | `measure` | from the list to handles |
//! | `stripes` | sharded counters |
//! | `tally` | the counters of the cached path |
//! | `store_method` | the methods of the store contract, as a label |
//! | `network` | what a store over a network reports |
//!
//! No label has a value that a user can choose: no subject, no client, no name of a policy. So the number
//! of series is known in advance, and every series exists from the start, at zero. `docs/metrics.md` says
//! what each metric means and when to alert.

mod catalog;
mod http;
mod labels;
mod measure;
mod network;
mod store_method;
mod stripes;
mod tally;

use std::sync::{Arc, LazyLock};

pub use ::metrics::Recorder;
pub use labels::{LabelInfo, LinkPurpose};
pub use measure::{MetricInfo, MetricType};
pub use store_method::StoreMethod;

pub use catalog::{Handles, HttpHandles};
pub use http::HttpMetrics;
pub use labels::{
    AssertionOutcome, CacheLookup, ClockJump, ConnectionCut, CountedState, Derivation, HttpRoute,
    HttpStatus, InvalidationOf, LaneTrust, LastUseOutcome, LimitOutcome, MaybeKind,
    ObservationOutcome, ProofOutcome, RefreshOutcome, ReloadOutcome, RevocationTarget,
    SealOperation, SessionOutcome, StoreOutcome, SweepOutcome, Under, ValidationOutcome,
    WebhookDelivery,
};
pub use tally::{HotCounters, Tallied};

/// All metrics of keyfob, registered with one recorder. Cloning is cheap.
///
/// A manager uses the metrics that it, or its store, was given, and otherwise [`Metrics::global`].
/// So install a recorder before you build the first manager:
///
/// ```
/// use keyfob::{Metrics, MemoryStore, TokenManager};
///
/// # fn with(recorder: &dyn keyfob::metrics::Recorder) -> Result<(), Box<dyn std::error::Error>> {
/// let metrics = Metrics::on(recorder);
/// let manager = TokenManager::builder(MemoryStore::new()?).metrics(metrics).build();
/// # Ok(()) }
/// ```
///
/// Counters of several managers on one recorder add up. Gauges do not: the last value wins. If a process
/// has several managers, give each a recorder that adds a label of its own.
#[derive(Clone)]
pub struct Metrics {
    /// The handle of each metric. Only the crates of keyfob use it.
    #[doc(hidden)]
    pub handles: Arc<Handles>,
    is_kept: bool,
}

impl Metrics {
    /// Buckets for the histograms of seconds: from 50 µs (a local round trip) to 10 s (longer than any call).
    /// Without buckets an exporter makes summaries, and summaries cannot be added up over nodes.
    pub const SECONDS_BUCKETS: [f64; 14] = [
        0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0,
        2.5, 10.0,
    ];

    /// Returns metrics at the recorder that is installed now. Without a recorder, nothing is counted.
    pub fn global() -> Self {
        ::metrics::with_recorder(Self::on)
    }

    /// Returns metrics at this recorder.
    pub fn on(recorder: &dyn Recorder) -> Self {
        Self { handles: Arc::new(Handles::register(recorder)), is_kept: true }
    }

    /// Returns metrics that count nothing. Work that only serves metrics is skipped.
    pub fn none() -> Self {
        static NONE: LazyLock<Arc<Handles>> =
            LazyLock::new(|| Arc::new(Handles::register(&::metrics::NoopRecorder)));
        Self { handles: Arc::clone(&NONE), is_kept: false }
    }

    /// Returns the facts about every metric, with every label and every value.
    pub fn catalog() -> Vec<MetricInfo> {
        Handles::catalog()
    }

    /// Returns whether the values can be read: `false` only for [`Metrics::none`].
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("is_kept", &self.is_kept).finish_non_exhaustive()
    }
}
