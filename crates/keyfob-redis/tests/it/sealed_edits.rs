//! An attacker with write access to the server edits the plaintext fields of a sealed record. A
//! record does not open after an edit that extends the token. `docs/sealing.md` lists these edits,
//! and those that cannot be noticed.

use std::sync::Arc;

use keyfob::clock::{Clock, SystemClock};
use keyfob::random::OsRandom;
use keyfob::seal::KeyRing;
use keyfob::store::prelude::*;
use keyfob::store::{Advance, EpochScope};
use keyfob::{
    Consistency, Grant, Issued, Kind, RevokeRequest, Subject, TokenManager, Ttl, UpdateRequest,
    ValidationChain,
};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::redis::server;

use crate::support::{config, now, open, operation};

/// A sealed store with one token.
struct Target {
    config: RedisConfig,
    store: Arc<RedisStore>,
    manager: TokenManager,
    token: Issued,
}

impl Target {
    async fn new(grant: Grant) -> Self {
        let config = config(&server().url(), 4);
        let store = Arc::new(open(&config).await);
        let ring = KeyRing::generate(SystemClock.now(), &OsRandom).unwrap();
        let manager = TokenManager::builder(store.clone()).keys(&ring).build();
        let token = manager.issue(grant).await.unwrap();
        Self { config, store, manager, token }
    }

    /// Edits the record: `edit` changes the string `r`. It may use the lane's sequence `n`.
    fn edit(&self, edit: &str) {
        let script = format!(
            "local key = redis.call('KEYS', ARGV[1])[1] \
             local lane = string.gsub(string.match(key, '^[^}}]*}}'), ':r{{', ':l{{') \
             local n = tonumber(redis.call('HGET', lane, 'n')) \
             local r, sub, pack = redis.call('GET', key), string.sub, struct.pack \
             local flags = string.byte(r, 2) \
             {edit} \
             redis.call('SET', key, r, 'KEEPTTL') return #r"
        );
        let text = self.config.to_string();
        let (_, namespace) = text.split_once("namespace=").unwrap();
        let namespace = namespace.split('&').next().unwrap();
        let reply = server().call(&["EVAL", &script, "0", &format!("{namespace}:r{{*")]).unwrap();
        assert!(reply.number() > 100, "{reply:?}");
    }

    /// Returns the code of the refusal, or "active".
    async fn code(&self) -> String {
        let chain = ValidationChain::new().consistency(Consistency::Strong);
        match self.manager.validate(&self.token.bearer, &chain).await {
            Ok(_) => "active".to_owned(),
            Err(refused) => refused.code().to_owned(),
        }
    }

    async fn revoke_subject(&self) {
        let subject = self.token.token.subject.clone().unwrap();
        self.manager.revoke_subject(&subject, RevokeRequest::reason("left")).await.unwrap();
    }
}

fn session() -> Grant {
    Grant::new(Kind::Session).subject("user123").client("web")
}

const RAISE_USES: &str = "r = sub(r, 1, 51) .. pack('>I4', 9) .. sub(r, 56)";
const RAISE_STAMP: &str = "r = sub(r, 1, 6) .. pack('>I8', n) .. sub(r, 15)";

#[tokio::test]
async fn a_raised_number_of_uses_does_not_open() {
    let target = Target::new(Grant::new(Kind::Access).subject("user123").uses(1)).await;
    assert_eq!(target.code().await, "active", "its only use");
    assert_eq!(target.code().await, "token_exhausted");
    target.edit(RAISE_USES);
    assert_eq!(target.code().await, "not_opened");
}

#[tokio::test]
async fn a_token_whose_uses_are_no_longer_counted_does_not_open() {
    let target = Target::new(Grant::new(Kind::Access).subject("user123").uses(1)).await;
    assert_eq!(target.code().await, "active", "its only use");
    target.edit("r = sub(r, 1, 1) .. string.char(flags - 1) .. sub(r, 3, 51) .. sub(r, 56)");
    assert_eq!(target.code().await, "not_opened");
}

