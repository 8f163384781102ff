//! The contract in its plainest form: maps without indexes, which says what a store may answer.
//!
//! It does not count by itself: the stamps of a sequence are the store's affair, so it is told what
//! the sequence stands at after it moved.

mod change;
mod ledger;

use std::collections::{BTreeMap, HashMap};

use keyfob::store::{
    Advanced, BucketCounts, Consumed, Epoch, EpochScope, Epochs, Inserted, LastUse, Loaded,
    MarkScope, MonotonicInstant, NewRecord, Order, Position, RecordVersion, Replace, Replaced,
    RevocationMark, Revoked, Stamp, StampRule, TimeBucket, Verdict,
};
use keyfob::{EpochField, Lane, Term, Timestamp, TokenId};

pub use change::{Answer, Change};
use ledger::Ledger;

/// An epoch that a write moves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    /// In which lane.
    pub lane: Lane,
    /// Of what; `None` is everything.
    pub field: Option<EpochField>,
    at: Timestamp,
    note: Vec<u8>,
}

/// What must be unique: the lane and the leading part of an id.
type LocalKey = (Lane, [u8; TokenId::LOCAL_BYTES]);

#[derive(Clone, Debug)]
struct Kept {
    new: NewRecord,
    stamp: Stamp,
    version: RecordVersion,
    last_used: Option<Timestamp>,
    tombstone: Option<RevocationMark>,
    /// Its line in the ledger, if it is counted.
    line: Option<usize>,
}

/// What a store that keeps the contract holds.
#[derive(Clone, Debug)]
pub struct Model {
    sequences: BTreeMap<Lane, Stamp>,
    every_lane: u16,
    records: BTreeMap<LocalKey, Kept>,
    epochs: HashMap<(Lane, Option<EpochField>), Epoch>,
    events: Vec<(Option<Lane>, Vec<u8>)>,
    ledger: Ledger,
}

fn local_key(id: TokenId) -> LocalKey {
    (id.lane(), id.local())
}

impl Model {
    /// An empty store with so many lanes; `sequences` has the present stamps of those in use.
    pub fn new(sequences: BTreeMap<Lane, Stamp>, every_lane: u16) -> Self {
        Self {
            sequences,
            every_lane,
            records: BTreeMap::new(),
            epochs: HashMap::new(),
            events: Vec::new(),
            ledger: Ledger::default(),
        }
    }

    /// The present stamp of a lane in use.
    pub fn stamp(&self, lane: Lane) -> Stamp {
        self.sequences.get(&lane).copied().unwrap_or(Stamp::new(0))
    }

    /// The record, if it is there.
    pub fn load(&self, id: TokenId, now: Timestamp) -> Option<Loaded> {
        let kept = self.live(id, now)?;
        Some(Loaded {
            id,
            body: kept.new.body.clone(),
            key: kept.new.key,
            version: kept.version,
            stamp: kept.stamp,
            keep_until: kept.new.keep_until,
            uses_left: kept.new.uses_left,
            last_used: kept.last_used,
            epochs: kept.new.epochs.clone(),
            sent: MonotonicInstant::now(),
            verdict: self.verdict(id.lane(), kept.stamp, kept.tombstone.clone(), &kept.new.epochs),
        })
    }

    /// What a record that is there answers to.
    pub fn epochs_of(&self, id: TokenId, now: Timestamp) -> Option<&Epochs> {
        self.live(id, now).map(|kept| &kept.new.epochs)
    }

    /// Whether an epoch of the field moved above a stamp.
    pub fn is_above(&self, lane: Lane, field: EpochField, stamp: Stamp) -> bool {
        self.epochs.get(&(lane, Some(field))).is_some_and(|epoch| epoch.stamp > stamp)
    }

    /// All that a term lists, in order.
    pub fn list(
        &self,
        term: Term,
        lane: Option<Lane>,
        order: Order,
        now: Timestamp,
    ) -> Vec<Loaded> {
        let fits = |kept: &&Kept| {
            kept.new.terms.contains(&term) && lane.is_none_or(|lane| lane == kept.new.id.lane())
        };
        let fitting = self.records.values().filter(fits);
        let mut listed: Vec<_> = fitting.filter_map(|kept| self.load(kept.new.id, now)).collect();
        listed.sort_by(|one, other| Position::of(one).compare(&Position::of(other), order));
        listed
    }

