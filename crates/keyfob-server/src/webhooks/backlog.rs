//! What waits at the subscriptions that this process delivers for, as gauges.
//!
//! A subscription is delivered by one process. So over all processes, the dead letters add up, and the oldest event
//! is that of the process with the highest age.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use keyfob::metrics::HttpMetrics;
use keyfob::values::{Timestamp, Ttl};

use super::stored::WebhookId;

/// What waits at the subscriptions that this process delivers for. Each change sets the gauges.
pub(super) struct Backlog {
    metrics: HttpMetrics,
    waiting: Mutex<HashMap<WebhookId, Waiting>>,
}

/// What waits at one subscription.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    /// When the oldest event happened that is not delivered.
    oldest: Option<Timestamp>,
    /// `None`: not counted yet.
    dead_letters: Option<usize>,
}

impl Backlog {
    pub(super) fn new(metrics: HttpMetrics) -> Self {
        Self { metrics, waiting: Mutex::default() }
    }

    /// Sets when the oldest event happened that a subscription has to deliver.
    pub(super) fn set_oldest(&self, id: &WebhookId, oldest: Option<Timestamp>, now: Timestamp) {
        self.change(now, |all| all.entry(id.clone()).or_default().oldest = oldest);
    }

    /// Sets how many dead letters a subscription has.
    pub(super) fn set_dead_letters(&self, id: &WebhookId, count: usize, now: Timestamp) {
        self.change(now, |all| all.entry(id.clone()).or_default().dead_letters = Some(count));
    }

    /// Returns how many dead letters a subscription has, if this process delivers for it and has counted them. There may
    /// be fewer: others drop some too.
    pub(super) fn dead_letters(&self, id: &WebhookId) -> Option<usize> {
        let all = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(id)?.dead_letters
    }

    /// Counts one dead letter more, if this process delivers for the subscription.
    pub(super) fn add_dead_letter(&self, id: &WebhookId, now: Timestamp) {
        self.change(now, |all| {
            if let Some(count) = all.get_mut(id).and_then(|waiting| waiting.dead_letters.as_mut()) {
                *count += 1;
            }
        });
    }

    /// Counts one dead letter less, if this process delivers for the subscription.
    pub(super) fn remove_dead_letter(&self, id: &WebhookId, now: Timestamp) {
        self.change(now, |all| {
            if let Some(count) = all.get_mut(id).and_then(|waiting| waiting.dead_letters.as_mut()) {
                *count = count.saturating_sub(1);
            }
        });
    }

    /// Removes a subscription that this process no longer delivers for.
    pub(super) fn remove(&self, id: &WebhookId, now: Timestamp) {
        self.change(now, |all| {
            all.remove(id);
        });
    }

    fn change(&self, now: Timestamp, change: impl FnOnce(&mut HashMap<WebhookId, Waiting>)) {
        let mut all = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut all);
        let oldest = all.values().filter_map(|waiting| waiting.oldest).min();
        let age = oldest.and_then(|oldest| now.since(oldest)).map(Ttl::as_duration);
        let dead_letters: usize = all.values().filter_map(|waiting| waiting.dead_letters).sum();
        let handles = &self.metrics.handles;
        handles.webhook_oldest_age.set(age.unwrap_or_default().as_secs_f64());
        handles.webhook_dead_letters.set(u32::try_from(dead_letters).unwrap_or(u32::MAX));
    }
}