#[tokio::test]
async fn epoch_fields_that_were_removed_or_overwritten_do_not_open() {
    for edit in [
        // The subject's field is the first one, then the client's, then the ancestor's.
        "r = sub(r, 1, 1) .. string.char(flags - 2) .. sub(r, 3, 51) .. sub(r, 60)",
        "r = sub(r, 1, 1) .. string.char(flags - 4) .. sub(r, 3, 59) .. sub(r, 68)",
        "r = sub(r, 1, 1) .. string.char(flags - 16) .. sub(r, 3, 67) .. sub(r, 76)",
        "r = sub(r, 1, 1) .. string.char(0) .. sub(r, 3, 51) .. sub(r, 76)",
        "r = sub(r, 1, 51) .. 'anything' .. sub(r, 60)",
        "r = sub(r, 1, 59) .. 'anything' .. sub(r, 68)",
        // The same bytes, read as the fields of others.
        "r = sub(r, 1, 1) .. string.char(flags - 6 + 32) .. sub(r, 3)",
    ] {
        let target = Target::new(session()).await;
        assert_eq!(target.code().await, "active");
        target.edit(edit);
        target.revoke_subject().await;
        assert_eq!(target.code().await, "not_opened", "{edit}");
    }
}

#[tokio::test]
async fn a_raised_stamp_of_a_token_that_was_changed_does_not_open() {
    let target = Target::new(session()).await;
    let change = |metadata: &mut keyfob::Metadata| metadata.tags.insert("vip".try_into()?);
    target.manager.update(target.token.token.id, UpdateRequest::new(), change).await.unwrap();
    target.revoke_subject().await;
    assert_eq!(target.code().await, "token_revoked");
    target.edit(RAISE_STAMP);
    assert_eq!(target.code().await, "not_opened");
}

#[tokio::test]
async fn a_raised_stamp_of_a_new_token_does_not_open_if_it_was_revoked_later() {
    let target = Target::new(session()).await;
    let subject = Subject::new("user123").unwrap();
    let namespace = target.store.namespace();
    let (lane, field) = (namespace.lane_of(&subject), namespace.subject_epoch(&subject));
    // As if a node revoked it ten minutes after it was issued.
    let later = Advance::new(EpochScope::Lane(lane, field), now() + Ttl::from_mins(10));
    target.store.advance(operation(), later).await.unwrap();
    assert_eq!(target.code().await, "token_revoked");
    target.edit(RAISE_STAMP);
    assert_eq!(target.code().await, "not_opened");
}

#[tokio::test]
async fn a_raised_version_or_a_longer_life_of_the_record_does_not_open() {
    for edit in [
        "r = sub(r, 1, 2) .. pack('>I4', 7) .. sub(r, 7)",
        "r = sub(r, 1, 14) .. string.char(255) .. sub(r, 16)",
    ] {
        let target = Target::new(session()).await;
        target.edit(edit);
        assert_eq!(target.code().await, "not_opened", "{edit}");
    }
}

/// The rows of the table in the documentation that say "nothing notices it".
#[tokio::test]
async fn undetectable_edits_are_those_in_the_documentation() {
    // A use that is restored, up to the granted number.
    let target = Target::new(Grant::new(Kind::Access).subject("user123").uses(1)).await;
    assert_eq!(target.code().await, "active");
    target.edit("r = sub(r, 1, 51) .. pack('>I4', 1) .. sub(r, 56)");
    assert_eq!(target.code().await, "active");
    assert_eq!(target.code().await, "token_exhausted");
    // A new token's stamp, raised above a revocation that followed immediately.
    let target = Target::new(session()).await;
    target.revoke_subject().await;
    target.edit(RAISE_STAMP);
    assert_eq!(target.code().await, "active");
}
