//! The event log and the observations: a capped stream of each for every lane. Reading merges the lanes
//! by time.

use std::collections::VecDeque;

use futures_util::future::try_join_all;
use keyfob_store::{Cursor, Entry, EntryPage, Feed, Lane, LanePosition, StoreError};

use super::shared::Shared;
use crate::connections::{Call, Reply, next};
use crate::protocol::arg::Arg;
use crate::protocol::signatures::{entries, latest, observe};

/// The maximum number of entries that one call returns.
const MAX_SHARE: usize = 500;

/// The minimum number of entries that a lane is asked for.
const MIN_SHARE: usize = 16;

/// How many milliseconds a cursor in an empty lane stays behind the server's clock, in case the clock is
/// set back.
const EMPTY_LANE_MARGIN_MS: u64 = 10_000;

/// How far one lane has been read.
struct LaneRead {
    lane: Lane,
    after: Option<LanePosition>,
    /// Entries that were read and are not yet on a page.
    ready: VecDeque<Entry>,
    is_finished: bool,
    trimmed: bool,
    /// Where the cursor goes if the lane has no entry on the page. From there on it is noticed if entries
    /// are trimmed.
    base: Option<LanePosition>,
}

impl Shared {
    pub(super) async fn observe(
        &self,
        lane: Lane,
        entries: Vec<Vec<u8>>,
    ) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let keys = observe::Keys { stream: self.keys.observations(lane) };
        let mut args = Vec::from(observe::Args {
            entry_cap: self.stream_cap().into(),
            stream_expires_at: self.stream_expires_at(),
            entry_count: entries.len().into(),
        });
        args.extend(entries.into_iter().map(Arg::from));
        let mut call = Call::new(&self.scripts.observe, keys, args);
        // An observation has no operation, and a lost one is better than a duplicate.
        call.repeatable = false;
        self.connections.read(self.keys.slot(lane), &call).await.map(drop)
    }

    pub(super) async fn entries(
        &self,
        feed: Feed,
        after: &Cursor,
        limit: usize,
    ) -> Result<EntryPage, StoreError> {
        let mut reads: Vec<LaneRead> = self
            .namespace
            .lanes()
            .lanes()
            .map(|lane| LaneRead {
                lane,
                after: after.position(lane),
                ready: VecDeque::new(),
                is_finished: false,
                trimmed: false,
                base: None,
            })
            .collect();
        let share = (2 * (limit + 1)).div_ceil(reads.len()).clamp(MIN_SHARE, MAX_SHARE);
        let mut page = EntryPage { cursor: after.clone(), ..EntryPage::default() };
        loop {
            let used_up =
                reads.iter_mut().filter(|read| read.ready.is_empty() && !read.is_finished);
            try_join_all(used_up.map(|read| self.read_entries(feed, read, share))).await?;
            let position = |read: &LaneRead| read.ready.front().map(|entry| entry.position);
            while reads.iter().all(|read| read.is_finished || !read.ready.is_empty()) {
                let with_entry = reads.iter_mut().filter(|read| !read.ready.is_empty());
                let Some(first) = with_entry.min_by_key(|read| position(read)) else {
                    return Ok(finished(page, &reads));
                };
                if page.entries.len() == limit {
                    page.more = true;
                    return Ok(finished(page, &reads));
                }
                if let Some(entry) = first.ready.pop_front() {
                    page.cursor.advance(entry.lane, entry.position);
                    page.entries.push(entry);
                }
            }
        }
    }

    pub(super) async fn latest(&self, feed: Feed) -> Result<Cursor, StoreError> {
        let newest = self.namespace.lanes().lanes().map(|lane| async move {
            let keys = latest::Keys { stream: self.stream(feed, lane) };
            let call = Call::new(&self.scripts.latest, keys, []);
            let reply = self.connections.read(self.keys.slot(lane), &call).await?;
            let mut parts = reply.array()?.into_iter();
            let now = next(&mut parts)?.number()?;
            let position = match next(&mut parts)?.optional()? {
                Some(id) => position(&id)?,
                None => before_any(now),
            };
            Ok::<_, StoreError>((lane, position))
        });
        let mut cursor = Cursor::start();
        for (lane, position) in try_join_all(newest).await? {
            cursor.advance(lane, position);
        }
        Ok(cursor)
    }

    fn stream(&self, feed: Feed, lane: Lane) -> Vec<u8> {
        match feed {
            Feed::Events => self.keys.events(lane),
            Feed::Observations => self.keys.observations(lane),
        }
    }

    async fn read_entries(
        &self,
        feed: Feed,
        read: &mut LaneRead,
        share: usize,
    ) -> Result<(), StoreError> {
        let after = read.after.unwrap_or_default();
        // The server does not accept a position after the greatest possible one.
        let after_id = format!("{}-{}", after.millis, after.number.min(u64::MAX - 1));
        let keys = entries::Keys { stream: self.stream(feed, read.lane) };
        let args = entries::Args {
            after: after_id.into_bytes().into(),
            limit: share.into(),
            reports_trimming: Arg::flag(read.after.is_some()),
        };
        let call = Call::new(&self.scripts.entries, keys, args);
        let mut parts =
            self.connections.read(self.keys.slot(read.lane), &call).await?.array()?.into_iter();
        let now = next(&mut parts)?.number()?;
        let found = next(&mut parts)?.array()?;
        let first = next(&mut parts)?.optional()?;
        let first = first.as_deref().map(position).transpose()?;
        let was_trimmed = next(&mut parts)?.number()? == 1;
        // A stream expires as a whole if nothing is written to it for its retention.
        let too_old = after
            .millis
            .max(self.created.as_millis())
            .saturating_add(self.config.feed_retention.as_millis())
            < now;
        read.trimmed |= read.after.is_some()
            && match first {
                Some(first) => after < before(first) && (was_trimmed || too_old),
                None => too_old,
            };
        read.base = read.base.or(Some(first.map_or_else(|| before_any(now), before)));
        read.is_finished = found.len() < share;
        for entry in found {
            let entry = entry_of(read.lane, entry)?;
            read.after = Some(entry.position);
            read.ready.push_back(entry);
        }
        Ok(())
    }
}

