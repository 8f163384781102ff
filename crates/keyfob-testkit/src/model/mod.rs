//! A model of the contract: plain maps that determine which answers a store may give.
//!
//! The model does not choose stamps: the store does. After an advance, the caller passes the
//! new stamp of the sequence to the model.

mod counts;
mod write;

use std::collections::{BTreeMap, HashMap};

use keyfob::store::{
    Advanced, BucketCounts, Consumed, Epoch, EpochField, EpochScope, Epochs, Inserted, Lane,
    LastUse, Loaded, MarkScope, MonotonicInstant, NewRecord, Order, Position, RecordVersion,
    Replace, Replaced, RevocationMark, Revoked, Stamp, StampRule, Term, TimeBucket, Verdict,
};
use keyfob::{Timestamp, TokenId};

use counts::CountList;
pub use write::{Write, WriteAnswer};

/// An epoch that a write advances.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EpochAdvance {
    /// The lane.
    pub lane: Lane,
    /// The field; `None` covers all records.
    pub field: Option<EpochField>,
    at: Timestamp,
    note: Vec<u8>,
}

/// The part of an id that must be unique: the lane and the leading bytes.
type LocalKey = (Lane, [u8; TokenId::LOCAL_BYTES]);

#[derive(Clone, Debug)]
struct ModelRecord {
    new: NewRecord,
    stamp: Stamp,
    version: RecordVersion,
    last_used: Option<Timestamp>,
    tombstone: Option<RevocationMark>,
    /// Its line in the counts, if it is counted.
    line: Option<usize>,
}

/// The contents of a store that keeps the contract.
#[derive(Clone, Debug)]
pub struct Model {
    sequences: BTreeMap<Lane, Stamp>,
    every_lane: u16,
    records: BTreeMap<LocalKey, ModelRecord>,
    epochs: HashMap<(Lane, Option<EpochField>), Epoch>,
    events: Vec<(Option<Lane>, Vec<u8>)>,
    counts: CountList,
}

fn local_key(id: TokenId) -> LocalKey {
    (id.lane(), id.local())
}

impl Model {
    /// Creates an empty store with this number of lanes. `sequences` has the current stamps of the
    /// lanes in use.
    pub fn new(sequences: BTreeMap<Lane, Stamp>, every_lane: u16) -> Self {
        Self {
            sequences,
            every_lane,
            records: BTreeMap::new(),
            epochs: HashMap::new(),
            events: Vec::new(),
            counts: CountList::default(),
        }
    }

    /// Returns the current stamp of a lane in use.
    pub fn stamp(&self, lane: Lane) -> Stamp {
        self.sequences.get(&lane).copied().unwrap_or(Stamp::new(0))
    }

    /// Returns the record, if it exists.
    pub fn load(&self, id: TokenId, now: Timestamp) -> Option<Loaded> {
        let record = self.live(id, now)?;
        Some(Loaded {
            id,
            body: record.new.body.clone(),
            key: record.new.key,
            version: record.version,
            stamp: record.stamp,
            keep_until: record.new.keep_until,
            uses_left: record.new.uses_left,
            last_used: record.last_used,
            epochs: record.new.epochs.clone(),
            sent: MonotonicInstant::now(),
            verdict: self.verdict(
                id.lane(),
                record.stamp,
                record.tombstone.clone(),
                &record.new.epochs,
            ),
            last_advance: None,
        })
    }

    /// Returns the verdict on a record.
    pub fn epochs_of(&self, id: TokenId, now: Timestamp) -> Option<&Epochs> {
        self.live(id, now).map(|record| &record.new.epochs)
    }

    /// Returns whether an epoch of the field is above a stamp.
    pub fn is_above(&self, lane: Lane, field: EpochField, stamp: Stamp) -> bool {
        self.epochs.get(&(lane, Some(field))).is_some_and(|epoch| epoch.stamp > stamp)
    }

    /// Returns all records that a term lists, in order.
    pub fn list(
        &self,
        term: Term,
        lane: Option<Lane>,
        order: Order,
        now: Timestamp,
    ) -> Vec<Loaded> {
        let fits = |record: &&ModelRecord| {
            record.new.terms.contains(&term) && lane.is_none_or(|lane| lane == record.new.id.lane())
        };
        let fitting = self.records.values().filter(fits);
        let mut listed: Vec<_> =
            fitting.filter_map(|record| self.load(record.new.id, now)).collect();
        listed.sort_by(|one, other| Position::of(one).compare(&Position::of(other), order));
        listed
    }

    /// Returns the counts of the buckets that have not ended.
    pub fn tallies(&self, now: Timestamp) -> Vec<BucketCounts> {
        self.counts.tallies(now)
    }

    /// Returns the events, in order. The lane is `None` if the store chooses it.
    pub fn events(&self) -> &[(Option<Lane>, Vec<u8>)] {
        &self.events
    }

