//! Metrics that a test can look at: a recorder that keeps every series in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use keyfob::metrics::Recorder;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata,
    SharedString, Unit,
};

/// Keeps what is recorded. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Mutex<BTreeMap<Series, Arc<Value>>>>);

/// A name and the values of its labels, in order.
type Series = (String, Vec<String>);

/// The present value; of a histogram, how many values it has.
#[derive(Debug, Default)]
struct Value(Mutex<f64>);

impl Kept {
    /// The value of a series, by its name and the values of its labels.
    ///
    /// # Panics
    /// When there is no such series.
    pub fn value<const LABELS: usize>(&self, name: &str, labels: [&str; LABELS]) -> f64 {
        let each = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let series = (name.to_owned(), labels.map(str::to_owned).to_vec());
        each.get(&series).unwrap_or_else(|| panic!("there is no series {series:?}")).now()
    }

    /// The values of all series with this name, added up.
    pub fn sum(&self, name: &str) -> f64 {
        let each = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        each.iter().filter(|((own, _), _)| own == name).map(|(_, value)| value.now()).sum()
    }

    /// The names of all series, with their labels and values as text.
    pub fn series(&self) -> Vec<String> {
        let each = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        each.keys().map(|(name, labels)| format!("{name} {}", labels.join(" "))).collect()
    }

    fn put(&self, key: &Key) -> Arc<Value> {
        let labels = key.labels().map(|label| label.value().to_owned()).collect();
        let mut each = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(each.entry((key.name().to_owned(), labels)).or_default())
    }
}

impl Value {
    fn now(&self) -> f64 {
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

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.put(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.put(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.put(key))
    }
}