/// Returns a position in an empty lane. Every entry that is written from `now` on comes after it.
fn before_any(now: u64) -> LanePosition {
    LanePosition { millis: now.saturating_sub(EMPTY_LANE_MARGIN_MS), number: 0 }
}

/// Returns the position before this one. There can be no entry between the two.
fn before(position: LanePosition) -> LanePosition {
    let LanePosition { millis, number } = position;
    match number.checked_sub(1) {
        Some(number) => LanePosition { millis, number },
        None => LanePosition { millis: millis.saturating_sub(1), number: u64::MAX },
    }
}

/// Completes a page by what is known of the lanes.
fn finished(mut page: EntryPage, reads: &[LaneRead]) -> EntryPage {
    for read in reads {
        page.trimmed |= read.trimmed;
        if let Some(base) = read.base {
            page.cursor.advance(read.lane, base);
        }
    }
    page
}

fn entry_of(lane: Lane, reply: Reply) -> Result<Entry, StoreError> {
    let mut parts = reply.array()?.into_iter();
    let position = position(&next(&mut parts)?.bytes()?)?;
    Ok(Entry { lane, position, body: next(&mut parts)?.bytes()? })
}

/// Reads the id of a stream's entry: milliseconds and a number.
fn position(id: &[u8]) -> Result<LanePosition, StoreError> {
    let read = || {
        let (millis, number) = std::str::from_utf8(id).ok()?.split_once('-')?;
        Some(LanePosition { millis: millis.parse().ok()?, number: number.parse().ok()? })
    };
    read().ok_or_else(|| StoreError::unavailable("a stream has an entry whose id cannot be read"))
}