    fn live(&self, id: TokenId, now: Timestamp) -> Option<&ModelRecord> {
        let record = self.records.get(&local_key(id))?;
        (record.new.id == id && now < record.new.keep_until).then_some(record)
    }

    fn verdict(
        &self,
        lane: Lane,
        stamp: Stamp,
        tombstone: Option<RevocationMark>,
        epochs: &Epochs,
    ) -> Verdict {
        let sequence = Some((Stamp::new(0), self.stamp(lane)));
        Verdict::of(stamp, tombstone, epochs, sequence, |field| {
            self.epochs.get(&(lane, field)).cloned()
        })
    }

    fn stamp_of(&self, new: &NewRecord) -> Stamp {
        match new.stamp {
            StampRule::Present => self.stamp(new.id.lane()),
            StampRule::Seen(stamp) => stamp,
        }
    }

    /// Returns each reason to refuse these records, and whether the store must refuse for it. An
    /// expired record is not stored and does not have to conflict. The store may report any of the
    /// reasons.
    fn refusals(&self, records: &[NewRecord], now: Timestamp) -> Vec<(Inserted, bool)> {
        let mut refusals = Vec::new();
        for new in records {
            let taken = self.records.get(&local_key(new.id));
            if taken.is_some_and(|taken| now < taken.new.keep_until) {
                refusals.push((Inserted::IdTaken, now < new.keep_until));
            }
            let stamp = self.stamp_of(new);
            if !self.verdict(new.id.lane(), stamp, None, &new.epochs).is_clear() {
                refusals.push((Inserted::Superseded, true));
            }
        }
        refusals
    }

    /// Returns the answers that a store may give to a write now.
    pub fn allowed(&self, change: &Write, now: Timestamp) -> Vec<WriteAnswer> {
        match change {
            Write::Insert(insert) => {
                let refusals = self.refusals(&insert.records, now);
                let first =
                    insert.records.first().filter(|_| !refusals.iter().any(|(_, must)| *must));
                let mut allowed: Vec<_> =
                    refusals.into_iter().map(|(refusal, _)| refusal).collect();
                allowed.extend(first.map(|first| Inserted::Stored(self.stamp_of(first))));
                allowed.into_iter().map(WriteAnswer::Inserted).collect()
            }
            Write::Replace(replace) => {
                self.replaced(replace, now).into_iter().map(WriteAnswer::Replaced).collect()
            }
            Write::Consume(consume) => vec![WriteAnswer::Consumed(self.consumed(consume.id, now))],
            Write::Revoke(revoke) => {
                vec![WriteAnswer::Revoked(
                    match self.load(revoke.id, now).map(|found| found.verdict) {
                        None => Revoked::Missing,
                        Some(Verdict::Revoked(mark)) => Revoked::Before(mark),
                        Some(Verdict::Clear | Verdict::Damaged) => Revoked::Now,
                    },
                )]
            }
            Write::Advance(advance) => {
                let lanes = match advance.scope {
                    EpochScope::Lane(..) => 1,
                    EpochScope::EveryLane(_) | EpochScope::All => self.every_lane,
                };
                vec![WriteAnswer::Advanced(Advanced { lanes })]
            }
        }
    }

    fn replaced(&self, replace: &Replace, now: Timestamp) -> Vec<Replaced> {
        let Some(found) = self.load(replace.id, now) else { return vec![Replaced::Missing] };
        let mut allowed = Vec::new();
        if !found.is_clear() {
            allowed.push(Replaced::Ended);
        }
        if found.version != replace.read {
            allowed.push(Replaced::Stale);
        }
        let refusals = self.refusals(&replace.minted, now);
        let must_refuse = !allowed.is_empty() || refusals.iter().any(|(_, must)| *must);
        allowed.extend(refusals.into_iter().map(|(refusal, _)| match refusal {
            Inserted::IdTaken => Replaced::IdTaken,
            Inserted::Superseded | Inserted::Stored(_) => Replaced::Ended,
        }));
        if !must_refuse {
            allowed.push(Replaced::Stored(RecordVersion(found.version.0 + 1)));
        }
        allowed
    }

    fn consumed(&self, id: TokenId, now: Timestamp) -> Consumed {
        match self.load(id, now).filter(Loaded::is_clear).and_then(|found| found.uses_left) {
            None => Consumed::Refused,
            Some(0) => Consumed::Exhausted,
            Some(left) => Consumed::Left(left - 1),
        }
    }

