//! Status lists, kept up to date by the events.
//!
//! A list is built from the index of the store when it is asked for. From then on the events tell what was revoked: they
//! are read before a list is served, unless they were read within the last second. So what is served has every
//! revocation that was acknowledged a second before, on every node. If the store does not answer, no list is served.
//!
//! A bit that was set stays set for as long as the process keeps the list, also if the store has lost the revocation.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyfob::event::{EpochOf, EventKind};
use keyfob::filter::Filter;
use keyfob::manager::Paging;
use keyfob::store::{Cursor, StoreError};
use keyfob::token::StatusListId;
use keyfob::values::FamilyId;
use keyfob::{Error, ErrorClass, Timestamp, Token, TokenId, TokenManager, Ttl};
use keyfob_jwt::status_list::{StatusList, StatusListToken};
use tokio::sync::Mutex;

use super::keys::JwtKeys;
use super::places::{self, CAPACITY};
use super::settings::JwtSettings;

/// For how long what was read of the events counts as current.
const REFRESH: Duration = Duration::from_secs(1);
/// After how long a list is built again. The events do not tell of tokens that the store has lost.
const REBUILD: Duration = Duration::from_secs(600);
/// How many lists are kept: 16 KiB each, and what is signed.
const MAX_LISTS: usize = 512;
/// How many events are read at a time.
const PAGE: usize = 1_000;
/// After how many events, or revocations of single tokens, it costs less to build lists again.
const MAX_EVENTS: usize = 50_000;
const MAX_REVOKED: usize = 2_000;
/// The epoch of a client is advanced in every lane, and the event is written in one of them, perhaps before the others
/// have theirs. So its tokens are looked at again for this long: longer than a node takes to advance, or to find that
/// another one did not finish.
const RECHECK: Ttl = Ttl::from_mins(2);

/// The lists that this process serves.
#[derive(Debug, Default)]
pub(crate) struct StatusLists(Arc<Mutex<Lists>>);

#[derive(Debug, Default)]
struct Lists {
    /// The events up to here are in the lists. `None`: there are no lists.
    cursor: Option<Cursor>,
    /// When the events were last read.
    read_at: Option<Instant>,
    lists: HashMap<StatusListId, Kept>,
    /// When the lists began. An advance that was under way then is not among the events that follow.
    started_at: Option<Instant>,
    /// What to look at again, and until when.
    rechecks: Vec<(EpochOf, Timestamp)>,
}

#[derive(Debug)]
struct Kept {
    bits: StatusList,
    built_at: Instant,
    /// It has to be built again before it is served.
    is_stale: bool,
    asked_at: Instant,
    signed: Option<Signed>,
}

/// A list as it is served.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) jwt: String,
    kid: String,
    uri: String,
    at: Timestamp,
    ttl: Ttl,
}

impl Signed {
    /// Returns for how long others may keep it.
    pub(crate) fn ttl(&self) -> Ttl {
        self.ttl
    }
}

/// Why a list is not served.
#[derive(Debug)]
pub(crate) enum NoList {
    /// There is no list of this name, or nothing is left of it.
    Unknown,
    /// It cannot be signed.
    NotSigned,
    /// The store cannot tell what is revoked.
    Store(Error),
}

impl From<Error> for NoList {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// What the events tell was revoked.
#[derive(Default)]
struct Affected {
    tokens: BTreeSet<TokenId>,
    epochs: Vec<(EpochOf, Timestamp)>,
    is_too_much: bool,
}

impl StatusLists {
    /// Returns a list as it is served.
    pub(crate) async fn serve(
        &self,
        manager: &TokenManager,
        (settings, keys): (&JwtSettings, &JwtKeys),
        issuer: &str,
        id: StatusListId,
    ) -> Result<Signed, NoList> {
        if !places::is_drawn(manager, id) {
            return Err(NoList::Unknown);
        }
        let mut lists = Arc::clone(&self.0).lock_owned().await;
        let of = manager.clone();
        // In a task of its own: what was read is not lost when the request ends early.
        let reading = tokio::spawn(async move {
            lists.catch_up(&of).await?;
            lists.build(&of, id).await?;
            Ok::<_, NoList>(lists)
        });
        let failed = |_| Error::from(StoreError::unavailable("the list could not be read"));
        let mut lists = reading.await.map_err(failed)??;
        let kept = lists.lists.get_mut(&id).ok_or(NoList::Unknown)?;
        kept.asked_at = Instant::now();
        kept.sign(manager.now(), (settings, keys), places::list_uri(issuer, id))
    }
}

impl Lists {
    /// Reads the events since the last time, and marks what was revoked.
    async fn catch_up(&mut self, manager: &TokenManager) -> Result<(), Error> {
        if self.read_at.is_some_and(|at| at.elapsed() < REFRESH) {
            return Ok(());
        }
        let began = Instant::now();
        match self.cursor.clone() {
            None => self.start(manager).await?,
            Some(cursor) => {
                let (affected, cursor) = affected(manager, cursor).await?;
                if affected.is_too_much {
                    self.start(manager).await?;
                } else {
                    self.apply(manager, affected).await?;
                    self.cursor = Some(cursor);
                }
            }
        }
        // What was revoked before the events were read is in the lists, and later revocations perhaps not.
        self.read_at = Some(began);
        Ok(())
    }

