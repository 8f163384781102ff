//! What was counted, as Prometheus reads it: for a file that its node exporter collects, and for
//! whoever wants to see it.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use keyfob::Metrics;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::failure::Failure;

/// What this process has counted.
#[derive(Clone)]
pub(crate) struct Counted(Option<PrometheusHandle>);

/// Has everything counted from now on. A manager that is made before counts nothing.
pub(crate) fn start() -> Counted {
    static STARTED: OnceLock<Counted> = OnceLock::new();
    let start = || {
        let seconds = Matcher::Suffix("_seconds".to_owned());
        let builder = PrometheusBuilder::new();
        let builder = builder.set_buckets_for_metric(seconds, &Metrics::SECONDS_BUCKETS);
        Counted(builder.ok().and_then(|builder| builder.install_recorder().ok()))
    };
    STARTED.get_or_init(start).clone()
}

impl Counted {
    /// All metrics as text. What managers have counted is in it once they are shut down.
    pub(crate) fn text(&self) -> String {
        self.0.as_ref().map(PrometheusHandle::render).unwrap_or_default()
    }

    /// Writes them to a file in one step, so that nobody reads half of them.
    pub(crate) fn write(&self, file: &Path) -> Result<(), Failure> {
        let mut unfinished = file.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let written = fs::write(&unfinished, self.text());
        written.and_then(|()| fs::rename(&unfinished, file)).map_err(|error| {
            let _perhaps_never_there = fs::remove_file(&unfinished);
            Failure::Metrics { file: file.display().to_string(), error }
        })
    }
}
