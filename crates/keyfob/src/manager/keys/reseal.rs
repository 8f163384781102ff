//! The keys of a sealed store: counting what lies under each, sealing it again under the active
//! one while traffic flows, and retiring a key that nothing lies under any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::codec::{self, Record};
use crate::error::Error;
use crate::field::Field;
use crate::id::TokenId;
use crate::invalid::{InvalidReason, InvalidValue};
use crate::manager::TokenManager;
use crate::manager::issue::terms_of;
use crate::manager::modify::RETRY_LIMIT;
use crate::manager::read::PageCursor;
use crate::manager::revoke::ResumeToken;
use crate::metrics::Under;
use crate::namespace::{Namespace, Term};
use crate::seal::{KeyError, KeyProvider, KeyRing, KeyVersion, SealedStore};
use crate::store::{
    Loaded, Order, Position, Query, RecordPage, Reseal, Resealed, StoreError, StoreWrapper,
};

/// Seals again whatever does not lie under the active key.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
///
/// use keyfob::seal::{KeyRing, NewKey};
/// use keyfob::{Clock, Grant, Kind, MemoryStore, OsRandom, SystemClock, TokenManager};
///
/// let mut ring = KeyRing::generate(SystemClock.now(), &OsRandom)?;
/// let manager = TokenManager::builder(Arc::new(MemoryStore::new()?)).keys(&ring).build();
/// manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
///
/// let second = ring.add(NewKey::Sealing, SystemClock.now(), &OsRandom)?;
/// ring.activate(second)?;
/// manager.set_keys(&ring)?;
/// let done = manager.reseal()?.run(|progress| println!("{} resealed", progress.resealed)).await?;
/// assert_eq!((done.resealed, done.under[&second]), (1, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ResealRun {
    manager: TokenManager,
    sealed: Arc<SealedStore>,
    done: ResealProgress,
}

/// How far a [`ResealRun`] has got.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ResealProgress {
    /// How many records it has sealed again.
    pub resealed: u64,
    /// How many records it has looked at.
    pub examined: u64,
    /// How many of them did not open. They stay as they are; the log names them.
    pub unreadable: u64,
    /// Under which key the records lie that it has looked at, as it left them.
    pub under: BTreeMap<KeyVersion, u64>,
    /// What is left to do.
    pub rest: ResumeToken,
}

const PAGE: usize = 500;
const AT_ONCE: usize = 32;

/// What came of one record.
enum Outcome {
    Resealed,
    /// It lies where it should, or is gone.
    Left(Option<KeyVersion>),
    Unreadable(KeyVersion),
}

impl TokenManager {
    /// Goes on with another key ring, such as one that has a new key. The store must have been
    /// given keys when the manager was built.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it was not.
    pub fn set_keys(&self, ring: &KeyRing) -> Result<(), Error> {
        self.sealed()?.use_ring(ring);
        Ok(())
    }

    /// Asks a provider for its ring and goes on with that: call it now and then, and after a change
    /// of keys. When it fails, the manager goes on with the ring that it has.
    ///
    /// # Errors
    /// [`Error::Keys`] when the provider fails; [`Error::Invalid`] when the manager was built
    /// without keys.
    pub async fn reload_keys(&self, provider: &dyn KeyProvider) -> Result<(), Error> {
        self.set_keys(&provider.ring().await?)
    }

    /// Prepares to seal again whatever does not lie under the active key. Nothing is done before
    /// [`ResealRun::run`].
    ///
    /// # Errors
    /// [`Error::Invalid`] when the manager was built without keys.
    pub fn reseal(&self) -> Result<ResealRun, Error> {
        let sealed = Arc::clone(self.sealed()?);
        Ok(ResealRun { manager: self.clone(), sealed, done: ResealProgress::default() })
    }

    /// How many records lie under each key. It looks at every record, without opening any.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the manager was built without keys; [`Error::Store`].
    pub async fn count_by_key(&self) -> Result<BTreeMap<KeyVersion, u64>, Error> {
        let sealed = self.sealed()?;
        let mut counts = BTreeMap::new();
        let mut place = Some(Place::default());
        while let Some(here) = place {
            let page = walk(sealed, here).await?;
            for loaded in &page.records {
                *counts.entry(SealedStore::key_of(loaded)).or_default() += 1;
            }
            place = here.next(page.next);
        }
        self.show_records(sealed, &counts);
        Ok(counts)
    }

