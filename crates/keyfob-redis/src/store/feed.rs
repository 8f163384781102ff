//! The feeds: a capped stream for each lane, read together and merged by time.

use std::collections::VecDeque;

use futures_util::future::try_join_all;
use keyfob_store::{Cursor, Entry, EntryPage, Feed, Lane, LanePosition, StoreError};

use super::Shared;
use crate::net::{Arg, Call, Reply, next};

/// The most entries that one call gives.
const MOST: usize = 500;

/// The fewest that a lane is asked for.
const FEWEST: usize = 16;

/// How far a cursor in an empty lane stays behind the server's clock, in case that goes back.
const BEHIND: u64 = 10_000;

/// How far the reading of one lane has got.
struct LaneRead {
    lane: Lane,
    after: Option<LanePosition>,
    ready: VecDeque<Entry>,
    done: bool,
    trimmed: bool,
    /// Where the cursor may go though nothing was given: so what is trimmed later is missed.
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
        let mut args = vec![self.feed_cap().into(), self.feed_end()];
        args.extend(entries.into_iter().map(Arg::from));
        let mut call = Call::new(&self.scripts.observe, vec![self.keys.observations(lane)], args);
        // An observation has no operation: better none than two.
        call.repeatable = false;
        self.net.read(self.keys.slot(lane), &call).await.map(drop)
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
                done: false,
                trimmed: false,
                base: None,
            })
            .collect();
        let share = (2 * (limit + 1)).div_ceil(reads.len()).clamp(FEWEST, MOST);
        let mut page = EntryPage { cursor: after.clone(), ..EntryPage::default() };
        loop {
            let dry = reads.iter_mut().filter(|read| read.ready.is_empty() && !read.done);
            try_join_all(dry.map(|read| self.read_entries(feed, read, share))).await?;
            let place = |read: &LaneRead| read.ready.front().map(|entry| entry.position);
            while reads.iter().all(|read| read.done || !read.ready.is_empty()) {
                let with_entry = reads.iter_mut().filter(|read| !read.ready.is_empty());
                let Some(first) = with_entry.min_by_key(|read| place(read)) else {
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
            let call = Call::new(&self.scripts.latest, vec![self.stream(feed, lane)], Vec::new());
            let reply = self.net.read(self.keys.slot(lane), &call).await?;
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
        let args = vec![
            // After the very last id the server takes none.
            format!("{}-{}", after.millis, after.number.min(u64::MAX - 1)).into_bytes().into(),
            (share as u64).into(),
            u64::from(read.after.is_some()).into(),
        ];
        let call = Call::new(&self.scripts.entries, vec![self.stream(feed, read.lane)], args);
        let mut parts = self.net.read(self.keys.slot(read.lane), &call).await?.array()?.into_iter();
        let now = next(&mut parts)?.number()?;
        let found = next(&mut parts)?.array()?;
        let first = next(&mut parts)?.optional()?;
        let first = first.as_deref().map(position).transpose()?;
        let gave_way = next(&mut parts)?.number()? == 1;
        // A stream that was not written to for its retention goes as a whole.
        let too_old = after
            .millis
            .max(self.created.as_millis())
            .saturating_add(self.config.feed_retention.as_millis())
            < now;
        read.trimmed |= read.after.is_some()
            && match first {
                Some(first) => after < before(first) && (gave_way || too_old),
                None => too_old,
            };
        read.base = read.base.or(Some(first.map_or_else(|| before_any(now), before)));
        read.done = found.len() < share;
        for entry in found {
            let entry = entry_of(read.lane, entry)?;
            read.after = Some(entry.position);
            read.ready.push_back(entry);
        }
        Ok(())
    }
}

/// A position in an empty lane that whatever is written from `now` on comes after.
fn before_any(now: u64) -> LanePosition {
    LanePosition { millis: now.saturating_sub(BEHIND), number: 0 }
}

/// The position before this one: between the two nothing can have been.
fn before(position: LanePosition) -> LanePosition {
    let LanePosition { millis, number } = position;
    match number.checked_sub(1) {
        Some(number) => LanePosition { millis, number },
        None => LanePosition { millis: millis.saturating_sub(1), number: u64::MAX },
    }
}

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

/// An id of a stream: milliseconds and a number.
fn position(id: &[u8]) -> Result<LanePosition, StoreError> {
    let read = || {
        let (millis, number) = std::str::from_utf8(id).ok()?.split_once('-')?;
        Some(LanePosition { millis: millis.parse().ok()?, number: number.parse().ok()? })
    };
    read().ok_or_else(|| StoreError::unavailable("a stream has an id that is none"))
}
