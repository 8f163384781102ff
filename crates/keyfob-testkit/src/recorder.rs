//! A metrics recorder that keeps every series in memory, for assertions in tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use keyfob::metrics::Recorder;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata,
    SharedString, Unit,
};

/// A recorder in memory. Clones share the recorded series.
#[derive(Clone, Debug, Default)]
pub struct MemoryRecorder(Arc<Mutex<BTreeMap<Series, Arc<Value>>>>);

/// A name and the values of its labels, in order.
type Series = (String, Vec<String>);

/// The current value; for a histogram, the number of recorded values.
#[derive(Debug, Default)]
struct Value(Mutex<f64>);

impl MemoryRecorder {
    /// Returns the value of a series, by its name and the values of its labels.
    ///
    /// # Panics
    /// If there is no such series.
    pub fn value<const LABELS: usize>(&self, name: &str, labels: [&str; LABELS]) -> f64 {
        let series_map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let series = (name.to_owned(), labels.map(str::to_owned).to_vec());
        series_map.get(&series).unwrap_or_else(|| panic!("there is no series {series:?}")).get()
    }

    /// Returns the sum of all series with this name.
    pub fn sum(&self, name: &str) -> f64 {
        let series_map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        series_map.iter().filter(|((own, _), _)| own == name).map(|(_, value)| value.get()).sum()
    }

    /// Returns the names of all series with the values of their labels.
    pub fn series(&self) -> Vec<String> {
        let series_map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        series_map.keys().map(|(name, labels)| format!("{name} {}", labels.join(" "))).collect()
    }

    fn entry(&self, key: &Key) -> Arc<Value> {
        let labels = key.labels().map(|label| label.value().to_owned()).collect();
        let mut series_map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(series_map.entry((key.name().to_owned(), labels)).or_default())
    }
}

impl Value {
    fn get(&self) -> f64 {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut value = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *value = change(*value);
    }
}

impl CounterFn for Value {
    fn increment(&self, value: u64) {
        self.change(|now| now + value as f64);
    }

    fn absolute(&self, value: u64) {
        self.change(|now| now.max(value as f64));
    }
}

impl GaugeFn for Value {
    fn increment(&self, value: f64) {
        self.change(|now| now + value);
    }

    fn decrement(&self, value: f64) {
        self.change(|now| now - value);
    }

    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

impl HistogramFn for Value {
    fn record(&self, _: f64) {
        self.change(|count| count + 1.0);
    }
}

impl Recorder for MemoryRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.entry(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.entry(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.entry(key))
    }
}
