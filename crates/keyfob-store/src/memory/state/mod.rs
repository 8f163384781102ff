//! The data of the store in memory, and each method of the contract on it.

mod counting;
mod documents;
mod reseal;
mod steps;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::counts::{Counts, Stands};
use super::event_log::FeedLog;
use super::index::Index;
use crate::*;
use keyfob_core::KeyVersion;
use keyfob_core::id::{Lane, LaneCount, TokenId};
use keyfob_core::namespace::{EpochField, Term};
use keyfob_core::time::Timestamp;

/// How many expired records one write drops: more than it adds, so that they never accumulate.
const DROPPED_PER_WRITE: usize = 16;
/// Below this number of epochs in a lane, no epochs are dropped.
const FEWEST_EPOCHS: usize = 64;

#[derive(Debug)]
pub(super) struct State {
    lanes: Vec<LaneState>,
    records: BTreeMap<LocalKey, Record>,
    forget: BTreeSet<(Timestamp, TokenId)>,
    index: Index,
    events: FeedLog,
    observations: FeedLog,
    documents: BTreeMap<DocumentName, documents::Kept>,
    answers: HashMap<OperationId, Answer>,
    answers_end: BTreeSet<(Timestamp, [u8; 16])>,
    /// Writes under a lower key are refused.
    pub(super) min_key_version: KeyVersion,
}

/// What must be unique: the lane and the leading bytes of an id.
type LocalKey = (Lane, [u8; TokenId::LOCAL_BYTES]);

#[derive(Debug)]
struct LaneState {
    birth: Stamp,
    sequence: Stamp,
    epochs: HashMap<Option<EpochField>, KeptEpoch>,
    /// The latest time until which a record of the lane may be kept.
    kept_until: Timestamp,
    /// At this number of epochs, the store looks for epochs that revoke nothing any more.
    roomy_until: usize,
    counts: Counts,
}

#[derive(Debug)]
struct KeptEpoch {
    epoch: Epoch,
    /// When no record is left that it may revoke.
    covers_until: Timestamp,
}

#[derive(Debug)]
struct Record {
    id: TokenId,
    body: Vec<u8>,
    key: KeyVersion,
    version: RecordVersion,
    stamp: Stamp,
    keep_until: Timestamp,
    uses_left: Option<u32>,
    last_used: Option<Timestamp>,
    epochs: Epochs,
    terms: Vec<Term>,
    tombstone: Option<RevocationMark>,
    stands: Option<Stands>,
}

impl Record {
    /// Lists the record under more terms.
    fn list_also(&mut self, added: Vec<Term>, index: &mut Index) {
        for term in added {
            if !self.terms.contains(&term) {
                self.terms.push(term);
                index.add(term, self.id, self.keep_until);
            }
        }
    }
}

/// The answer to an operation, kept to repeat it.
#[derive(Clone, Debug)]
enum Answer {
    Inserted(Inserted),
    Replaced(Replaced),
    Consumed(Consumed),
    Revoked(Revoked),
    Advanced(Advanced),
    Document(DocumentWritten),
}

fn local_key(id: TokenId) -> LocalKey {
    (id.lane(), id.local())
}

impl State {
    pub(super) fn new(lanes: LaneCount, now: Timestamp) -> Self {
        let birth = Stamp::birth(now);
        let lane = || LaneState {
            birth,
            sequence: birth,
            epochs: HashMap::new(),
            kept_until: Timestamp::default(),
            roomy_until: FEWEST_EPOCHS,
            counts: Counts::default(),
        };
        Self {
            lanes: lanes.lanes().map(|_| lane()).collect(),
            records: BTreeMap::new(),
            forget: BTreeSet::new(),
            index: Index::default(),
            events: FeedLog::default(),
            observations: FeedLog::default(),
            documents: BTreeMap::new(),
            answers: HashMap::new(),
            answers_end: BTreeSet::new(),
            min_key_version: KeyVersion::PLAINTEXT,
        }
    }

