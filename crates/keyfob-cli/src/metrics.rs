//! The metrics of this process in the text format of Prometheus, for `--metrics` and for the demo.

use std::fs;
use std::io;
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

    /// Writes the metrics to a file in one step, so that no reader sees a partial file. A symbolic link is
    /// followed. A device or a pipe is written to as it is.
    pub(crate) fn write(&self, file: &Path) -> Result<(), Failure> {
        self.write_to(file)
            .map_err(|error| Failure::Metrics { file: file.display().to_string(), error })
    }

    fn write_to(&self, file: &Path) -> io::Result<()> {
        let text = self.text();
        match fs::metadata(file) {
            Ok(metadata) if !metadata.is_file() => return fs::write(file, text),
            // Without the file that a link names, there is nothing to replace.
            Err(_) if file.is_symlink() => return fs::write(file, text),
            _ => {}
        }
        let target = if file.is_symlink() { file.canonicalize()? } else { file.to_owned() };
        let mut unfinished = target.clone().into_os_string();
        unfinished.push(".unfinished");
        let written = fs::write(&unfinished, text);
        written.and_then(|()| fs::rename(&unfinished, &target)).inspect_err(|_| {
            // Ignored: the file may not exist.
            let _ = fs::remove_file(&unfinished);
        })
    }
}