    /// Forgets all lists. Each is built again when it is asked for.
    async fn start(&mut self, manager: &TokenManager) -> Result<(), Error> {
        self.lists.clear();
        self.cursor = None;
        self.started_at = Some(Instant::now());
        self.cursor = Some(manager.latest_event().await?);
        Ok(())
    }

    async fn apply(&mut self, manager: &TokenManager, affected: Affected) -> Result<(), Error> {
        let now = manager.now();
        let Affected { tokens, epochs, .. } = affected;
        for (epoch, at) in epochs {
            let is_wide = matches!(epoch, EpochOf::Client(_) | EpochOf::All);
            // One of a lane is looked at once.
            let until = if is_wide { at.max(now) + RECHECK } else { now };
            match self.rechecks.iter_mut().find(|(known, _)| *known == epoch) {
                Some((_, known)) => *known = until.max(*known),
                None => self.rechecks.push((epoch, until)),
            }
        }
        if !self.lists.is_empty() {
            let mut families = BTreeSet::new();
            for id in tokens {
                families.extend(self.look_at(manager, id).await?);
            }
            for family in families {
                self.look_at_matches(manager, &Filter::new().family(family)).await?;
            }
            for (epoch, _) in self.rechecks.clone() {
                self.look_at_all_of(manager, &epoch).await?;
            }
        }
        self.rechecks.retain(|(_, until)| now < *until);
        Ok(())
    }

    /// Looks at a token. Returns the family of what descends from it.
    async fn look_at(
        &mut self,
        manager: &TokenManager,
        id: TokenId,
    ) -> Result<Option<FamilyId>, Error> {
        let token = match manager.get(id).await {
            Ok(token) => token,
            // Forgotten, with all that descends from it.
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) if error.class() == ErrorClass::Unavailable => return Err(error),
            // One record that cannot be read must not keep all others from being listed.
            Err(error) => {
                tracing::error!(code = error.code(), %id, "a revoked token cannot be read");
                return Ok(Some(FamilyId::from_root(id)));
            }
        };
        self.mark(&token);
        Ok(Some(FamilyId::under(id, token.family)))
    }

    async fn look_at_all_of(
        &mut self,
        manager: &TokenManager,
        epoch: &EpochOf,
    ) -> Result<(), Error> {
        let filter = match epoch {
            EpochOf::Subject(subject) => Filter::new().subject(subject.clone()),
            EpochOf::Client(client) => Filter::new().client(client.clone()),
            EpochOf::Family(family) => Filter::new().family(*family),
            EpochOf::All => {
                self.lists.values_mut().for_each(|kept| kept.is_stale = true);
                return Ok(());
            }
        };
        self.look_at_matches(manager, &filter).await
    }

    async fn look_at_matches(
        &mut self,
        manager: &TokenManager,
        filter: &Filter,
    ) -> Result<(), Error> {
        let mut paging = Paging::new(PAGE);
        loop {
            let page = manager.list(filter, paging).await?;
            if !page.missing_lanes.is_empty() {
                return Err(StoreError::unavailable("a part of the store cannot be reached").into());
            }
            page.tokens.iter().for_each(|token| self.mark(token));
            match page.next {
                None => return Ok(()),
                next => paging = Paging::new(PAGE).after(next),
            }
        }
    }