    /// Retires a key: records under it, and under older ones, are refused by the store from now on,
    /// from whatever node. A revocation is taken all the same, with whatever its note lies under. It is refused while records lie under it. Write the ring down afterwards,
    /// and give it to every node.
    ///
    /// # Errors
    /// [`Error::Keys`] when the ring does not allow it or records lie under the key; then the ring
    /// stays as it is. [`Error::Invalid`] when the manager was built without keys;
    /// [`Error::Store`].
    pub async fn retire_key(&self, ring: &mut KeyRing, key: KeyVersion) -> Result<(), Error> {
        ring.can_retire(key)?;
        self.check_nothing_under(key).await?;
        // From here on no record can come to lie under it; what came in between is counted.
        let floor = key.next().unwrap_or(key);
        self.sealed()?.inner().raise_min_key_version(floor).await?;
        self.check_nothing_under(key).await?;
        Ok(ring.retire(key)?)
    }

    /// Shows what was counted, of all records.
    fn show_records(&self, sealed: &SealedStore, counts: &BTreeMap<KeyVersion, u64>) {
        let active = sealed.sealer().active();
        let (mut of_active, mut of_older, mut bare) = (0, 0, 0);
        for (key, count) in counts {
            match *key {
                key if key == active => of_active += count,
                key if key.is_plaintext() => bare += count,
                _ => of_older += count,
            }
        }
        let gauges = &self.inner.metrics.handles.seal_records;
        for (under, count) in
            [(Under::Active, of_active), (Under::Older, of_older), (Under::Bare, bare)]
        {
            gauges.of(under).set(count as f64);
        }
    }

    async fn check_nothing_under(&self, key: KeyVersion) -> Result<(), Error> {
        match self.count_by_key().await?.get(&key) {
            Some(records) => Err(KeyError::StillHolds { key, records: *records }.into()),
            None => Ok(()),
        }
    }

    fn sealed(&self) -> Result<&Arc<SealedStore>, Error> {
        let rule = "it was built without keys: give them to TokenManagerBuilder::keys";
        let none = || InvalidValue::new(Field::TokenManager, InvalidReason::Contradiction { rule });
        self.inner.sealed.as_ref().ok_or_else(|| none().into())
    }
}

impl ResealRun {
    /// Goes on where an earlier run stopped.
    pub fn resume(mut self, from: PageCursor) -> Self {
        self.done.rest = ResumeToken::After(from);
        self
    }

    /// How far it has got.
    pub fn progress(&self) -> &ResealProgress {
        &self.done
    }

    /// Does it, the newest records first, and tells `progress` after each page. Records that are
    /// written meanwhile are sealed under the active key anyway.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the cursor is not one of these; [`Error::Store`]. What was done is done: [`ResealRun::progress`] says where to resume, and so
    /// does this when it is run again.
    pub async fn run(
        &mut self,
        mut progress: impl FnMut(&ResealProgress),
    ) -> Result<ResealProgress, Error> {
        // One that was resumed has not seen all records.
        let is_of_all = self.done.rest == ResumeToken::Everything;
        while self.done.rest != ResumeToken::Nothing {
            let cursor = self.done.rest.cursor();
            let here = cursor.map(Place::of).transpose()?.unwrap_or_default();
            let page = walk(&self.sealed, here).await?;
            let this = &*self;
            let outcomes: Vec<Outcome> = stream::iter(page.records)
                .map(|loaded| this.one(here.what, loaded))
                .buffer_unordered(AT_ONCE)
                .try_collect()
                .await?;
            let active = self.sealed.sealer().active();
            for outcome in outcomes {
                self.done.examined += 1;
                let under = match outcome {
                    Outcome::Resealed => {
                        self.done.resealed += 1;
                        self.manager.inner.metrics.handles.seal_resealed.increment(1);
                        Some(active)
                    }
                    Outcome::Left(under) => under,
                    Outcome::Unreadable(under) => {
                        self.done.unreadable += 1;
                        Some(under)
                    }
                };
                if let Some(under) = under {
                    *self.done.under.entry(under).or_default() += 1;
                }
            }
            self.done.rest = match here.next(page.next).and_then(Place::cursor) {
                Some(next) => ResumeToken::After(next),
                None => ResumeToken::Nothing,
            };
            progress(&self.done);
        }
        if is_of_all {
            self.manager.show_records(&self.sealed, &self.done.under);
        }
        Ok(self.done.clone())
    }