    /// What is counted, of spans that are not over.
    pub fn tallies(&self, now: Timestamp) -> Vec<BucketCounts> {
        self.ledger.tallies(now)
    }

    /// What happened, in order; without a lane where the store chooses it.
    pub fn events(&self) -> &[(Option<Lane>, Vec<u8>)] {
        &self.events
    }

    fn live(&self, id: TokenId, now: Timestamp) -> Option<&Kept> {
        let kept = self.records.get(&local_key(id))?;
        (kept.new.id == id && now < kept.new.keep_until).then_some(kept)
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

    /// Every reason against storing these, and whether it must be heeded: a record that is past its
    /// time and stored nowhere need not clash. Which reason an answer names is the store's affair.
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

    /// The answers that a store may give to a write now.
    pub fn allowed(&self, change: &Change, now: Timestamp) -> Vec<Answer> {
        match change {
            Change::Insert(insert) => {
                let refusals = self.refusals(&insert.records, now);
                let first =
                    insert.records.first().filter(|_| !refusals.iter().any(|(_, must)| *must));
                let mut allowed: Vec<_> =
                    refusals.into_iter().map(|(refusal, _)| refusal).collect();
                allowed.extend(first.map(|first| Inserted::Stored(self.stamp_of(first))));
                allowed.into_iter().map(Answer::Inserted).collect()
            }
            Change::Replace(replace) => {
                self.replaced(replace, now).into_iter().map(Answer::Replaced).collect()
            }
            Change::Consume(consume) => vec![Answer::Consumed(self.spent(consume.id, now))],
            Change::Revoke(revoke) => {
                vec![Answer::Revoked(match self.load(revoke.id, now).map(|found| found.verdict) {
                    None => Revoked::Missing,
                    Some(Verdict::Revoked(mark)) => Revoked::Before(mark),
                    Some(Verdict::Clear | Verdict::Damaged) => Revoked::Now,
                })]
            }
            Change::Advance(advance) => {
                let lanes = match advance.scope {
                    EpochScope::Lane(..) => 1,
                    EpochScope::EveryLane(_) | EpochScope::All => self.every_lane,
                };
                vec![Answer::Advanced(Advanced { lanes })]
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

    fn spent(&self, id: TokenId, now: Timestamp) -> Consumed {
        match self.load(id, now).filter(Loaded::is_clear).and_then(|found| found.uses_left) {
            None => Consumed::Refused,
            Some(0) => Consumed::Exhausted,
            Some(left) => Consumed::Left(left - 1),
        }
    }

    /// Does what an allowed answer says was done. Gives the epochs that move by it: for each,
    /// [`Model::moved`] must be told where to.
    pub fn apply(&mut self, change: &Change, answer: &Answer, now: Timestamp) -> Vec<Move> {
        if !answer.is_done() {
            return Vec::new();
        }
        match change {
            Change::Insert(insert) => {
                let lane = insert.records.first().map(|first| first.id.lane());
                self.store(&insert.records, now);
                self.happen(lane, &insert.events);
                Vec::new()
            }
            Change::Replace(replace) => {
                if let Some(kept) = self.records.get_mut(&local_key(replace.id)) {
                    kept.version = RecordVersion(kept.version.0 + 1);
                    kept.new.body = replace.body.clone();
                    kept.new.key = replace.key;
                    kept.new.terms.extend(&replace.added_terms);
                }
                self.shift(replace.id, replace.ends_at, now);
                self.store(&replace.minted, now);
                self.happen(Some(replace.id.lane()), &replace.events);
                Vec::new()
            }
            Change::Consume(consume) => {
                if let Some(kept) = self.records.get_mut(&local_key(consume.id)) {
                    kept.new.uses_left = kept.new.uses_left.map(|left| left - 1);
                    self.ledger.note_uses(kept.line, kept.new.uses_left);
                }
                Vec::new()
            }
            Change::Revoke(revoke) => {
                let (lane, at) = (revoke.id.lane(), revoke.at);
                if let Some(field) = revoke.cascade {
                    self.count_out(lane, field, &revoke.listed, now);
                }
                if *answer == Answer::Revoked(Revoked::Now) {
                    if let Some(kept) = self.records.get_mut(&local_key(revoke.id)) {
                        let (through, note) = (MarkScope::Token, revoke.note.clone());
                        kept.tombstone = Some(RevocationMark { through, at, note });
                        self.ledger.end(kept.line);
                    }
                    self.happen(Some(lane), &revoke.events);
                }
                let cascade = revoke.cascade.into_iter();
                let note = &revoke.note;
                cascade
                    .map(|field| Move { lane, field: Some(field), at, note: note.clone() })
                    .collect()
            }
            Change::Advance(advance) => {
                let every = || self.sequences.keys().copied().collect();
                let (lanes, field): (Vec<Lane>, _) = match advance.scope {
                    EpochScope::Lane(lane, field) => (vec![lane], Some(field)),
                    EpochScope::EveryLane(field) => (every(), Some(field)),
                    EpochScope::All => (every(), None),
                };
                let lane = match advance.scope {
                    EpochScope::Lane(lane, field) => {
                        self.count_out(lane, field, &advance.listed, now);
                        Some(lane)
                    }
                    EpochScope::EveryLane(_) | EpochScope::All => {
                        self.ledger.end_all(field);
                        None
                    }
                };
                self.happen(lane, &advance.events);
                let (at, note) = (advance.at, &advance.note);
                let moves = lanes.into_iter();
                moves.map(|lane| Move { lane, field, at, note: note.clone() }).collect()
            }
        }
    }

    /// The sequence of a lane moved to `stamp`, and the epoch with it.
    pub fn moved(&mut self, to: Stamp, by: Move) {
        self.sequences.insert(by.lane, to);
        let epoch = Epoch { stamp: to, at: by.at, note: by.note };
        self.epochs.insert((by.lane, by.field), epoch);
    }

    /// Notes uses.
    pub fn touch(&mut self, uses: &[LastUse], now: Timestamp) {
        for LastUse { id, at, ends_at } in uses {
            if self.live(*id, now).is_some_and(|kept| kept.last_used < Some(*at))
                && let Some(kept) = self.records.get_mut(&local_key(*id))
            {
                kept.last_used = Some(*at);
                self.shift(*id, *ends_at, now);
            }
        }
    }

    /// A record that is clear and has uses left, if it counts them, is counted by its new end.
    fn shift(&mut self, id: TokenId, ends_at: Option<Timestamp>, now: Timestamp) {
        let live = self.load(id, now).is_some_and(|found| found.is_clear());
        let line = self.records.get(&local_key(id)).filter(|_| live).and_then(|kept| kept.line);
        if let Some(ends_at) = ends_at {
            self.ledger.shift(line, TimeBucket::of_end(ends_at, now));
        }
    }

    /// Of what is listed, that is counted out which is still clear and answers to the field.
    fn count_out(&mut self, lane: Lane, field: EpochField, listed: &[Term], now: Timestamp) {
        for term in listed {
            for found in self.list(*term, Some(lane), Order::NewestFirst, now) {
                let answers = found.epochs.fields().any(|(_, known)| known == Some(field));
                if found.is_clear() && answers {
                    self.ledger.end(self.records[&local_key(found.id)].line);
                }
            }
        }
    }

    fn store(&mut self, records: &[NewRecord], now: Timestamp) {
        for new in records.iter().filter(|new| now < new.keep_until) {
            let kept = Kept {
                new: new.clone(),
                stamp: self.stamp_of(new),
                version: RecordVersion(1),
                last_used: None,
                tombstone: None,
                line: self.ledger.open(new, now),
            };
            self.records.insert(local_key(new.id), kept);
        }
    }

    fn happen(&mut self, lane: Option<Lane>, events: &[Vec<u8>]) {
        self.events.extend(events.iter().map(|event| (lane, event.clone())));
    }
}