    /// Applies a write with an allowed answer. Returns the epochs that it advances: the caller must
    /// pass the new stamp of each to [`Model::set_epoch`].
    pub fn apply(
        &mut self,
        change: &Write,
        answer: &WriteAnswer,
        now: Timestamp,
    ) -> Vec<EpochAdvance> {
        if !answer.is_done() {
            return Vec::new();
        }
        match change {
            Write::Insert(insert) => {
                let lane = insert.records.first().map(|first| first.id.lane());
                self.store(&insert.records, now);
                self.append_events(lane, &insert.events);
                Vec::new()
            }
            Write::Replace(replace) => {
                if let Some(record) = self.records.get_mut(&local_key(replace.id)) {
                    record.version = RecordVersion(record.version.0 + 1);
                    record.new.body = replace.body.clone();
                    record.new.key = replace.key;
                    record.new.terms.extend(&replace.added_terms);
                }
                self.move_end(replace.id, replace.ends_at, now);
                self.store(&replace.minted, now);
                self.append_events(Some(replace.id.lane()), &replace.events);
                Vec::new()
            }
            Write::Consume(consume) => {
                if let Some(record) = self.records.get_mut(&local_key(consume.id)) {
                    record.new.uses_left = record.new.uses_left.map(|left| left - 1);
                    self.counts.note_uses(record.line, record.new.uses_left);
                }
                Vec::new()
            }
            Write::Revoke(revoke) => {
                let (lane, at) = (revoke.id.lane(), revoke.at);
                if let Some(field) = revoke.cascade {
                    self.count_revoked_by_epoch(lane, field, &revoke.listed, now);
                }
                if *answer == WriteAnswer::Revoked(Revoked::Now) {
                    if let Some(record) = self.records.get_mut(&local_key(revoke.id)) {
                        let (through, note) = (MarkScope::Token, revoke.note.clone());
                        record.tombstone = Some(RevocationMark { through, at, note });
                        self.counts.revoke(record.line);
                    }
                    self.append_events(Some(lane), &revoke.events);
                }
                let cascade = revoke.cascade.into_iter();
                let note = &revoke.note;
                cascade
                    .map(|field| EpochAdvance { lane, field: Some(field), at, note: note.clone() })
                    .collect()
            }
            Write::Advance(advance) => {
                let every = || self.sequences.keys().copied().collect();
                let (lanes, field): (Vec<Lane>, _) = match advance.scope {
                    EpochScope::Lane(lane, field) => (vec![lane], Some(field)),
                    EpochScope::EveryLane(field) => (every(), Some(field)),
                    EpochScope::All => (every(), None),
                };
                let lane = match advance.scope {
                    EpochScope::Lane(lane, field) => {
                        self.count_revoked_by_epoch(lane, field, &advance.listed, now);
                        Some(lane)
                    }
                    EpochScope::EveryLane(_) | EpochScope::All => {
                        self.counts.revoke_all(field);
                        None
                    }
                };
                self.append_events(lane, &advance.events);
                let (at, note) = (advance.at, &advance.note);
                let moves = lanes.into_iter();
                moves.map(|lane| EpochAdvance { lane, field, at, note: note.clone() }).collect()
            }
        }
    }

    /// Sets the sequence of a lane and the epoch to `stamp`.
    pub fn set_epoch(&mut self, to: Stamp, by: EpochAdvance) {
        self.sequences.insert(by.lane, to);
        let epoch = Epoch { stamp: to, at: by.at, note: by.note };
        self.epochs.insert((by.lane, by.field), epoch);
    }

    /// Stores last uses.
    pub fn touch(&mut self, uses: &[LastUse], now: Timestamp) {
        for LastUse { id, at, ends_at } in uses {
            if self.live(*id, now).is_some_and(|record| record.last_used < Some(*at))
                && let Some(record) = self.records.get_mut(&local_key(*id))
            {
                record.last_used = Some(*at);
                self.move_end(*id, *ends_at, now);
            }
        }
    }

    /// Moves the count of a valid record with remaining uses to its new end.
    fn move_end(&mut self, id: TokenId, ends_at: Option<Timestamp>, now: Timestamp) {
        let live = self.load(id, now).is_some_and(|found| found.is_clear());
        let line = self.records.get(&local_key(id)).filter(|_| live).and_then(|record| record.line);
        if let Some(ends_at) = ends_at {
            self.counts.move_end(line, TimeBucket::of_end(ends_at, now));
        }
    }

    /// Counts as revoked each listed record that is still valid and has the field.
    fn count_revoked_by_epoch(
        &mut self,
        lane: Lane,
        field: EpochField,
        listed: &[Term],
        now: Timestamp,
    ) {
        for term in listed {
            for found in self.list(*term, Some(lane), Order::NewestFirst, now) {
                let answers = found.epochs.fields().any(|(_, known)| known == Some(field));
                if found.is_clear() && answers {
                    self.counts.revoke(self.records[&local_key(found.id)].line);
                }
            }
        }
    }

    fn store(&mut self, records: &[NewRecord], now: Timestamp) {
        for new in records.iter().filter(|new| now < new.keep_until) {
            let record = ModelRecord {
                new: new.clone(),
                stamp: self.stamp_of(new),
                version: RecordVersion(1),
                last_used: None,
                tombstone: None,
                line: self.counts.add(new, now),
            };
            self.records.insert(local_key(new.id), record);
        }
    }

    fn append_events(&mut self, lane: Option<Lane>, events: &[Vec<u8>]) {
        self.events.extend(events.iter().map(|event| (lane, event.clone())));
    }
}
