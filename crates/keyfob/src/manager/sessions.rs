//! Sessions within a policy: reading the roster, making room, and storing the session together with
//! the roster that names it.
//!
//! Whoever has to make room revokes first and stores then, so that there are never more sessions
//! than there may be, wherever a node stops. Two logins that find the same roster retire the same
//! session, and the one that comes second looks again.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;

use super::TokenManager;
use super::issue::{Issued, Outcome, Prepared};
use super::modify::RETRY_LIMIT;
use super::read::Paging;
use super::revoke::RevokeRequest;
use crate::codec;
use crate::error::Error;
use crate::filter::Filter;
use crate::id::TokenId;
use crate::metrics::{RevocationTarget, SessionOutcome};
use crate::seal::KeyVersion;
use crate::sessions::{Listed, Seen, SessionIndex, SessionPolicy};
use crate::store::{
    Epochs, Insert, Inserted, NewRecord, Operation, RecordVersion, Replace, Replaced, Revoked,
    Stamp, StampRule, Verdict,
};
use crate::text::Subject;
use crate::time::{Timestamp, Ttl};
use crate::token::{GrantParts, Kind, TokenState};

/// How many rosters in a row may have fallen while they were looked for, or at one moment.
const MOST_FALLEN: usize = 32;
/// How many sessions are looked up at a time.
const TOGETHER: usize = 64;
/// How long a roster is kept at least before it is gathered anew.
const KEPT: Ttl = Ttl::from_days(30);

/// A turn at storing a session: the roster that was read, less whoever had to leave.
pub(super) struct Turn {
    id: TokenId,
    /// `None` if there is none yet.
    read: Option<RecordVersion>,
    /// When it is to be forgotten at the latest: with the first, if it comes after one that fell.
    keep_until: Timestamp,
    roster: SessionIndex,
    device: Option<u64>,
}

impl TokenManager {
    pub(super) async fn issue_session(
        &self,
        policy: &SessionPolicy,
        subject: Subject,
        parts: GrantParts,
    ) -> Result<Issued, Error> {
        let outcome = self.admit_session(policy, subject, parts).await;
        let counts = &self.inner.metrics.handles.sessions;
        match &outcome {
            Ok(_) => counts.of(SessionOutcome::Admitted).increment(1),
            Err(Error::TooManySessions { .. }) => counts.of(SessionOutcome::Denied).increment(1),
            Err(_) => {}
        }
        outcome
    }

    async fn admit_session(
        &self,
        policy: &SessionPolicy,
        subject: Subject,
        parts: GrantParts,
    ) -> Result<Issued, Error> {
        let namespace = self.inner.store.namespace();
        let device = parts.metadata.device.id.as_ref();
        let device = device.map(|device| namespace.device(device).number());
        let mut last: Option<(TokenId, Option<RecordVersion>)> = None;
        for _ in 0..RETRY_LIMIT {
            // Before anybody has to leave: a grant that does not hold makes no room.
            let prepared = self.prepare(parts.clone(), None)?;
            let mut turn = self.turn(&subject, device).await?;
            if last == Some((turn.id, turn.read)) {
                // The roster stood, so it was the session that was refused.
                return Err(Error::Superseded);
            }
            last = None;
            self.make_room(policy, &mut turn).await?;
            match self.store_new(prepared, Some(&turn)).await? {
                Outcome::Issued(issued) => return Ok(*issued),
                Outcome::Refused if turn.read.is_none() => return Err(Error::Superseded),
                Outcome::Refused => last = Some((turn.id, turn.read)),
                Outcome::Overtaken => {}
            }
        }
        Err(Error::Contended { id: namespace.session_index_of(&subject, 0, Timestamp::default()) })
    }

    /// The roster of a subject as it stands.
    ///
    /// One that fell with everything cannot be written any more, and its mark tells when everything
    /// fell the last time. From that follows the name of the one that takes its place: the same for
    /// whoever looks, however often that has happened. It is forgotten with the first, so that no two
    /// are good at a time.
    async fn turn(&self, subject: &Subject, device: Option<u64>) -> Result<Turn, Error> {
        let namespace = self.inner.store.namespace();
        let (mut fallen, mut at, mut keep_until) = (0, Timestamp::default(), Timestamp::MAX);
        for _ in 0..MOST_FALLEN {
            let id = namespace.session_index_of(subject, fallen, at);
            let Some(loaded) = self.inner.store.load(id).await? else {
                let roster = self.gather(subject).await?;
                return Ok(Turn { id, read: None, keep_until, roster, device });
            };
            keep_until = keep_until.min(loaded.keep_until);
            let fell_at = match loaded.verdict {
                Verdict::Clear => {
                    let mut roster: SessionIndex = codec::decode(&loaded.body)?;
                    roster.strike_past(self.now());
                    let read = Some(loaded.version);
                    return Ok(Turn { id, read, keep_until, roster, device });
                }
                Verdict::Revoked(mark) => mark.at,
                // With what the store lost, when it was.
                Verdict::Damaged => Timestamp::default(),
            };
            // More than one can fall at one moment. What fell at another has its own row.
            fallen = if fell_at == at { fallen + 1 } else { 1 };
            at = fell_at;
        }
        Err(Error::Contended { id: namespace.session_index_of(subject, 0, Timestamp::default()) })
    }

