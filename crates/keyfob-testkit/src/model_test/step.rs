//! The steps of a random run. They refer to ids and names by small numbers, so that steps often
//! concern the same record, and a reduced run is readable.

use proptest::prelude::*;

/// The maximum number of lanes in a run.
pub(super) const MAX_LANES: u8 = 3;

/// The number of ids in a lane. The last ones have the same local bytes as the first ones.
pub(super) const IDS_PER_LANE: u8 = 8;

/// The number of ids in a lane that have the same local bytes as another one.
pub(super) const TWIN_IDS: u8 = 2;

/// One id: the lane and the number within.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct IdIndex {
    pub(super) lane: u8,
    pub(super) number: u8,
}

/// One new record.
#[derive(Clone, Debug)]
pub(super) struct RecordSpec {
    pub(super) number: u8,
    pub(super) life: Lifetime,
    pub(super) uses: Option<u8>,
    pub(super) subject: Option<u8>,
    pub(super) client: Option<u8>,
    pub(super) parent: Option<u8>,
    pub(super) seen: bool,
    /// One bit for each term.
    pub(super) terms: u8,
    /// Determines whether and how the record is counted.
    pub(super) counted: u8,
}

/// How long a record is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lifetime {
    Past,
    Short,
    Middling,
    Long,
    Endless,
}

/// Which epoch is advanced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    Subject(u8, u8),
    Ancestor(IdIndex),
    Client(u8),
    All,
}

/// How long a run waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WaitTime {
    Millisecond,
    Second,
    OperationWindow,
    Hour,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Insert {
        lane: u8,
        new: Vec<RecordSpec>,
        late: bool,
    },
    Replace {
        id: IdIndex,
        stale: bool,
        terms: u8,
        minted: Vec<RecordSpec>,
        late: bool,
    },
    Consume {
        id: IdIndex,
        late: bool,
    },
    Touch {
        uses: Vec<(IdIndex, u8)>,
    },
    Revoke {
        id: IdIndex,
        cascade: bool,
        note: Vec<u8>,
        late: bool,
    },
    Advance {
        scope: Scope,
        note: Vec<u8>,
        late: bool,
    },
    /// Remembers the stamp of a lane for later inserts.
    Stamp {
        lane: u8,
    },
    /// Sends an earlier write again, counted backwards from the last one.
    Again {
        back: u8,
    },
    /// Lists everything in pages of this size.
    List {
        limit: u8,
        lane: Option<u8>,
    },
    Wait(WaitTime),
}

fn pick() -> impl Strategy<Value = IdIndex> {
    (0..MAX_LANES, 0..IDS_PER_LANE).prop_map(|(lane, number)| IdIndex { lane, number })
}

fn life() -> impl Strategy<Value = Lifetime> {
    prop_oneof![
        4 => Just(Lifetime::Long),
        3 => Just(Lifetime::Middling),
        3 => Just(Lifetime::Short),
        1 => Just(Lifetime::Endless),
        1 => Just(Lifetime::Past),
    ]
}

fn new() -> impl Strategy<Value = RecordSpec> {
    let uses = prop::option::weighted(0.6, 0..4u8);
    let subject = prop::option::of(0..2u8);
    let client = prop::option::of(0..2u8);
    let parent = prop::option::weighted(0.4, 0..IDS_PER_LANE);
    (0..IDS_PER_LANE, life(), uses, subject, client, parent, any::<bool>(), any::<(u8, u8)>())
        .prop_map(|(number, life, uses, subject, client, parent, seen, (terms, counted))| {
            RecordSpec { number, life, uses, subject, client, parent, seen, terms, counted }
        })
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        4 => (0..MAX_LANES, 0..2u8).prop_map(|(lane, subject)| Scope::Subject(lane, subject)),
        2 => pick().prop_map(Scope::Ancestor),
        2 => (0..2u8).prop_map(Scope::Client),
        1 => Just(Scope::All),
    ]
}

fn late() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.06)
}

fn note() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..6)
}

fn step(may_wait: bool) -> impl Strategy<Value = Step> {
    let insert = (0..MAX_LANES, prop::collection::vec(new(), 1..4), late())
        .prop_map(|(lane, new, late)| Step::Insert { lane, new, late });
    let minted = prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(new(), 1..3)];
    let replace = (pick(), prop::bool::weighted(0.2), any::<u8>(), minted, late()).prop_map(
        |(id, stale, terms, minted, late)| Step::Replace { id, stale, terms, minted, late },
    );
    let pause = prop_oneof![
        2 => Just(WaitTime::Millisecond),
        3 => Just(WaitTime::Second),
        2 => Just(WaitTime::OperationWindow),
        1 => Just(WaitTime::Hour),
    ];
    let touch = prop::collection::vec((pick(), any::<u8>()), 0..4);
    prop_oneof![
        10 => insert,
        6 => replace,
        6 => (pick(), late()).prop_map(|(id, late)| Step::Consume { id, late }),
        2 => touch.prop_map(|uses| Step::Touch { uses }),
        4 => (pick(), any::<bool>(), note(), late())
            .prop_map(|(id, cascade, note, late)| Step::Revoke { id, cascade, note, late }),
        3 => (scope(), note(), late())
            .prop_map(|(scope, note, late)| Step::Advance { scope, note, late }),
        2 => (0..MAX_LANES).prop_map(|lane| Step::Stamp { lane }),
        6 => (0..6u8).prop_map(|back| Step::Again { back }),
        2 => (1..9u8, prop::option::of(0..MAX_LANES))
            .prop_map(|(limit, lane)| Step::List { limit, lane }),
        if may_wait { 4 } else { 0 } => pause.prop_map(Step::Wait),
    ]
}

/// A run of random steps. Without waits on a store whose time cannot be moved.
pub(super) fn steps(may_wait: bool) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(may_wait), 1..60)
}
