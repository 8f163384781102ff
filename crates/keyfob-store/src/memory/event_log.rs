//! A log of entries with a maximum length, for the logs of the store in memory.

use std::collections::{HashMap, VecDeque};

use crate::{Cursor, Entry, EntryPage, LanePosition};
use keyfob_core::id::Lane;
use keyfob_core::time::Timestamp;

/// The maximum number of entries in a log.
const MAX_ENTRIES: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct FeedLog {
    entries: VecDeque<Entry>,
    last: LanePosition,
    /// The position of the last dropped entry of each lane.
    trimmed: HashMap<Lane, LanePosition>,
}

impl FeedLog {
    pub(super) fn append(&mut self, lane: Lane, bodies: Vec<Vec<u8>>, now: Timestamp) {
        for body in bodies {
            let millis = now.as_millis();
            // A clock that went backwards must not place an entry before one that was read already.
            self.last = if millis > self.last.millis {
                LanePosition { millis, number: 0 }
            } else {
                LanePosition { number: self.last.number + 1, ..self.last }
            };
            self.entries.push_back(Entry { lane, position: self.last, body });
            if self.entries.len() > MAX_ENTRIES
                && let Some(old) = self.entries.pop_front()
            {
                self.trimmed.insert(old.lane, old.position);
            }
        }
    }

    pub(super) fn latest(&self, lanes: u16) -> Cursor {
        let mut cursor = Cursor::start();
        if self.last != LanePosition::default() {
            (0..lanes).for_each(|lane| cursor.advance(Lane::new(lane), self.last));
        }
        cursor
    }

    pub(super) fn page(&self, after: &Cursor, limit: usize, lanes: u16) -> EntryPage {
        let lanes = || (0..lanes).map(Lane::new);
        let reached = |lane| after.position(lane).unwrap_or_default();
        let earliest = lanes().map(reached).min().unwrap_or_default();
        let start = self.entries.partition_point(|entry| entry.position <= earliest);
        let mut cursor = after.clone();
        let mut entries = Vec::new();
        let mut more = false;
        for entry in self.entries.range(start..) {
            if entry.position <= reached(entry.lane) {
                continue;
            }
            if entries.len() == limit {
                more = true;
                break;
            }
            cursor.advance(entry.lane, entry.position);
            entries.push(entry.clone());
        }
        if !more {
            // There is one log for all lanes, so the next entry comes after this one in each of them.
            lanes().for_each(|lane| cursor.advance(lane, self.last));
        }
        let trimmed = self.trimmed.iter().any(|(lane, trimmed)| {
            after.position(*lane).is_some_and(|position| position < *trimmed)
        });
        EntryPage { entries, cursor, trimmed, more }
    }
}
