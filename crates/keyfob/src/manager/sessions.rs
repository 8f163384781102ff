//! Sessions within a policy: reading the session index, making room, and storing the session
//! together with the index that names it.
//!
//! A login that has to make room revokes first and stores then, so that there are never more sessions
//! than the policy allows, wherever a node stops. Two logins that find the same index end the same
//! session, and the second one waits a little and reads again; see [`login_turns`](super::login_turns).

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;

use super::TokenManager;
use super::issue::{DRAW_LIMIT, Draft, Issued, Prepared, Repeatable, no_free_id};
use super::read::Paging;
use super::revoke::RevokeRequest;
use crate::codec;
use crate::error::Error;
use crate::sessions::{FullQuota, IndexedSession, LiveSession, SessionIndex, SessionPolicy};
use keyfob_core::KeyVersion;
use keyfob_core::filter::Filter;
use keyfob_core::id::TokenId;
use keyfob_core::text::Subject;
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::{GrantParts, Kind, TokenState};
use keyfob_metrics::{RevocationTarget, SessionOutcome};
use keyfob_store::{
    ClearFields, Epochs, Insert, Inserted, NewRecord, Operation, RecordVersion, Replace, Replaced,
    Revoked, StampRule, Verdict,
};

/// How many indexes in a row may have been revoked, while they are looked for or at the same time.
const MAX_REVOKED_INDEXES: usize = 32;
/// How many sessions are loaded at the same time.
const LOAD_BATCH: usize = 64;
/// For how long an index is kept at least before it is rebuilt.
const MIN_INDEX_LIFETIME: Ttl = Ttl::from_days(30);

/// A session index as it was read, without the sessions that had to end.
struct ReadIndex {
    id: TokenId,
    /// `None` if there is no index yet.
    version: Option<RecordVersion>,
    /// Its plaintext fields, if there is one.
    clear: Option<ClearFields>,
    /// When it must be forgotten at the latest: with the first index, if it replaces a revoked one.
    keep_until: Timestamp,
    index: SessionIndex,
    /// The device of the login.
    device: Option<u64>,
}

/// The result of storing a session.
enum SessionStored {
    Issued(Box<Issued>),
    /// The session or the index was revoked.
    Superseded,
    IndexChanged,
}

/// What became of a write of a session together with an index.
enum IndexWritten {
    Stored,
    /// The session or the index was revoked.
    Superseded,
    /// The index has changed since it was read.
    IndexChanged,
    /// Another token has the id of the session.
    IdTaken,
}

impl TokenManager {
    pub(super) async fn issue_session(
        &self,
        policy: &SessionPolicy,
        subject: Subject,
        parts: GrantParts,
        repeatable: Option<&Repeatable>,
    ) -> Result<Issued, Error> {
        let outcome = self.admit_session(policy, subject, parts, repeatable).await;
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
        repeatable: Option<&Repeatable>,
    ) -> Result<Issued, Error> {
        let namespace = self.inner.store.namespace();
        let device = parts.metadata.device.id.as_ref();
        let device = device.map(|device| namespace.device(device).number());
        let mut superseded_at: Option<(TokenId, Option<RecordVersion>)> = None;
        let contended = || Error::Contended {
            id: namespace.session_index_of(&subject, 0, Timestamp::default()),
        };
        let turn = self.inner.login_turns.begin(namespace.subject(&subject)).await;
        let mut turn = turn.ok_or_else(contended)?;
        loop {
            // Before any session has to end: a grant that is not valid makes no room.
            let prepared = self.prepare(parts.clone(), None, repeatable)?;
            if let Some(issued) = self.issued_before(&prepared).await? {
                return Ok(issued);
            }
            let mut read = self.read_index(&subject, device).await?;
            if superseded_at == Some((read.id, read.version)) {
                // The index has not changed, so it was the session that was refused.
                return Err(Error::Superseded);
            }
            superseded_at = None;
            self.make_room(policy, &mut read).await?;
            match self.store_session(&prepared, &read).await? {
                SessionStored::Issued(issued) => return Ok(*issued),
                SessionStored::Superseded if read.version.is_none() => {
                    return Err(Error::Superseded);
                }
                SessionStored::Superseded => superseded_at = Some((read.id, read.version)),
                SessionStored::IndexChanged => {}
            }
            if !turn.wait(&*self.inner.random).await {
                return Err(contended());
            }
        }
    }