    fn mark(&mut self, token: &Token) {
        let Some(form) = token.jwt.filter(|_| is_revoked(token)) else { return };
        let Some(kept) = self.lists.get_mut(&form.list) else { return };
        if kept.bits.revoke(form.index) {
            kept.signed = None;
        }
    }

    /// Returns whether a list does not have to be built again.
    fn is_recent(&self, kept: &Kept) -> bool {
        let settled = self.started_at.map(|at| at + RECHECK.as_duration());
        let is_early = settled.is_some_and(|at| kept.built_at < at && at <= Instant::now());
        !kept.is_stale && !is_early && kept.built_at.elapsed() < REBUILD
    }

    /// Builds a list, unless it was built lately.
    async fn build(&mut self, manager: &TokenManager, id: StatusListId) -> Result<(), NoList> {
        let before = self.lists.get(&id);
        if before.is_some_and(|kept| self.is_recent(kept)) {
            return Ok(());
        }
        let now = Instant::now();
        let mut bits = before.map_or_else(|| StatusList::new(CAPACITY), |kept| kept.bits.clone());
        let mut has_tokens = false;
        manager
            .scan_status_list(id, |token| {
                has_tokens = true;
                if let Some(form) = token.jwt.filter(|form| form.list == id && is_revoked(token)) {
                    bits.revoke(form.index);
                }
            })
            .await?;
        if !has_tokens {
            self.lists.remove(&id);
            return Err(NoList::Unknown);
        }
        if self.lists.len() >= MAX_LISTS {
            let oldest = self.lists.iter().min_by_key(|(_, kept)| kept.asked_at);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                self.lists.remove(&oldest);
            }
        }
        let kept = Kept { bits, built_at: now, is_stale: false, asked_at: now, signed: None };
        self.lists.insert(id, kept);
        Ok(())
    }
}

/// A token whose data the store has lost is refused, so it is revoked here.
fn is_revoked(token: &Token) -> bool {
    token.state_inputs().revoked
}

/// Reads the events after a cursor to their end.
async fn affected(manager: &TokenManager, mut cursor: Cursor) -> Result<(Affected, Cursor), Error> {
    let mut affected = Affected::default();
    let mut count = 0;
    loop {
        let page = manager.events(&cursor, PAGE).await?;
        cursor = page.cursor;
        count += page.events.len();
        for (event, _) in page.events {
            match event.what {
                EventKind::Revoked { token } => {
                    affected.tokens.insert(token);
                }
                EventKind::ReuseDetected { token, .. } => {
                    affected.tokens.insert(token);
                }
                EventKind::EpochAdvanced { of } => affected.epochs.push((of, event.at)),
                // What was refused is accepted again.
                EventKind::RollbackAccepted { .. } => affected.is_too_much = true,
                _ => {}
            }
        }
        affected.is_too_much |=
            page.trimmed || count > MAX_EVENTS || affected.tokens.len() > MAX_REVOKED;
        if affected.is_too_much || !page.more {
            return Ok((affected, cursor));
        }
    }
}

impl Kept {
    /// Returns the signed list: the one before if it says the same and is young, else a new one.
    fn sign(
        &mut self,
        now: Timestamp,
        (settings, keys): (&JwtSettings, &JwtKeys),
        uri: String,
    ) -> Result<Signed, NoList> {
        let version = keys.active().ok_or(NoList::NotSigned)?;
        let key = version.signing(settings.algorithm);
        let is_good = |signed: &&Signed| {
            signed.kid == key.kid()
                && signed.uri == uri
                && signed.ttl == settings.status_ttl
                && now < signed.at + settings.status_ttl.half()
        };
        if let Some(signed) = self.signed.as_ref().filter(is_good) {
            return Ok(signed.clone());
        }
        let token = StatusListToken {
            uri: uri.clone(),
            issued_at: now,
            expires_at: Some(now + settings.status_lifetime),
            ttl: Some(settings.status_ttl),
            list: self.bits.clone(),
        };
        let jwt = token.sign(key).map_err(|_| NoList::NotSigned)?;
        let signed =
            Signed { jwt, kid: key.kid().to_owned(), uri, at: now, ttl: settings.status_ttl };
        Ok(self.signed.insert(signed).clone())
    }
}
