//! Tests of the comparison itself: it must find the defect of each of these stores.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use keyfob::clock::ManualClock;
use keyfob::random::OsRandom;
use keyfob::store::*;
use keyfob::store::{Lane, LaneCount};
use keyfob::{MemoryStore, Store, TokenId};

use super::compare;
use crate::contract::{Setup, Time};

/// One way of breaking the contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Defect {
    /// A replacement removes the tombstone.
    Resurrects,
    /// A repeated consume takes another use.
    SpendsAgain,
    /// A full page loses its last record.
    LosesARecord,
    /// Deadlines are not checked.
    ComesLate,
    /// A replacement appends no event.
    LosesEvents,
    /// The epoch of a client advances in the first lane only.
    AdvancesOneLane,
    /// A given stamp is treated as the current one.
    ForgetsTheStamp,
    /// An earlier use wins over a later one.
    LastTouchWins,
    /// Tokens that an epoch revokes stay counted as active.
    CountsNobodyOut,
    /// If an end moves, its count does not.
    CountsByTheFirstEnd,
    /// A cascade does nothing if the token is already revoked.
    SkipsTheCascade,
}

#[derive(Debug)]
struct DefectiveStore {
    inner: MemoryStore,
    defect: Defect,
}

impl DefectiveStore {
    fn operation(&self, operation: Operation) -> Operation {
        let late = self.defect == Defect::ComesLate;
        let deadline = if late { keyfob::Timestamp::MAX } else { operation.deadline };
        Operation { deadline, ..operation }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == defect
    }
}

impl StoreWrapper for DefectiveStore {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }
}

#[async_trait]
impl RecordStore for DefectiveStore {
    keyfob::store::forward_store! { namespace stamp time_of }

    async fn insert(
        &self,
        operation: Operation,
        mut insert: Insert,
    ) -> Result<Inserted, StoreError> {
        if self.has(Defect::ForgetsTheStamp) {
            insert.records.iter_mut().for_each(|record| record.stamp = StampRule::Present);
        }
        self.inner.insert(self.operation(operation), insert).await
    }

    async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError> {
        let mut found = self.inner.load(id).await?;
        if let Some(found) = &mut found
            && self.has(Defect::Resurrects)
            && found.version > RecordVersion(1)
        {
            found.verdict = Verdict::Clear;
        }
        Ok(found)
    }

    async fn replace(
        &self,
        operation: Operation,
        mut replace: Replace,
    ) -> Result<Replaced, StoreError> {
        if self.has(Defect::LosesEvents) {
            replace.events.clear();
        }
        if self.has(Defect::CountsByTheFirstEnd) {
            replace.ends_at = None;
        }
        self.inner.replace(self.operation(operation), replace).await
    }

    async fn consume(
        &self,
        mut operation: Operation,
        consume: Consume,
    ) -> Result<Consumed, StoreError> {
        if self.has(Defect::SpendsAgain) {
            operation.id = Operation::begin(operation.deadline, &OsRandom)?.id;
        }
        self.inner.consume(self.operation(operation), consume).await
    }

    async fn touch(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        let last = if self.has(Defect::LastTouchWins) { uses.get(..1) } else { None };
        self.inner.touch(last.unwrap_or(uses)).await
    }

    async fn revoke(
        &self,
        operation: Operation,
        mut revoke: Revoke,
    ) -> Result<Revoked, StoreError> {
        if self.has(Defect::SkipsTheCascade)
            && self.inner.load(revoke.id).await?.is_some_and(|found| !found.is_clear())
        {
            revoke.cascade = None;
        }
        self.inner.revoke(self.operation(operation), revoke).await
    }

    async fn advance(
        &self,
        operation: Operation,
        mut advance: Advance,
    ) -> Result<Advanced, StoreError> {
        let mut lanes = None;
        if self.has(Defect::CountsNobodyOut) {
            advance.listed.clear();
        }
        if let (Defect::AdvancesOneLane, EpochScope::EveryLane(field)) =
            (self.defect, advance.scope)
        {
            advance.scope = EpochScope::Lane(Lane::new(0), field);
            lanes = Some(self.namespace().lanes().get());
        }
        let advanced = self.inner.advance(self.operation(operation), advance).await?;
        Ok(Advanced { lanes: lanes.unwrap_or(advanced.lanes) })
    }
}

#[async_trait]
impl TermIndex for DefectiveStore {
    keyfob::store::forward_store! { count }

    async fn query(&self, query: &Query) -> Result<RecordPage, StoreError> {
        let mut page = self.inner.query(query).await?;
        if self.has(Defect::LosesARecord) && page.next.is_some() && page.records.len() > 2 {
            page.records.pop();
        }
        Ok(page)
    }
}

#[async_trait]
impl EventLog for DefectiveStore {
    keyfob::store::forward_store! { observe entries latest }
}

#[async_trait]
impl Counting for DefectiveStore {
    keyfob::store::forward_store! { tallies }
}

#[async_trait]
impl Resealing for DefectiveStore {
    keyfob::store::forward_store! { reseal min_key_version raise_min_key_version }
}

#[async_trait]
impl Documents for DefectiveStore {
    keyfob::store::forward_store! { read_document write_document list_documents }
}

impl Invalidations for DefectiveStore {}

#[async_trait]
impl Maintenance for DefectiveStore {
    keyfob::store::forward_store! { report close }
}

/// Runs until the defect is found, so often that a defect is practically never missed.
const RUN_COUNT: u32 = 5000;

fn is_found(defect: Defect) -> bool {
    let setup = || async {
        let clock = ManualClock::new("2026-11-24T08:30:00Z".parse().unwrap());
        let lanes = LaneCount::new(4).unwrap();
        let inner = MemoryStore::with(lanes, Arc::new(clock.clone()), &OsRandom).unwrap();
        Setup::new(Arc::new(DefectiveStore { inner, defect }), Time::Manual(clock))
    };
    std::panic::catch_unwind(AssertUnwindSafe(|| compare(RUN_COUNT, true, setup))).is_err()
}

macro_rules! found {
    ($($name:ident: $defect:ident;)+) => {$(
        #[test]
        fn $name() {
            assert!(is_found(Defect::$defect), "the comparison missed a defect");
        }
    )+};
}

found! {
    a_resurrection_is_found: Resurrects;
    a_second_spend_is_found: SpendsAgain;
    a_lost_record_is_found: LosesARecord;
    a_late_write_is_found: ComesLate;
    a_lost_event_is_found: LosesEvents;
    an_unfinished_advance_is_found: AdvancesOneLane;
    a_forgotten_stamp_is_found: ForgetsTheStamp;
    an_earlier_use_is_found: LastTouchWins;
    a_skipped_cascade_is_found: SkipsTheCascade;
    a_count_that_lives_on_is_found: CountsNobodyOut;
    a_count_that_stays_behind_is_found: CountsByTheFirstEnd;
}