    /// Reads the session index of a subject.
    ///
    /// An index that was revoked together with everything cannot be written any more. Its mark says
    /// when everything was revoked the last time, and from that follows the id of the index that
    /// replaces it: the same on every node, however often that has happened. The replacement is
    /// forgotten with the first index, so that no two are valid at a time.
    async fn read_index(&self, subject: &Subject, device: Option<u64>) -> Result<ReadIndex, Error> {
        let namespace = self.inner.store.namespace();
        let (mut revoked, mut at, mut keep_until) = (0, Timestamp::default(), Timestamp::MAX);
        for _ in 0..MAX_REVOKED_INDEXES {
            let id = namespace.session_index_of(subject, revoked, at);
            let Some(loaded) = self.inner.store.load(id).await? else {
                let index = self.rebuild_index(subject).await?;
                return Ok(ReadIndex { id, version: None, clear: None, keep_until, index, device });
            };
            keep_until = keep_until.min(loaded.keep_until);
            let revoked_at = match loaded.verdict {
                Verdict::Clear => {
                    let mut index: SessionIndex = codec::decode(&loaded.body)?;
                    index.remove_ended(self.now());
                    let (version, clear) = (Some(loaded.version), Some(loaded.clear_fields()));
                    return Ok(ReadIndex { id, version, clear, keep_until, index, device });
                }
                Verdict::Revoked(mark) => mark.at,
                // The time of the revocation is among what the store lost.
                Verdict::Damaged => Timestamp::default(),
            };
            // Several indexes can be revoked at the same time. Those of another time are counted
            // apart.
            revoked = if revoked_at == at { revoked + 1 } else { 1 };
            at = revoked_at;
        }
        Err(Error::Contended { id: namespace.session_index_of(subject, 0, Timestamp::default()) })
    }

    /// Rebuilds a session index from the listed tokens.
    async fn rebuild_index(&self, subject: &Subject) -> Result<SessionIndex, Error> {
        let namespace = self.inner.store.namespace();
        let filter = Filter::new().subject(subject.as_str()).kind(Kind::Session);
        let filter = filter.state(TokenState::Active).state(TokenState::Pending);
        let mut paging = Paging::new(Paging::MAX_LIMIT);
        let mut sessions = Vec::new();
        loop {
            let page = self.list(&filter, paging.clone()).await?;
            let issued = page.tokens.iter().filter(|token| token.ancestors == [token.id]);
            sessions.extend(issued.map(|token| IndexedSession {
                id: token.id,
                device: token.metadata.device.id.as_ref().map(|id| namespace.device(id).number()),
                ends_at: finite(token.absolute_expiry.or(token.expires_at)),
            }));
            match page.next {
                Some(next) => paging = paging.after(Some(next)),
                None => break,
            }
        }
        sessions.reverse();
        Ok(SessionIndex { sessions })
    }

    /// Ends sessions until the index has room for one more.
    async fn make_room(&self, policy: &SessionPolicy, read: &mut ReadIndex) -> Result<(), Error> {
        let mut known_live = BTreeMap::new();
        while let Some(FullQuota { sessions, max }) = read.index.full_quota(policy, read.device) {
            let unread = sessions.iter().filter(|id| !known_live.contains_key(*id)).copied();
            let mut ended: BTreeSet<TokenId> = unread.collect();
            if !ended.is_empty() {
                for session in self.load_live(&ended).await? {
                    ended.remove(&session.id);
                    known_live.insert(session.id, session);
                }
                read.index.remove(&ended);
                // Without the ended sessions, another quota may be the full one, with sessions that
                // were not read yet.
                continue;
            }
            let live = sessions.iter().filter_map(|id| known_live.get(id)).copied().collect();
            let to_end = policy.when_full.choose_ended(live, max);
            if to_end.is_empty() {
                return Err(Error::TooManySessions { max });
            }
            let request = RevokeRequest::reason("session_limit");
            for id in &to_end {
                let target = RevocationTarget::SessionLimit;
                if let Revoked::Now = self.revoke_record(*id, &request, target).await? {
                    self.inner.metrics.handles.sessions.of(SessionOutcome::Retired).increment(1);
                }
            }
            read.index.remove(&to_end);
        }
        Ok(())
    }

