//! The bound on spans that wait. The queue of OpenTelemetry has one too, but does not say what it drops.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor,
};

use super::losses::Losses;

/// How many spans may wait.
const MAX_QUEUED: usize = 2048;

/// How many are sent at once.
const MAX_BATCH: usize = 512;

/// How often those that wait are sent, if there are not enough for a batch.
const INTERVAL: Duration = Duration::from_secs(1);

/// What the requests and the thread that sends share.
#[derive(Debug, Default)]
struct Shared {
    queued: AtomicUsize,
    losses: Losses,
}

/// Puts spans into the queue.
#[derive(Debug)]
struct Queue {
    batches: BatchSpanProcessor,
    shared: Arc<Shared>,
}

/// Sends batches from the queue, and counts what is lost.
#[derive(Debug)]
struct Counting<E> {
    exporter: E,
    shared: Arc<Shared>,
}

/// Returns a processor that sends spans in batches by a thread of its own.
pub(super) fn processor(exporter: impl SpanExporter + 'static) -> impl SpanProcessor {
    let shared = Arc::<Shared>::default();
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(MAX_QUEUED)
        .with_max_export_batch_size(MAX_BATCH)
        .with_scheduled_delay(INTERVAL)
        .build();
    let exporter = Counting { exporter, shared: Arc::clone(&shared) };
    let batches = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    Queue { batches, shared }
}

impl SpanProcessor for Queue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        let queued = &self.shared.queued;
        if queued.fetch_add(1, Ordering::Relaxed) < MAX_QUEUED {
            self.batches.on_end(span);
        } else {
            queued.fetch_sub(1, Ordering::Relaxed);
            self.shared.losses.add(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

impl<E: SpanExporter> SpanExporter for Counting<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.shared.queued.fetch_sub(count, Ordering::Relaxed);
        let sent = self.exporter.export(batch).await;
        let losses = &self.shared.losses;
        if sent.is_err() {
            losses.add(count);
        }
        losses.report(sent.as_ref().err());
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.shared.losses.report_rest();
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use std::sync::{Condvar, Mutex};

    /// A collector that takes spans and does not answer until it may.
    #[derive(Clone, Debug, Default)]
    struct Slow {
        taken: Arc<AtomicUsize>,
        may_answer: Arc<(Mutex<bool>, Condvar)>,
    }

    impl SpanExporter for Slow {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.taken.fetch_add(batch.len(), Ordering::Relaxed);
            let (lock, changed) = &*self.may_answer;
            drop(changed.wait_while(lock.lock().unwrap(), |may| !*may).unwrap());
            Ok(())
        }
    }

    #[test]
    fn spans_beyond_the_bound_are_dropped_and_nobody_waits() {
        let slow = Slow::default();
        let provider =
            SdkTracerProvider::builder().with_span_processor(processor(slow.clone())).build();
        let tracer = provider.tracer("test");
        for _ in 0..3 * MAX_QUEUED {
            drop(tracer.start("request"));
        }
        *slow.may_answer.0.lock().unwrap() = true;
        slow.may_answer.1.notify_all();
        provider.shutdown().unwrap();
        let taken = slow.taken.load(Ordering::Relaxed);
        // One batch may have left the queue before the bound was reached.
        assert!((MAX_QUEUED..=MAX_QUEUED + MAX_BATCH).contains(&taken), "{taken}");
    }
}
