//! What waits for a receiver that polls: the log after its position, as far as an answer needs it.
//!
//! The position and the ids of what was acknowledged after it are all that is kept. So any replica answers a poll,
//! and the end of one loses nothing.

use std::collections::{BTreeMap, HashSet};

use keyfob::event::Event;
use keyfob::store::Cursor;
use keyfob::values::Timestamp;
use keyfob_api::signals::SetErrorBody;
use keyfob_webhook::queue::{EntryNumber, Queue};
use keyfob_webhook::set;

use super::registry::{Registry, WebhookError};
use super::sender::Message;
use super::stored::{DeadLetter, Position, Subscription, WebhookId};

/// How many events may wait, and how many may be acknowledged after the oldest that waits.
const WINDOW: usize = 1_000;
/// How many events are asked of the log at a time, and how often for one answer.
const PAGE: usize = 256;
const MAX_PAGES: usize = 20;

/// What a poll says about tokens that the receiver got before.
#[derive(Default)]
pub(super) struct Asked<'a> {
    pub(super) acknowledged: HashSet<&'a str>,
    pub(super) errors: BTreeMap<&'a str, &'a SetErrorBody>,
}

/// What waits.
pub(super) struct Window {
    queue: Queue<(), Cursor, Waiting>,
    /// What the receiver has, although something before it waits.
    beyond: Vec<(EntryNumber, String)>,
    /// What it was known to have, and was not come across: it is further on.
    unseen: HashSet<String>,
    /// How many dead letters there are, once it was asked.
    dead_letters: Option<usize>,
    /// How many tokens were acknowledged.
    pub(super) acknowledged: usize,
    /// How many tokens the receiver does not accept, and why for the last one.
    pub(super) rejected: usize,
    pub(super) error: Option<String>,
    is_trimmed: bool,
    /// Whether everything was read that the answer needs.
    pub(super) is_complete: bool,
}

/// An event that waits. Without a message, it was not looked at.
struct Waiting {
    at: Timestamp,
    message: Option<Message>,
}

impl Window {
    /// Returns what to send, the oldest first.
    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.queue.waiting().filter_map(|waiting| waiting.message.as_ref())
    }

    /// Returns the position up to which the receiver has everything.
    pub(super) fn done(&self) -> &Cursor {
        self.queue.done()
    }

    /// Writes into a position what has changed.
    pub(super) fn save(&self, position: &mut Position, now: Timestamp) {
        position.cursor = self.queue.done().to_string();
        let is_beyond = |(number, _): &&(EntryNumber, String)| self.queue.holds(*number);
        let beyond = self.beyond.iter().filter(is_beyond).map(|(_, id)| id);
        position.acknowledged = beyond.chain(&self.unseen).cloned().collect();
        position.acknowledged.sort_unstable();
        position.waiting_since = self.queue.oldest().map(|waiting| waiting.at);
        if self.is_trimmed {
            position.trimmed_at = Some(now);
        }
        if self.acknowledged > 0 {
            position.delivered_at = Some(now);
        }
        if let Some(error) = &self.error {
            position.failed_at = Some(now);
            position.last_error = Some(error.clone());
        }
    }

    /// Returns whether another event may be done: nothing waits before it, or there is room to remember it.
    fn takes_answers(&self) -> bool {
        self.queue.is_empty() || self.beyond.len() + self.unseen.len() < WINDOW
    }

    fn push_done(&mut self, id: String, after: Cursor) {
        if let Some(number) = self.queue.push((), after, None) {
            self.beyond.push((number, id));
        }
    }
}

impl Registry {
    /// Reads what waits after `start`, until there are more than `max` messages and everything was found that the
    /// receiver says something about. `max` of `None`: no messages are made.
    pub(super) async fn window(
        &self,
        (id, to): (&WebhookId, &Subscription),
        (position, start): (&Position, Cursor),
        asked: &Asked<'_>,
        max: Option<usize>,
    ) -> Result<Window, WebhookError> {
        let mut window = Window {
            queue: Queue::new(start.clone(), WINDOW),
            beyond: Vec::new(),
            unseen: position.acknowledged.iter().cloned().collect(),
            dead_letters: None,
            acknowledged: 0,
            rejected: 0,
            error: None,
            is_trimmed: false,
            is_complete: false,
        };
        let (mut read, mut messages) = (start, 0);
        let mut unknown = asked.acknowledged.len() + asked.errors.len();
        for _ in 0..MAX_PAGES {
            if unknown == 0 && max.is_none_or(|max| messages > max) {
                window.is_complete = true;
                return Ok(window);
            }
            let page = self.manager.events(&read, PAGE).await?;
            window.is_trimmed |= page.trimmed;
            for (event, after) in page.events {
                let wants_more = max.is_some_and(|max| messages <= max);
                if !window.queue.has_room() || (unknown == 0 && !wants_more) {
                    window.is_complete = true;
                    return Ok(window);
                }
                let name = event.id.to_string();
                let error = asked.errors.get(name.as_str());
                let is_acknowledged = asked.acknowledged.contains(name.as_str());
                let answered = usize::from(error.is_some()) + usize::from(is_acknowledged);
                unknown = unknown.saturating_sub(answered);
                if window.unseen.remove(&name) {
                    window.push_done(name, after);
                    continue;
                }
                if is_acknowledged && window.takes_answers() {
                    window.acknowledged += 1;
                    window.push_done(name, after);
                    continue;
                }
                if let Some(error) = error
                    && window.takes_answers()
                    && self.reject((id, to), &mut window, &event, error).await?
                {
                    window.rejected += 1;
                    window.error = set::rejection_of(&error.err, &error.description);
                    window.push_done(name, after);
                    continue;
                }
                let (at, is_candidate) = (event.at, to.wants(event.what.as_str()));
                let waiting = match (is_candidate && set::is_signal(&event), wants_more) {
                    (false, _) => None,
                    (true, false) => Some(Waiting { at, message: None }),
                    (true, true) => self
                        .message(to, &event)
                        .await
                        .map(|message| Waiting { at, message: Some(message) }),
                };
                messages += usize::from(waiting.as_ref().is_some_and(|it| it.message.is_some()));
                window.queue.push((), after, waiting);
            }
            read = page.cursor;
            // Events that cannot be read are passed over.
            window.queue.push((), read.clone(), None);
            if !page.more {
                // What is not in the log is over.
                window.unseen.clear();
                window.is_complete = true;
                return Ok(window);
            }
        }
        Ok(window)
    }

    /// Keeps a token that the receiver does not accept as a dead letter. Returns whether there was room for it.
    async fn reject(
        &self,
        (id, to): (&WebhookId, &Subscription),
        window: &mut Window,
        event: &Event,
        error: &SetErrorBody,
    ) -> Result<bool, WebhookError> {
        // What the stream no longer has is done anyway.
        let Some(message) = self.message(to, event).await else { return Ok(true) };
        let letter = DeadLetter {
            message: message.id,
            event: String::from_utf8_lossy(&message.body).into_owned(),
            attempts: 1,
            at: self.now(),
            error: set::rejection_of(&error.err, &error.description).unwrap_or_default(),
        };
        let count = match window.dead_letters {
            Some(count) => count,
            None => self.count_dead_letters(id).await?,
        };
        window.dead_letters = Some(count + 1);
        self.bury_beside(id, &letter, count).await
    }
}