    /// Returns those of some sessions that are live.
    async fn load_live(&self, sessions: &BTreeSet<TokenId>) -> Result<Vec<LiveSession>, Error> {
        let now = self.now();
        let sessions: Vec<TokenId> = sessions.iter().copied().collect();
        let mut live = Vec::new();
        for batch in sessions.chunks(LOAD_BATCH) {
            let loads = batch.iter().map(|id| self.inner.store.load(*id));
            for loaded in try_join_all(loads).await?.iter().flatten() {
                let token = super::token_of(loaded)?;
                // A session that is yet to begin counts as well.
                if matches!(token.state(now), TokenState::Active | TokenState::Pending) {
                    let (issued_at, idle_since) = (token.issued_at, token.idle_since());
                    live.push(LiveSession { id: token.id, issued_at, idle_since });
                }
            }
        }
        Ok(live)
    }

    /// Draws a session and stores it together with the index that names it, again with another id if
    /// the id is taken.
    async fn store_session(
        &self,
        prepared: &Prepared,
        read: &ReadIndex,
    ) -> Result<SessionStored, Error> {
        for _ in 0..DRAW_LIMIT {
            let Draft { operation, insert, new } = self.draft(prepared)?;
            let mut index = read.index.clone();
            let ends_at = finite(Some(new.keep_until));
            index.sessions.push(IndexedSession { id: new.id, device: read.device, ends_at });
            let body = codec::encode(&index);
            let written = match read.version {
                Some(version) => self.replace_index(read, version, body, operation, insert).await?,
                None => self.insert_index(read, body, operation, insert).await?,
            };
            match written {
                IndexWritten::Stored => {
                    return Ok(SessionStored::Issued(Box::new(self.finish(new))));
                }
                IndexWritten::Superseded => return Ok(SessionStored::Superseded),
                IndexWritten::IndexChanged => return Ok(SessionStored::IndexChanged),
                IndexWritten::IdTaken => {
                    if let Some(issued) = self.issued_before(prepared).await? {
                        return Ok(SessionStored::Issued(Box::new(issued)));
                    }
                }
            }
        }
        Err(no_free_id())
    }

    /// Stores a session together with the first index of its subject.
    async fn insert_index(
        &self,
        read: &ReadIndex,
        body: Vec<u8>,
        operation: Operation,
        mut insert: Insert,
    ) -> Result<IndexWritten, Error> {
        let session_kept = insert.records.iter().map(|session| session.keep_until).max();
        let keep_until = Some(self.now() + MIN_INDEX_LIFETIME).max(session_kept);
        insert.records.push(NewRecord {
            id: read.id,
            body,
            key: KeyVersion::PLAINTEXT,
            keep_until: keep_until.map_or(read.keep_until, |kept| kept.min(read.keep_until)),
            uses_left: None,
            epochs: Epochs::default(),
            terms: vec![self.inner.store.namespace().other_records()],
            stamp: StampRule::Present,
            counted: None,
        });
        Ok(match self.inner.store.insert(operation, insert).await? {
            Inserted::Stored(_) => IndexWritten::Stored,
            Inserted::Superseded => IndexWritten::Superseded,
            // The id of the session or of the index: reading again tells which.
            Inserted::IdTaken => IndexWritten::IndexChanged,
        })
    }

    /// Stores a session together with the next version of the index.
    async fn replace_index(
        &self,
        read: &ReadIndex,
        version: RecordVersion,
        body: Vec<u8>,
        operation: Operation,
        insert: Insert,
    ) -> Result<IndexWritten, Error> {
        let (minted, events) = (insert.records, insert.events);
        let clear = read.clear.clone();
        let replace = Replace { minted, events, clear, ..Replace::new(read.id, version, body) };
        Ok(match self.inner.store.replace(operation, replace).await? {
            Replaced::Stored(_) => IndexWritten::Stored,
            Replaced::Ended => IndexWritten::Superseded,
            Replaced::IdTaken => IndexWritten::IdTaken,
            Replaced::Stale | Replaced::Missing => IndexWritten::IndexChanged,
        })
    }
}

/// An end as an index has it, where no end means never.
fn finite(at: Option<Timestamp>) -> Option<Timestamp> {
    at.filter(|at| *at < Timestamp::MAX)
}
