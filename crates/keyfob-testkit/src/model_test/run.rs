//! One run: a store and its model execute the same steps.

use std::collections::{BTreeMap, BTreeSet};

use keyfob::random::{Random, SeededRandom};
use keyfob::seal::KeyVersion;
use keyfob::store::{
    Advance, Consume, CountedAs, EpochField, EpochScope, Epochs, Insert, Lane, LastUse, Loaded,
    NewRecord, Operation, RecordVersion, Replace, Revoke, Stamp, StampRule, StoreError, Term,
};
use keyfob::{ClientId, DeviceId, Kind, Store, Subject, Tag, Timestamp, TokenId, Ttl};

use super::step::{
    IDS_PER_LANE, IdIndex, Lifetime, MAX_LANES, RecordSpec, Scope, Step, TWIN_IDS, WaitTime,
};
use crate::contract::{Setup, Time};
use crate::model::{Model, Write, WriteAnswer};

/// A description of a difference between the store and the model.
pub(super) type Mismatch = String;

pub(super) struct ModelRun {
    pub(super) setup: Setup,
    random: SeededRandom,
    pub(super) model: Model,
    pub(super) lanes: Vec<Lane>,
    pub(super) ids: Vec<Vec<TokenId>>,
    done: Vec<(Operation, Write, WriteAnswer)>,
    seen: Vec<(Lane, Stamp, Timestamp)>,
    /// The number of records that were ever listed under a term.
    pub(super) written: BTreeMap<Term, u64>,
    events: u32,
}

pub(super) fn store_failed(error: StoreError) -> Mismatch {
    format!("the store failed: {error}")
}

impl ModelRun {
    pub(super) async fn new(setup: Setup) -> Result<Self, Mismatch> {
        let random = SeededRandom::new(setup.now().as_millis());
        let every_lane = setup.store.namespace().lanes();
        let lanes: Vec<_> = every_lane.lanes().take(MAX_LANES.into()).collect();
        let mut ids = Vec::new();
        let mut sequences = BTreeMap::new();
        for lane in &lanes {
            let mut of_lane = Vec::new();
            for number in 0..IDS_PER_LANE - TWIN_IDS {
                // The ids are not ordered by time, and some have the same timestamp.
                let before = Ttl::from_millis(1 + u64::from(number) * 23 % 50);
                let at = setup.now().saturating_sub(before.map_err(|error| error.to_string())?);
                let drawn = TokenId::draw(at, *lane, &random);
                of_lane.push(drawn.map_err(|error| error.to_string())?);
            }
            for number in 0..TWIN_IDS {
                of_lane.push(crate::contract::same_local_bytes(of_lane[usize::from(number)]));
            }
            ids.push(of_lane);
            sequences.insert(*lane, setup.store.stamp(*lane).await.map_err(store_failed)?);
        }
        let model = Model::new(sequences, every_lane.get());
        let (done, seen, written) = (Vec::new(), Vec::new(), BTreeMap::new());
        Ok(Self { setup, random, model, lanes, ids, done, seen, written, events: 0 })
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.setup.store
    }

    fn lane(&self, number: u8) -> Lane {
        self.lanes[usize::from(number) % self.lanes.len()]
    }

    fn id(&self, pick: IdIndex) -> TokenId {
        self.ids[usize::from(pick.lane) % self.ids.len()][usize::from(pick.number)]
    }

    fn subject(&self, number: u8) -> Result<EpochField, Mismatch> {
        let subject = Subject::new(format!("user {number}")).map_err(|error| error.to_string())?;
        Ok(self.store().namespace().subject_epoch(&subject))
    }

    fn client(&self, number: u8) -> Result<EpochField, Mismatch> {
        let client =
            ClientId::new(format!("client {number}")).map_err(|error| error.to_string())?;
        Ok(self.store().namespace().client_epoch(&client))
    }

    /// Returns broad and narrow terms. The last one is a family, whose records are all in one lane.
    pub(super) fn terms(&self, lane: Lane) -> Result<[Term; 5], Mismatch> {
        let namespace = self.store().namespace();
        let tag = |name: &str| Tag::new(name).map_err(|error| error.to_string());
        let device = DeviceId::new("phone").map_err(|error| error.to_string())?;
        let place = self.lanes.iter().position(|known| *known == lane).unwrap_or_default();
        Ok([
            namespace.all(),
            namespace.tag(&tag("one")?),
            namespace.tag(&tag("other")?),
            namespace.device(&device),
            namespace.family(self.ids[place][0]),
        ])
    }