    pub(super) fn insert(
        &mut self,
        operation: Operation,
        insert: Insert,
        now: Timestamp,
    ) -> Result<Inserted, StoreError> {
        if let Some(Answer::Inserted(inserted)) = self.begin(operation, now)? {
            return Ok(inserted);
        }
        let outcome = match self.admit(&insert.records, now)? {
            Some(refused) => refused,
            None => {
                let lane = insert.records.first().map_or(Lane::default(), |first| first.id.lane());
                let stamp = self.stamp_for(lane, insert.records.first().map(|first| first.stamp));
                self.store_all(insert.records, now);
                self.events.append(lane, insert.events, now);
                Inserted::Stored(stamp)
            }
        };
        self.answer(operation, Answer::Inserted(outcome));
        Ok(outcome)
    }

    pub(super) fn load(&self, id: TokenId, now: Timestamp) -> Option<Loaded> {
        self.record(id, now).map(|record| self.loaded(record))
    }

    fn record(&self, id: TokenId, now: Timestamp) -> Option<&Record> {
        let record = self.records.get(&local_key(id))?;
        (record.id == id && now < record.keep_until).then_some(record)
    }

    pub(super) fn replace(
        &mut self,
        operation: Operation,
        replace: Replace,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        if let Some(Answer::Replaced(replaced)) = self.begin(operation, now)? {
            return Ok(replaced);
        }
        NewRecord::check_body(&replace.body)?;
        StoreError::check_key(replace.key, self.min_key_version)?;
        let outcome = self.replaced(replace, now)?;
        self.answer(operation, Answer::Replaced(outcome.clone()));
        Ok(outcome)
    }

    fn replaced(&mut self, replace: Replace, now: Timestamp) -> Result<Replaced, StoreError> {
        let Some(loaded) = self.load(replace.id, now) else { return Ok(Replaced::Missing) };
        if !loaded.is_clear() {
            return Ok(Replaced::Ended);
        }
        if loaded.version != replace.read {
            return Ok(Replaced::Stale);
        }
        match self.admit(&replace.minted, now)? {
            Some(Inserted::Superseded) => return Ok(Replaced::Ended),
            Some(_) => return Ok(Replaced::IdTaken),
            None => {}
        }
        let version = RecordVersion(loaded.version.0 + 1);
        if let Some(record) = self.records.get_mut(&local_key(replace.id)) {
            record.body = replace.body;
            record.key = replace.key;
            record.version = version;
            record.list_also(replace.added_terms, &mut self.index);
        }
        if let Some(ends_at) = replace.ends_at {
            self.shift(replace.id, ends_at, now);
        }
        self.store_all(replace.minted, now);
        self.events.append(replace.id.lane(), replace.events, now);
        Ok(Replaced::Stored(version))
    }

    pub(super) fn consume(
        &mut self,
        operation: Operation,
        id: TokenId,
        now: Timestamp,
    ) -> Result<Consumed, StoreError> {
        if let Some(Answer::Consumed(spent)) = self.begin(operation, now)? {
            return Ok(spent);
        }
        let clear = self.load(id, now).is_some_and(|loaded| loaded.is_clear());
        let record = self.records.get_mut(&local_key(id)).filter(|_| clear);
        let spent = match record.and_then(|record| record.uses_left.as_mut()) {
            None => Consumed::Refused,
            Some(0) => Consumed::Exhausted,
            Some(left) => {
                *left -= 1;
                Consumed::Left(*left)
            }
        };
        if spent == Consumed::Left(0) {
            self.exhaust(id, now);
        }
        self.answer(operation, Answer::Consumed(spent.clone()));
        Ok(spent)
    }

