//! Metrics: what there is to count, as handles of the [`metrics`](https://docs.rs/metrics) facade, so that
//! whoever embeds keyfob chooses where they go.
//!
//! | module | what |
//! |---|---|
//! | `catalog` | the one list of all metrics |
//! | `labels` | every label, and every value that it can have |
//! | `measure` | from the list to handles |
//! | `stripes` | counts that no two threads write at the same place |
//! | `tally` | what the cached path counts, in stripes |
//! | `measured` | a layer over a store that times its verbs |
//! | `network` | what a store tells that is reached over a network |
//!
//! No label has a value that anybody outside can choose: no subject, no client, no name of a policy.
//! So the number of series is known beforehand, and every one of them is there from the start, at
//! zero. `docs/metrics.md` says what each means and what to be woken up for.

#![allow(missing_docs, unreachable_pub, reason = "to be written before the split is done")]

mod catalog;
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

pub use catalog::Handles;
pub use labels::{
    CacheLookup, ClockJump, CountedState, Derivation, InvalidationOf, LaneTrust, LastUseOutcome,
    LimitOutcome, MaybeKind, ObservationOutcome, RefreshOutcome, RevocationTarget, SealOperation,
    SessionOutcome, StoreOutcome, SweepOutcome, Under, ValidationOutcome,
};
pub use tally::{HotCounters, Tallied};

/// All metrics of keyfob, registered at one recorder. Cloning it is cheap.
///
/// A manager uses those that it, or its store, was given, and else [`Metrics::global`]. So install a recorder before the
/// first manager is built:
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
/// Counters of several managers on one recorder add up. Their gauges do not: the last one stands, so
/// give each manager of a process a recorder that adds a label of its own, if there is more than one.
#[derive(Clone)]
pub struct Metrics {
    pub handles: Arc<Handles>,
    is_kept: bool,
}

impl Metrics {
    /// Buckets for the histograms of seconds: from 50 µs, which is a local round trip, to 10 s, which
    /// no call takes. An exporter that has no buckets makes summaries, which do not add up over nodes.
    pub const SECONDS_BUCKETS: [f64; 14] = [
        0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0,
        2.5, 10.0,
    ];

    /// At the recorder of this process as it is now; if none is installed, nothing is kept.
    pub fn global() -> Self {
        ::metrics::with_recorder(Self::on)
    }

    /// At this recorder.
    pub fn on(recorder: &dyn Recorder) -> Self {
        Self { handles: Arc::new(Handles::register(recorder)), is_kept: true }
    }

    /// Nowhere: nothing is kept, and what can be left undone for that is.
    pub fn none() -> Self {
        static NONE: LazyLock<Arc<Handles>> =
            LazyLock::new(|| Arc::new(Handles::register(&::metrics::NoopRecorder)));
        Self { handles: Arc::clone(&NONE), is_kept: false }
    }

    /// What there is: every metric, with every label and every value of it.
    pub fn catalog() -> Vec<MetricInfo> {
        Handles::catalog()
    }

    /// Whether there is somebody to tell, as far as is known.
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("is_kept", &self.is_kept).finish_non_exhaustive()
    }
}