    fn picked(&self, bits: u8, lane: Lane) -> Result<Vec<Term>, Mismatch> {
        let terms = self.terms(lane)?.into_iter().enumerate();
        Ok(terms.filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, term)| term).collect())
    }

    fn operation(&self, late: bool) -> Result<Operation, Mismatch> {
        let begun = Operation::begin(self.setup.now(), &self.random);
        let operation = begun.map_err(|error| error.to_string())?;
        let past = self.setup.now().saturating_sub(Ttl::from_mins(1));
        Ok(if late { Operation { deadline: past, ..operation } } else { operation })
    }

    fn event(&mut self) -> Vec<Vec<u8>> {
        self.events += 1;
        vec![self.events.to_be_bytes().to_vec()]
    }

    fn keep_until(&self, life: Lifetime) -> Timestamp {
        let now = self.setup.now();
        match (life, &self.setup.time) {
            (Lifetime::Past, _) => now.saturating_sub(Ttl::from_secs(5)),
            (Lifetime::Short, Time::Manual(_)) => now + Ttl::from_secs(3),
            (Lifetime::Short, Time::Real) => now + Ttl::from_mins(5),
            (Lifetime::Middling, _) => now + Ttl::from_mins(10),
            (Lifetime::Long, _) => now + Ttl::from_days(30),
            (Lifetime::Endless, _) => Timestamp::MAX,
        }
    }

    /// Returns records with different local bytes. An expired record is inserted alone: in an
    /// insert of several, a store may recognise a repetition by a stored record but not by the
    /// expired one.
    fn records(&mut self, lane: u8, new: &[RecordSpec]) -> Result<Vec<NewRecord>, Mismatch> {
        let mut numbers = BTreeSet::new();
        let mut records = Vec::new();
        let is_alone = new.len() == 1;
        for new in new.iter().filter(|new| is_alone || new.life != Lifetime::Past) {
            let twin = (new.number + TWIN_IDS) % IDS_PER_LANE;
            if numbers.insert(if twin < TWIN_IDS { twin } else { new.number }) {
                records.push(self.record(lane, new)?);
            }
        }
        Ok(records)
    }

    fn record(&mut self, lane: u8, new: &RecordSpec) -> Result<NewRecord, Mismatch> {
        let now = self.setup.now();
        let id = self.id(IdIndex { lane, number: new.number });
        let lane = id.lane();
        let mut epochs = Epochs {
            subject: new.subject.map(|number| self.subject(number)).transpose()?,
            client: new.client.map(|number| self.client(number)).transpose()?,
            ancestors: Vec::new(),
        };
        let mut keep_until = self.keep_until(new.life);
        let mut stamp = self.stamp_seen(lane);
        let parent = new.parent.map(|number| self.ids[self.place(lane)][usize::from(number)]);
        let parent = parent.filter(|parent| *parent != id);
        if let Some(found) = parent.and_then(|parent| self.model.load(parent, now))
            && let Some(of_parent) = self.model.epochs_of(found.id, now)
            && of_parent.ancestors.len() < Epochs::MAX_ANCESTORS
        {
            // A descendant has all epoch fields of the token and is revoked with it.
            epochs = of_parent.clone();
            epochs.ancestors.insert(0, self.store().namespace().ancestor_epoch(found.id));
            keep_until = keep_until.min(found.keep_until);
            stamp = Some(found.stamp);
        }
        // The id of a new token is newer than every revocation of that id.
        let own = self.store().namespace().ancestor_epoch(id);
        let stamp = stamp.filter(|stamp| !self.model.is_above(lane, own, *stamp));
        let stamp = match stamp {
            Some(stamp) if new.seen && new.life != Lifetime::Past => StampRule::Seen(stamp),
            _ => StampRule::Present,
        };
        let mut body = vec![0; usize::from(new.terms) * 3];
        self.random.fill(&mut body).map_err(|error| error.to_string())?;
        let terms = self.picked(new.terms, lane)?;
        for term in &terms {
            *self.written.entry(*term).or_default() += 1;
        }
        let uses_left = new.uses.map(u32::from);
        let key = KeyVersion::PLAINTEXT;
        let counted = self.counted(new, keep_until, now);
        Ok(NewRecord { id, body, key, keep_until, uses_left, epochs, terms, stamp, counted })
    }

    /// Counted by an end within the life of the record, sometimes also by a start before it.
    fn counted(
        &self,
        new: &RecordSpec,
        keep_until: Timestamp,
        now: Timestamp,
    ) -> Option<CountedAs> {
        let kind = *Kind::ALL.get(usize::from(new.counted % 8))?;
        let ends_at = match new.counted / 8 % 2 {
            0 => keep_until,
            _ => self.earlier(keep_until, now),
        };
        let starts_at = (new.counted > 200).then(|| self.earlier(ends_at, now));
        Some(CountedAs { kind, starts_at, ends_at })
    }

    /// Returns a time at three quarters of the way to `end`, which is certainly in one bucket.
    fn earlier(&self, end: Timestamp, now: Timestamp) -> Timestamp {
        let left = end.since(now).map_or(0, Ttl::as_millis);
        Timestamp::from_millis(now.as_millis() + left / 4 * 3)
    }

    /// Returns sometimes a new end that is not after `keep_until`.
    fn moved_end(&self, bits: u8, keep_until: Timestamp) -> Option<Timestamp> {
        match bits % 3 {
            0 => None,
            1 => Some(keep_until),
            _ => Some(self.earlier(keep_until, self.setup.now())),
        }
    }

    /// Returns the narrow term of a lane, which lists some of the records that an epoch revokes.
    fn listed(&self, lane: Lane) -> Result<Vec<Term>, Mismatch> {
        let [.., narrow] = self.terms(lane)?;
        Ok(vec![narrow])
    }

    fn place(&self, lane: Lane) -> usize {
        self.lanes.iter().position(|known| *known == lane).unwrap_or_default()
    }

    /// Returns the oldest stamp of a lane that was read within the lifetime of an operation.
    fn stamp_seen(&self, lane: Lane) -> Option<Stamp> {
        let now = self.setup.now();
        let fresh = |read: Timestamp| now < read + Operation::WINDOW;
        let mut seen =
            self.seen.iter().filter(|(seen_lane, _, read)| *seen_lane == lane && fresh(*read));
        seen.next().map(|(_, stamp, _)| *stamp)
    }

    /// Executes one step and compares.
    pub(super) async fn take(&mut self, step: &Step) -> Result<(), Mismatch> {
        match step {
            Step::Insert { lane, new, late } => {
                let (records, events) = (self.records(*lane, new)?, self.event());
                if !records.is_empty() {
                    self.write(Write::Insert(Insert { records, events }), *late).await?;
                }
            }
            Step::Replace { id: index, stale, terms, minted, late } => {
                let id = self.id(*index);
                let present = self.model.load(id, self.setup.now()).map(|found| found.version);
                let present = present.unwrap_or(RecordVersion(1));
                let read = if *stale { RecordVersion(present.0 - 1) } else { present };
                let added_terms = self.picked(terms & terms >> 3, id.lane())?;
                for term in &added_terms {
                    *self.written.entry(*term).or_default() += 1;
                }
                let minted = self.records(index.lane, minted)?;
                let (body, events) = (vec![*terms; usize::from(*terms)], self.event());
                let key = KeyVersion::PLAINTEXT;
                let found = self.model.load(id, self.setup.now());
                let ends_at = found.and_then(|found| self.moved_end(*terms, found.keep_until));
                // As if the caller passed what it read with the version, or did not.
                let clear = self.model.load(id, self.setup.now()).filter(|_| terms & 1 == 1);
                let clear = clear.map(|read| read.clear_fields());
                let replace =
                    Replace { id, read, body, key, added_terms, minted, ends_at, clear, events };
                self.write(Write::Replace(replace), *late).await?;
            }
            Step::Consume { id: index, late } => {
                self.write(Write::Consume(Consume { id: self.id(*index) }), *late).await?;
            }
            Step::Touch { uses } => {
                let now = self.setup.now();
                let at = |offset: u8| Timestamp::from_millis(now.as_millis() + u64::from(offset));
                let uses = uses.iter().map(|(index, offset)| (self.id(*index), at(*offset)));
                let uses: Vec<_> = uses
                    .map(|(id, at)| {
                        let found = self.model.load(id, now);
                        let bits = (at.as_millis() - now.as_millis()) as u8;
                        let end = |found: Loaded| self.moved_end(bits, found.keep_until);
                        LastUse { ends_at: found.and_then(end), ..LastUse::new(id, at) }
                    })
                    .collect();
                self.store().touch(&uses).await.map_err(store_failed)?;
                self.model.touch(&uses, now);
            }
            Step::Revoke { id: index, cascade, note, late } => {
                let (id, at) = (self.id(*index), self.setup.now());
                let cascade = cascade.then(|| self.store().namespace().ancestor_epoch(id));
                let (note, events) = (note.clone(), self.event());
                let listed = self.listed(id.lane())?;
                let revoke = Revoke { note, cascade, listed, events, ..Revoke::new(id, at) };
                self.write(Write::Revoke(revoke), *late).await?;
            }
            Step::Advance { scope, note, late } => {
                let scope = match scope {
                    Scope::Subject(lane, number) => {
                        EpochScope::Lane(self.lane(*lane), self.subject(*number)?)
                    }
                    Scope::Ancestor(index) => {
                        let id = self.id(*index);
                        if self.model.load(id, self.setup.now()).is_none() {
                            return Ok(());
                        }
                        EpochScope::Lane(id.lane(), self.store().namespace().ancestor_epoch(id))
                    }
                    Scope::Client(number) => EpochScope::EveryLane(self.client(*number)?),
                    Scope::All => EpochScope::All,
                };
                let (at, note, events) = (self.setup.now(), note.clone(), self.event());
                let listed = match scope {
                    EpochScope::Lane(lane, _) => self.listed(lane)?,
                    EpochScope::EveryLane(_) | EpochScope::All => Vec::new(),
                };
                let advance = Advance { note, listed, events, ..Advance::new(scope, at) };
                self.write(Write::Advance(advance), *late).await?;
            }
            Step::Stamp { lane } => {
                let lane = self.lane(*lane);
                let stamp = self.store().stamp(lane).await.map_err(store_failed)?;
                let expected = self.model.stamp(lane);
                ensure!(stamp == expected, "{lane:?} has the stamp {stamp:?}, not {expected:?}");
                self.seen.push((lane, stamp, self.setup.now()));
            }
            Step::Again { back } => self.again(*back).await?,
            Step::List { limit, lane } => {
                let lane = lane.map(|lane| self.lane(lane));
                self.compare_lists((*limit).into(), lane).await?;
            }
            Step::Wait(pause) => {
                let ttl = match pause {
                    WaitTime::Millisecond => {
                        Ttl::from_millis(1).map_err(|error| error.to_string())?
                    }
                    WaitTime::Second => Ttl::from_secs(1),
                    WaitTime::OperationWindow => Operation::WINDOW,
                    WaitTime::Hour => Ttl::from_hours(1),
                };
                self.setup.wait(ttl).await;
            }
        }
        self.compare_tallies().await?;
        self.compare_records().await
    }

    async fn write(&mut self, change: Write, late: bool) -> Result<(), Mismatch> {
        let operation = self.operation(late)?;
        let now = self.setup.now();
        let answer = send(self.store(), operation, change.clone()).await;
        let allowed = self.model.allowed(&change, now);
        if late {
            let refused = match &answer {
                // If the write would change nothing, the store may report that instead.
                Ok(answer) => allowed.contains(answer) && !answer.is_change(),
                Err(error) => matches!(error, StoreError::DeadlinePassed { .. }),
            };
            ensure!(refused, "a late write returned {answer:?}: {change:?}");
            return self.compare_stamps(&change).await;
        }
        let answer = answer.map_err(store_failed)?;
        ensure!(
            allowed.contains(&answer),
            "the answer is {answer:?}, but allowed is {allowed:?}: {change:?}"
        );
        for by in self.model.apply(&change, &answer, now) {
            let (before, lane) = (self.model.stamp(by.lane), by.lane);
            let stamp = self.store().stamp(lane).await.map_err(store_failed)?;
            ensure!(stamp > before, "{lane:?} was not advanced from {before:?} by {change:?}");
            self.model.set_epoch(stamp, by);
        }
        if answer.is_done() {
            self.done.push((operation, change, answer));
        }
        Ok(())
    }

    async fn again(&mut self, back: u8) -> Result<(), Mismatch> {
        let place = self.done.len().checked_sub(1 + usize::from(back));
        let Some(sent) = place.and_then(|place| self.done.get(place)) else { return Ok(()) };
        let (operation, change, first) = sent.clone();
        let again = send(self.store(), operation, change.clone()).await;
        let over = self.setup.now() > operation.deadline;
        let fine = match &again {
            Ok(again) => *again == first,
            Err(StoreError::DeadlinePassed { .. }) => over,
            Err(_) => false,
        };
        ensure!(fine, "a repetition returned {again:?} after {first:?}: {change:?}");
        self.compare_stamps(&change).await
    }

    /// Closes the store.
    pub(super) async fn close(self) {
        self.store().close().await;
    }
}

async fn send(
    store: &dyn Store,
    operation: Operation,
    change: Write,
) -> Result<WriteAnswer, StoreError> {
    match change {
        Write::Insert(insert) => store.insert(operation, insert).await.map(WriteAnswer::Inserted),
        Write::Replace(replace) => {
            store.replace(operation, replace).await.map(WriteAnswer::Replaced)
        }
        Write::Consume(consume) => {
            store.consume(operation, consume).await.map(WriteAnswer::Consumed)
        }
        Write::Revoke(revoke) => store.revoke(operation, revoke).await.map(WriteAnswer::Revoked),
        Write::Advance(advance) => {
            store.advance(operation, advance).await.map(WriteAnswer::Advanced)
        }
    }
}