    pub(super) fn touch(&mut self, uses: &[LastUse], now: Timestamp) {
        for LastUse { id, at, ends_at } in uses {
            let record = self.records.get_mut(&local_key(*id));
            let kept = record.filter(|record| record.id == *id && now < record.keep_until);
            let Some(record) = kept.filter(|record| record.last_used < Some(*at)) else { continue };
            record.last_used = Some(*at);
            if let Some(ends_at) = ends_at {
                self.shift(*id, *ends_at, now);
            }
        }
    }

    pub(super) fn revoke(
        &mut self,
        operation: Operation,
        revoke: Revoke,
        now: Timestamp,
    ) -> Result<Revoked, StoreError> {
        if let Some(Answer::Revoked(revoked)) = self.begin(operation, now)? {
            return Ok(revoked);
        }
        Revoke::check_note(&revoke.note)?;
        let Some(loaded) = self.load(revoke.id, now) else { return Ok(Revoked::Missing) };
        let is_clear = loaded.is_clear();
        let before = match loaded.verdict {
            Verdict::Revoked(mark) => Some(mark),
            Verdict::Clear | Verdict::Damaged => None,
        };
        let lane = revoke.id.lane();
        // The epoch advances even if the token is revoked already: its descendants may still be active.
        if let Some(field) = revoke.cascade {
            let covers_until = loaded.keep_until;
            self.count_out(lane, &revoke.listed, field, Some(revoke.id), now);
            self.advance_lane(lane, Some(field), revoke.at, &revoke.note, covers_until, now);
        }
        if let Some(mark) = before {
            self.answer(operation, Answer::Revoked(Revoked::Before(mark.clone())));
            return Ok(Revoked::Before(mark));
        }
        if is_clear {
            self.end(revoke.id, now);
        }
        if let Some(record) = self.records.get_mut(&local_key(revoke.id)) {
            let through = MarkScope::Token;
            record.tombstone = Some(RevocationMark { through, at: revoke.at, note: revoke.note });
        }
        self.events.append(lane, revoke.events, now);
        self.answer(operation, Answer::Revoked(Revoked::Now));
        Ok(Revoked::Now)
    }

    pub(super) fn advance(
        &mut self,
        operation: Operation,
        advance: Advance,
        now: Timestamp,
    ) -> Result<Advanced, StoreError> {
        if let Some(Answer::Advanced(advanced)) = self.begin(operation, now)? {
            return Ok(advanced);
        }
        Revoke::check_note(&advance.note)?;
        let every = 0..self.lanes.len() as u16;
        let (lanes, field) = match advance.scope {
            EpochScope::Lane(lane, field) => (lane.number()..lane.number() + 1, Some(field)),
            EpochScope::EveryLane(field) => (every, Some(field)),
            EpochScope::All => (every, None),
        };
        let advanced = Advanced { lanes: lanes.len() as u16 };
        let first = Lane::new(lanes.start);
        for lane in lanes.map(Lane::new) {
            match advance.scope {
                EpochScope::Lane(_, field) => {
                    self.count_out(lane, &advance.listed, field, None, now);
                }
                EpochScope::EveryLane(_) | EpochScope::All => {
                    self.lane_mut(lane).counts.end_all(field);
                }
            }
            let covers_until = self.lane(lane).kept_until.max(now + Epoch::KEPT_AT_LEAST);
            self.advance_lane(lane, field, advance.at, &advance.note, covers_until, now);
        }
        self.events.append(first, advance.events, now);
        self.answer(operation, Answer::Advanced(advanced));
        Ok(advanced)
    }

    pub(super) fn stamp(&self, lane: Lane) -> Stamp {
        self.lane(lane).sequence
    }

    pub(super) fn query(&self, query: &Query, now: Timestamp) -> RecordPage {
        self.page(query, now, |record| self.loaded(record))
    }

    pub(super) fn heads(&self, query: &Query, now: Timestamp) -> RecordPage<RecordHead> {
        self.page(query, now, |record| self.head(record))
    }

