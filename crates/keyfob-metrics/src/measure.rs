//! Turns the list of metrics into handles: one handle, or one for each value of a label.

use std::marker::PhantomData;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, Unit};

use super::labels::{Label, LabelInfo};

/// The type of a metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricType {
    /// A number that only grows.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Values that are counted in buckets of size.
    Histogram,
}

/// The facts about one metric.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MetricInfo {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricType,
    /// Its labels, in order.
    pub labels: Vec<LabelInfo>,
    /// What it means.
    pub help: &'static str,
}

/// A handle, or a table of handles, that a metric can be registered as.
pub(super) trait Measure: Sized {
    const TYPE: MetricType;

    /// Returns its labels, the outermost first.
    fn labels() -> Vec<LabelInfo>;

    /// Registers it with these labels and its own.
    fn register(recorder: &dyn Recorder, name: &'static str, labels: &[metrics::Label]) -> Self;
}

/// One `M` for each value of a label.
#[derive(Debug)]
pub struct By<M, L> {
    each: Box<[M]>,
    label: PhantomData<fn(L)>,
}

impl<M, L: Label> By<M, L> {
    /// Returns the `M` of a label's value.
    #[inline]
    pub fn of(&self, value: L) -> &M {
        // The table has an entry for every value.
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

/// Returns the facts about a metric.
pub(super) fn info<M: Measure>(name: &'static str, help: &'static str) -> MetricInfo {
    MetricInfo { name, kind: M::TYPE, labels: M::labels(), help }
}

/// The suffix of the name, by convention.
fn unit_of(name: &str) -> Unit {
    match name.trim_end_matches("_total").rsplit('_').next() {
        Some("seconds") => Unit::Seconds,
        Some("bytes") => Unit::Bytes,
        _ => Unit::Count,
    }
}

impl MetricType {
    /// The name as Prometheus spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}
