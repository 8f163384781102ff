//! Which polls wait for a token. Each takes one of the requests that the server answers at the same time, and looks at its
//! stream again and again. So one of a stream waits, and of all streams no more than a part of all requests.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::stored::WebhookId;

/// The polls of this process that wait.
#[derive(Debug)]
pub(super) struct Waiting {
    streams: Mutex<HashSet<WebhookId>>,
    max: usize,
}

/// The place of a poll that waits.
#[derive(Debug)]
pub(super) struct Place<'a> {
    waiting: &'a Waiting,
    id: WebhookId,
}

impl Waiting {
    /// A sixteenth of all requests may wait.
    pub(super) fn new(max_requests: usize) -> Self {
        Self { streams: Mutex::default(), max: (max_requests / 16).max(1) }
    }

    /// Takes the place of a stream. `None`: another poll of it waits, or as many as may.
    pub(super) fn place(&self, id: &WebhookId) -> Option<Place<'_>> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = streams.len() < self.max && streams.insert(id.clone());
        is_free.then(|| Place { waiting: self, id: id.clone() })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let streams = &self.waiting.streams;
        streams.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