    fn page<R: Listed>(
        &self,
        query: &Query,
        now: Timestamp,
        read: impl Fn(&Record) -> R,
    ) -> RecordPage<R> {
        let after = query.after;
        let mut records = Vec::new();
        for id in self.index.walk(query.term, query.order, after) {
            if query.lane.is_some_and(|lane| lane != id.lane()) {
                continue;
            }
            let Some(record) = self.record(id, now) else { continue };
            if records.len() == query.limit {
                let next = records.last().map(Position::of);
                return RecordPage::new(records, next);
            }
            records.push(read(record));
        }
        RecordPage::new(records, None)
    }

    pub(super) fn count(&self, term: Term, lane: Option<Lane>) -> u64 {
        self.index.count(term, lane)
    }

    pub(super) fn tallies(&self) -> Vec<BucketCounts> {
        let mut tallies = CountTotals::default();
        self.lanes.iter().for_each(|lane| lane.counts.gather(&mut tallies));
        tallies.into_all()
    }

    pub(super) fn observe(&mut self, lane: Lane, entries: Vec<Vec<u8>>, now: Timestamp) {
        self.observations.append(lane, entries, now);
    }

    pub(super) fn entries(&self, feed: Feed, after: &Cursor, limit: usize) -> EntryPage {
        self.feed(feed).page(after, limit, self.lanes.len() as u16)
    }

    pub(super) fn latest(&self, feed: Feed) -> Cursor {
        self.feed(feed).latest(self.lanes.len() as u16)
    }

    fn feed(&self, feed: Feed) -> &FeedLog {
        match feed {
            Feed::Events => &self.events,
            Feed::Observations => &self.observations,
        }
    }

    fn loaded(&self, record: &Record) -> Loaded {
        let tombstone = record.tombstone.clone();
        let lane = record.id.lane();
        let (verdict, last_advance) =
            self.verdict_with_advance(lane, record.stamp, tombstone, &record.epochs);
        Loaded {
            id: record.id,
            body: record.body.clone(),
            key: record.key,
            version: record.version,
            stamp: record.stamp,
            keep_until: record.keep_until,
            uses_left: record.uses_left,
            last_used: record.last_used,
            epochs: record.epochs.clone(),
            sent: MonotonicInstant::now(),
            verdict,
            last_advance,
        }
    }

    fn head(&self, record: &Record) -> RecordHead {
        let lane = record.id.lane();
        let tombstone = record.tombstone.clone();
        let verdict = self.verdict(lane, record.stamp, tombstone, &record.epochs);
        let head = RecordHead {
            id: record.id,
            version: record.version,
            keep_until: record.keep_until,
            is_refused: !verdict.is_clear(),
            uses_left: record.uses_left,
            counted_in: None,
        };
        head.counted_in(record.stands.map(|stands| stands.place))
    }

    fn verdict(
        &self,
        lane: Lane,
        stamp: Stamp,
        tombstone: Option<RevocationMark>,
        epochs: &Epochs,
    ) -> Verdict {
        self.verdict_with_advance(lane, stamp, tombstone, epochs).0
    }

    fn verdict_with_advance(
        &self,
        lane: Lane,
        stamp: Stamp,
        tombstone: Option<RevocationMark>,
        epochs: &Epochs,
    ) -> (Verdict, Option<Timestamp>) {
        let lane = self.lane(lane);
        let sequence = Some((lane.birth, lane.sequence));
        Verdict::with_last_advance(stamp, tombstone, epochs, sequence, |field| {
            lane.epochs.get(&field).map(|kept| kept.epoch.clone())
        })
    }

    fn lane(&self, lane: Lane) -> &LaneState {
        &self.lanes[usize::from(lane.number()) % self.lanes.len()]
    }

    fn lane_mut(&mut self, lane: Lane) -> &mut LaneState {
        let count = self.lanes.len();
        &mut self.lanes[usize::from(lane.number()) % count]
    }
}