    async fn one(&self, what: What, mut loaded: Loaded) -> Result<Outcome, Error> {
        let store = self.sealed.inner();
        for _ in 0..RETRY_LIMIT {
            let sealer = self.sealed.sealer();
            let under = SealedStore::key_of(&loaded);
            if under == sealer.active() {
                return Ok(Outcome::Left(Some(under)));
            }
            let id = loaded.id;
            let opened = self.sealed.open_body(&loaded);
            let terms = |body: Vec<u8>| Ok((what.terms(store.namespace(), &body)?, body));
            let (terms, body) = match opened.and_then(terms) {
                Ok(read) => read,
                Err(error) => {
                    tracing::error!(token = %id, %error, "a record is not resealed");
                    return Ok(Outcome::Unreadable(under));
                }
            };
            let mut form = Reseal {
                id,
                read: loaded.version,
                body: self.sealed.seal_body(&sealer, id, &body)?,
                key: sealer.active(),
                added_terms: Vec::new(),
                former_terms: Vec::new(),
            };
            let form_before = SealedStore::form(&loaded);
            for term in terms {
                let (former, now) = (sealer.term_under(term, form_before), sealer.term(term));
                // What stays where it is must not be listed anew: an index may lie elsewhere by now.
                if former != Some(now) {
                    form.former_terms.extend(former);
                    form.added_terms.push(now);
                }
            }
            match store.reseal(self.manager.begin()?, form).await? {
                Resealed::Done => return Ok(Outcome::Resealed),
                Resealed::Missing => return Ok(Outcome::Left(None)),
                Resealed::Stale => match store.load(id).await? {
                    Some(now) => loaded = now,
                    None => return Ok(Outcome::Left(None)),
                },
            }
        }
        Err(Error::Contended { id: loaded.id })
    }
}

/// Where a walk begins that has to say where it is: no id lies above.
const TOP: Position = Position { keep_until_secs: 0, id: TokenId::from_bytes([u8::MAX; 16]) };

/// What a store holds.
#[derive(Clone, Copy, Default)]
enum What {
    #[default]
    Tokens,
    Rosters,
}

/// How far a walk over all of it has got.
#[derive(Clone, Copy, Default)]
struct Place {
    what: What,
    after: Option<Position>,
}

impl What {
    const ALL: [Self; 2] = [Self::Tokens, Self::Rosters];

    /// The term that lists it.
    fn term(self, namespace: &Namespace) -> Term {
        match self {
            Self::Tokens => namespace.all(),
            Self::Rosters => namespace.session_indexes(),
        }
    }

    /// The terms that one is listed under.
    fn terms(self, namespace: &Namespace, body: &[u8]) -> Result<Vec<Term>, StoreError> {
        match self {
            Self::Tokens => Ok(terms_of(namespace, &codec::decode::<Record>(body)?)),
            Self::Rosters => Ok(vec![namespace.session_indexes()]),
        }
    }
}

impl Place {
    fn of(cursor: PageCursor) -> Result<Self, InvalidValue> {
        let (term, position) = cursor.within_everything()?;
        let what = What::ALL.get(term).copied();
        let rule = "it names something that is not walked";
        let what = what.ok_or_else(|| {
            InvalidValue::new(Field::Cursor, InvalidReason::Contradiction { rule })
        })?;
        Ok(Self { what, after: Some(position) })
    }

    fn cursor(self) -> Option<PageCursor> {
        self.after.map(|after| PageCursor::of_everything(self.what as usize, after))
    }

    /// Where a page ended: further on, at the beginning of what comes next, or nowhere.
    fn next(self, after: Option<Position>) -> Option<Self> {
        match (self.what, after) {
            (what, Some(_)) => Some(Self { what, after }),
            (What::Tokens, None) => Some(Self { what: What::Rosters, after: Some(TOP) }),
            (What::Rosters, None) => None,
        }
    }
}

/// One page of what the store holds, as it lies there.
async fn walk(sealed: &SealedStore, here: Place) -> Result<RecordPage, Error> {
    let store = sealed.inner();
    let term = here.what.term(store.namespace());
    let Place { after, .. } = here;
    let query = Query { term, lane: None, order: Order::NewestFirst, after, limit: PAGE };
    Ok(store.query(&query).await?)
}