    /// Gathers a roster from what is listed.
    async fn gather(&self, subject: &Subject) -> Result<SessionIndex, Error> {
        let namespace = self.inner.store.namespace();
        let filter = Filter::new().subject(subject.as_str()).kind(Kind::Session);
        let filter = filter.state(TokenState::Active).state(TokenState::Pending);
        let mut paging = Paging::new(Paging::MAX_LIMIT);
        let mut sessions = Vec::new();
        loop {
            let page = self.list(&filter, paging.clone()).await?;
            let issued = page.tokens.iter().filter(|token| token.ancestors == [token.id]);
            sessions.extend(issued.map(|token| Listed {
                id: token.id,
                device: token.metadata.device.id.as_ref().map(|id| namespace.device(id).number()),
                ends_at: end(token.absolute_expiry.or(token.expires_at)),
            }));
            match page.next {
                Some(next) => paging = paging.after(Some(next)),
                None => break,
            }
        }
        sessions.reverse();
        Ok(SessionIndex { sessions })
    }

    async fn make_room(&self, policy: &SessionPolicy, turn: &mut Turn) -> Result<(), Error> {
        let mut seen = BTreeMap::new();
        while let Some((crowd, most)) = turn.roster.crowd(policy, turn.device) {
            let unseen = crowd.iter().filter(|id| !seen.contains_key(*id)).copied();
            let mut dead: BTreeSet<TokenId> = unseen.collect();
            if !dead.is_empty() {
                for session in self.live(&dead).await? {
                    dead.remove(&session.id);
                    seen.insert(session.id, session);
                }
                turn.roster.strike(&dead);
                // Without the dead it may be another crowd, and what was seen is not all of that.
                continue;
            }
            let live = crowd.iter().filter_map(|id| seen.get(id)).copied().collect();
            let retired = policy.when_full.retires(live, most);
            if retired.is_empty() {
                return Err(Error::TooManySessions { most });
            }
            let why = RevokeRequest::reason("session_limit");
            for id in &retired {
                let revoked = self.revoke_record(*id, &why, RevocationTarget::SessionLimit).await?;
                if let Revoked::Now = revoked {
                    self.inner.metrics.handles.sessions.of(SessionOutcome::Retired).increment(1);
                }
            }
            turn.roster.strike(&retired);
        }
        Ok(())
    }

    /// Which of some sessions are live.
    async fn live(&self, sessions: &BTreeSet<TokenId>) -> Result<Vec<Seen>, Error> {
        let now = self.now();
        let sessions: Vec<TokenId> = sessions.iter().copied().collect();
        let mut live = Vec::new();
        for together in sessions.chunks(TOGETHER) {
            let loads = together.iter().map(|id| self.inner.store.load(*id));
            for loaded in try_join_all(loads).await?.iter().flatten() {
                let token = super::token_of(loaded)?;
                // One that is yet to begin takes a place as well.
                if matches!(token.state(now), TokenState::Active | TokenState::Pending) {
                    let (issued_at, idle_since) = (token.issued_at, token.idle_since());
                    live.push(Seen { id: token.id, issued_at, idle_since });
                }
            }
        }
        Ok(live)
    }

    /// Stores a session together with the roster that names it.
    pub(super) async fn store_in_turn(
        &self,
        turn: &Turn,
        operation: Operation,
        mut insert: Insert,
        prepared: &Prepared,
    ) -> Result<Option<Inserted>, Error> {
        let mut roster = turn.roster.clone();
        let ends_at = end(Some(prepared.keep_until));
        let added = insert.records.iter().map(|new| new.id);
        let added = added.map(|id| Listed { id, device: turn.device, ends_at });
        roster.sessions.extend(added);
        let body = codec::encode(&roster);
        let Some(read) = turn.read else {
            insert.records.push(NewRecord {
                id: turn.id,
                body,
                key: KeyVersion::PLAINTEXT,
                keep_until: (self.now() + KEPT).max(prepared.keep_until).min(turn.keep_until),
                uses_left: None,
                epochs: Epochs::default(),
                terms: vec![self.inner.store.namespace().session_indexes()],
                stamp: StampRule::Present,
                counted: None,
            });
            return Ok(match self.inner.store.insert(operation, insert).await? {
                // Of the session or of the roster: reading again tells.
                Inserted::IdTaken => None,
                inserted => Some(inserted),
            });
        };
        let (minted, events) = (insert.records, insert.events);
        let replace = Replace { minted, events, ..Replace::new(turn.id, read, body) };
        Ok(match self.inner.store.replace(operation, replace).await? {
            // Nobody asks for the stamp of a session that was just issued.
            Replaced::Stored(_) => Some(Inserted::Stored(Stamp::new(0))),
            Replaced::Ended => Some(Inserted::Superseded),
            Replaced::IdTaken => Some(Inserted::IdTaken),
            Replaced::Stale | Replaced::Missing => None,
        })
    }
}

/// An end as a roster has it: never is none.
fn end(at: Option<Timestamp>) -> Option<Timestamp> {
    at.filter(|at| *at < Timestamp::MAX)
}
