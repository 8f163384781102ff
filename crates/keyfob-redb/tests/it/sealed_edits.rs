//! An attacker with write access to the file edits the plaintext fields of a sealed record. A
//! record does not open after an edit that extends the token.

use std::sync::Arc;

use keyfob::random::OsRandom;
use keyfob::seal::KeyRing;
use keyfob::{
    Consistency, Grant, Issued, Kind, RevokeRequest, TokenId, TokenManager, Ttl, UpdateRequest,
    ValidationChain,
};
use redb::{Database, ReadableTable, TableDefinition};

use crate::fixture::Fixture;

type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;

const RECORDS: Bytes = TableDefinition::new("records");
const LANES: Bytes = TableDefinition::new("lanes");

// Positions in the row of a token that is sealed and counted.
const FLAGS: usize = 1;
const ANCESTORS: usize = 2;
const VERSION: usize = 21;
const STAMP: usize = 25;
const KEEP_UNTIL: usize = 33;
const AFTER_COUNTED: usize = 56;

const COUNTS_USES: u8 = 1;
const HAS_SUBJECT: u8 = 1 << 1;
const HAS_CLIENT: u8 = 1 << 2;

/// A sealed file with one token.
struct Target {
    fixture: Fixture,
    ring: KeyRing,
    token: Issued,
}

impl Target {
    async fn new(grant: Grant) -> Self {
        let fixture = Fixture::new();
        let ring = KeyRing::generate(fixture.now(), &OsRandom).unwrap();
        let manager = manager(&fixture, &ring);
        let token = manager.issue(grant).await.unwrap();
        Self { fixture, ring, token }
    }

    fn manager(&self) -> TokenManager {
        manager(&self.fixture, &self.ring)
    }

    /// Edits the row of the record. `edit` also gets the sequence of its lane.
    fn edit(&self, edit: impl FnOnce(&mut Vec<u8>, [u8; 8])) {
        let id = self.token.token.id;
        let lane = id.lane().number().to_be_bytes();
        let key = [&lane[..], &id.as_bytes()[..TokenId::LOCAL_BYTES]].concat();
        let database = Database::open(self.fixture.path()).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let lanes = transaction.open_table(LANES).unwrap();
            let lane = lanes.get(lane.as_slice()).unwrap().unwrap().value().to_vec();
            let mut records = transaction.open_table(RECORDS).unwrap();
            let mut row = records.get(key.as_slice()).unwrap().unwrap().value().to_vec();
            let before = row.clone();
            edit(&mut row, lane[8..16].try_into().unwrap());
            assert_ne!(row, before, "the edit changes the row");
            records.insert(key.as_slice(), row.as_slice()).unwrap();
        }
        transaction.commit().unwrap();
    }

    /// Returns the code of the refusal, or "active".
    async fn code(&self) -> String {
        let chain = ValidationChain::new().consistency(Consistency::Strong);
        match self.manager().validate(&self.token.bearer, &chain).await {
            Ok(_) => "active".to_owned(),
            Err(refused) => refused.code().to_owned(),
        }
    }

    async fn revoke_subject(&self) {
        let subject = self.token.token.subject.clone().unwrap();
        let request = RevokeRequest::reason("left");
        self.manager().revoke_subject(&subject, request).await.unwrap();
    }
}

fn manager(fixture: &Fixture, ring: &KeyRing) -> TokenManager {
    TokenManager::builder(Arc::new(fixture.store())).clock(fixture.clock.clone()).keys(ring).build()
}

fn session() -> Grant {
    Grant::new(Kind::Session).subject("user123").client("web")
}

fn one_use() -> Grant {
    Grant::new(Kind::Access).subject("user123").uses(1)
}

fn raise_stamp(row: &mut [u8], sequence: [u8; 8]) {
    row[STAMP..KEEP_UNTIL].copy_from_slice(&sequence);
}

#[tokio::test]
async fn more_uses_or_uses_that_are_not_counted_do_not_open() {
    let target = Target::new(one_use()).await;
    assert_eq!(target.code().await, "active", "its only use");
    assert_eq!(target.code().await, "token_exhausted");
    target.edit(|row, _| row[AFTER_COUNTED + 3] = 9);
    assert_eq!(target.code().await, "not_opened");

    let target = Target::new(one_use()).await;
    target.edit(|row, _| {
        row[FLAGS] &= !COUNTS_USES;
        row.drain(AFTER_COUNTED..AFTER_COUNTED + 4);
    });
    assert_eq!(target.code().await, "not_opened");
}

#[tokio::test]
async fn epoch_fields_that_were_removed_or_overwritten_do_not_open() {
    let edits: [fn(&mut Vec<u8>); 5] = [
        |row| {
            row[FLAGS] &= !HAS_SUBJECT;
            row.drain(AFTER_COUNTED..AFTER_COUNTED + 8);
        },
        |row| {
            row[FLAGS] &= !HAS_CLIENT;
            row.drain(AFTER_COUNTED + 8..AFTER_COUNTED + 16);
        },
        |row| {
            row[ANCESTORS] = 0;
            row.drain(AFTER_COUNTED + 16..AFTER_COUNTED + 24);
        },
        |row| row[AFTER_COUNTED..AFTER_COUNTED + 8].copy_from_slice(b"anything"),
        |row| row[AFTER_COUNTED + 8..AFTER_COUNTED + 16].copy_from_slice(b"anything"),
    ];
    for (n, edit) in edits.into_iter().enumerate() {
        let target = Target::new(session()).await;
        assert_eq!(target.code().await, "active");
        target.edit(|row, _| edit(row));
        target.revoke_subject().await;
        assert_eq!(target.code().await, "not_opened", "edit {n}");
    }
}

#[tokio::test]
async fn a_raised_stamp_does_not_open() {
    // A token that was changed since it was issued: its stamp is known.
    let target = Target::new(session()).await;
    let change = |metadata: &mut keyfob::Metadata| metadata.tags.insert("vip".try_into()?);
    let update = UpdateRequest::new();
    target.manager().update(target.token.token.id, update, change).await.unwrap();
    target.revoke_subject().await;
    target.edit(|row, sequence| raise_stamp(row, sequence));
    assert_eq!(target.code().await, "not_opened");

    // A new token: its stamp was assigned within the time of its operation.
    let target = Target::new(session()).await;
    target.fixture.clock.advance(Ttl::from_mins(5));
    target.revoke_subject().await;
    assert_eq!(target.code().await, "token_revoked");
    target.edit(|row, sequence| raise_stamp(row, sequence));
    assert_eq!(target.code().await, "not_opened");
}

#[tokio::test]
async fn a_raised_version_or_a_longer_life_of_the_record_does_not_open() {
    let edits: [fn(&mut Vec<u8>); 2] = [|row| row[VERSION + 3] = 9, |row| row[KEEP_UNTIL + 3] += 1];
    for edit in edits {
        let target = Target::new(session()).await;
        target.edit(|row, _| edit(row));
        assert_eq!(target.code().await, "not_opened");
    }
}
