//! The metrics of this process in the text format of Prometheus, for `--metrics` and for the demo.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use keyfob::Metrics;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::failure::Failure;

/// The recorder of the metrics of this process.
#[derive(Clone)]
pub(crate) struct MetricsRecorder(Option<PrometheusHandle>);

/// Installs the recorder. A manager that was created earlier records nothing.
pub(crate) fn start() -> MetricsRecorder {
    static STARTED: OnceLock<MetricsRecorder> = OnceLock::new();
    let start = || {
        let seconds = Matcher::Suffix("_seconds".to_owned());
        let builder = PrometheusBuilder::new();
        let builder = builder.set_buckets_for_metric(seconds, &Metrics::SECONDS_BUCKETS);
        MetricsRecorder(builder.ok().and_then(|builder| builder.install_recorder().ok()))
    };
    STARTED.get_or_init(start).clone()
}

impl MetricsRecorder {
    /// All metrics as text. Shut managers down first: they report their counters then.
    pub(crate) fn text(&self) -> String {
        self.0.as_ref().map(PrometheusHandle::render).unwrap_or_default()
    }

    /// Writes the metrics to a file in one step, so that no reader sees a partial file.
    pub(crate) fn write(&self, file: &Path) -> Result<(), Failure> {
        let mut unfinished = file.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let written = fs::write(&unfinished, self.text());
        written.and_then(|()| fs::rename(&unfinished, file)).map_err(|error| {
            // Ignored: the file may not exist.
            let _ = fs::remove_file(&unfinished);
            Failure::Metrics { file: file.display().to_string(), error }
        })
    }
}
