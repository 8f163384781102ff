//! From the list of metrics to handles: a handle, a handle for each value of a label, and so on.

use std::marker::PhantomData;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, Unit};

use super::labels::{Label, LabelInfo};

/// What a metric is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricType {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Values that are counted by size.
    Histogram,
}

/// What there is to know of a metric.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MetricInfo {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: MetricType,
    /// Its labels, in order.
    pub labels: Vec<LabelInfo>,
    /// What it means.
    pub help: &'static str,
}

/// Something that a metric can be registered as.
pub(super) trait Measure: Sized {
    const TYPE: MetricType;

    /// Its labels, from the outermost on.
    fn labels() -> Vec<LabelInfo>;

    /// Registers it under these labels and its own.
    fn register(recorder: &dyn Recorder, name: &'static str, labels: &[metrics::Label]) -> Self;
}

/// One of `M` for each value of a label.
#[derive(Debug)]
pub struct By<M, L> {
    each: Box<[M]>,
    label: PhantomData<fn(L)>,
}

impl<M, L: Label> By<M, L> {
    /// The one of a value.
    #[inline]
    pub fn of(&self, value: L) -> &M {
        // There is one for each value that there is.
        &self.each[value.place()]
    }
}

impl<M: Measure, L: Label> Measure for By<M, L> {
    const TYPE: MetricType = M::TYPE;

    fn labels() -> Vec<LabelInfo> {
        let mut labels = vec![L::info()];
        labels.extend(M::labels());
        labels
    }

    fn register(recorder: &dyn Recorder, name: &'static str, labels: &[metrics::Label]) -> Self {
        let each = L::ALL.iter().map(|value| {
            let own = metrics::Label::from_static_parts(L::NAME, value.as_str());
            let labels: Vec<_> = labels.iter().cloned().chain([own]).collect();
            M::register(recorder, name, &labels)
        });
        Self { each: each.collect(), label: PhantomData }
    }
}

macro_rules! handles {
    ($($handle:ident $register:ident;)+) => {$(
        impl Measure for $handle {
            const TYPE: MetricType = MetricType::$handle;

            fn labels() -> Vec<LabelInfo> {
                Vec::new()
            }

            fn register(
                recorder: &dyn Recorder,
                name: &'static str,
                labels: &[metrics::Label],
            ) -> Self {
                recorder.$register(&Key::from_parts(name, labels.to_vec()), &METADATA)
            }
        }
    )+};
}

handles! {
    Counter register_counter;
    Gauge register_gauge;
    Histogram register_histogram;
}

const METADATA: Metadata<'static> =
    Metadata::new("keyfob", metrics::Level::INFO, Some("keyfob::metrics"));

/// Describes and registers a metric.
pub(super) fn register<M: Measure>(
    recorder: &dyn Recorder,
    name: &'static str,
    help: &'static str,
) -> M {
    let (key, unit) = (KeyName::from_const_str(name), Some(unit_of(name)));
    match M::TYPE {
        MetricType::Counter => recorder.describe_counter(key, unit, help.into()),
        MetricType::Gauge => recorder.describe_gauge(key, unit, help.into()),
        MetricType::Histogram => recorder.describe_histogram(key, unit, help.into()),
    }
    M::register(recorder, name, &[])
}

/// What there is to know of a metric.
pub(super) fn info<M: Measure>(name: &'static str, help: &'static str) -> MetricInfo {
    MetricInfo { name, kind: M::TYPE, labels: M::labels(), help }
}

/// By convention the name ends with it.
fn unit_of(name: &str) -> Unit {
    match name.trim_end_matches("_total").rsplit('_').next() {
        Some("seconds") => Unit::Seconds,
        Some("bytes") => Unit::Bytes,
        _ => Unit::Count,
    }
}

impl MetricType {
    /// The name, as Prometheus has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}
