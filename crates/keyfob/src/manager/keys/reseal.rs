//! Records sealed again under the active key, while traffic flows.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::documents;
use super::scan::{RecordKind, ScanPosition};
use crate::error::Error;
use crate::manager::TokenManager;
use crate::manager::modify::RETRY_LIMIT;
use crate::manager::read::{PageCursor, ResumeToken};
use keyfob_core::KeyVersion;
use keyfob_seal::SealedStore;
use keyfob_store::{Loaded, Reseal, Resealed, StoreWrapper};

/// A run that seals every record again that is not sealed under the active key, and every document of
/// the service. In the counts, a document is a record.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyfob::seal::{KeyRing, NewKey};
/// use keyfob::clock::{Clock, SystemClock};
/// use keyfob::random::OsRandom;
/// use keyfob::{Grant, Kind, MemoryStore, TokenManager};
///
/// let mut ring = KeyRing::generate(SystemClock.now(), &OsRandom)?;
/// let manager = TokenManager::builder(MemoryStore::new()?).keys(&ring).build();
/// manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
///
/// let second = ring.add(NewKey::Sealing, SystemClock.now(), &OsRandom)?;
/// ring.activate(second)?;
/// manager.set_keys(&ring)?;
/// let done = manager.reseal()?.run(|progress| println!("{} resealed", progress.resealed)).await?;
/// assert_eq!((done.resealed, done.by_key[&second]), (1, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ResealRun {
    manager: TokenManager,
    sealed: Arc<SealedStore>,
    progress: ResealProgress,
}

/// The progress of a [`ResealRun`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ResealProgress {
    /// The number of records that it has sealed again.
    pub resealed: u64,
    /// The number of records that it has read.
    pub examined: u64,
    /// The number of records that did not open. They stay as they are; the log names them.
    pub unreadable: u64,
    /// The number of records that it has read and left under each key.
    pub by_key: BTreeMap<KeyVersion, u64>,
    /// Where to resume.
    pub resume: ResumeToken,
}

/// How many records are sealed at the same time.
const MAX_CONCURRENT: usize = 32;

/// The outcome of one record.
enum Outcome {
    Resealed,
    /// It is sealed as a new record would be, or it is gone.
    Unchanged(Option<KeyVersion>),
    Unreadable(KeyVersion),
}

/// # Keys of a sealed store
impl TokenManager {
    /// Returns a run that seals every record again that is not under the active key, or that was sealed
    /// before keyfob bound the clear fields of a record to its body. Nothing is done before [`ResealRun::run`]; see [`ResealRun`] for an example.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the manager was built without keys.
    pub fn reseal(&self) -> Result<ResealRun, Error> {
        let sealed = Arc::clone(self.sealed()?);
        Ok(ResealRun { manager: self.clone(), sealed, progress: ResealProgress::default() })
    }
}

impl ResealRun {
    /// Resumes where an earlier run stopped.
    pub fn resume(mut self, from: PageCursor) -> Self {
        self.progress.resume = ResumeToken::After(from);
        self
    }

    /// The progress until now.
    pub fn progress(&self) -> &ResealProgress {
        &self.progress
    }

    /// Seals the records again, the newest first, and calls `on_progress` after each page. Records
    /// that are written meanwhile are sealed under the active key anyway.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the cursor is not that of a run; [`Error::Store`]. Records that were
    /// sealed again stay so. [`ResealRun::progress`] has where to resume, and calling this again
    /// resumes there.
    pub async fn run(
        &mut self,
        mut on_progress: impl FnMut(&ResealProgress),
    ) -> Result<ResealProgress, Error> {
        // A run that was resumed has not read all records.
        let is_of_all = self.progress.resume == ResumeToken::Start;
        while self.progress.resume != ResumeToken::Done {
            let cursor = self.progress.resume.cursor();
            let position = cursor.map(ScanPosition::from_cursor).transpose()?.unwrap_or_default();
            let page = position.page(&self.sealed).await?;
            let this = &*self;
            let outcomes: Vec<Outcome> = stream::iter(page.records)
                .map(|loaded| this.reseal(position.kind, loaded))
                .buffer_unordered(MAX_CONCURRENT)
                .try_collect()
                .await?;
            for outcome in outcomes {
                self.count(outcome);
            }
            self.progress.resume = match position.next(page.next).and_then(ScanPosition::cursor) {
                Some(next) => ResumeToken::After(next),
                None => {
                    self.reseal_documents().await?;
                    ResumeToken::Done
                }
            };
            on_progress(&self.progress);
        }
        if is_of_all {
            self.manager.publish_record_counts(&self.sealed, &self.progress.by_key);
        }
        Ok(self.progress.clone())
    }

    async fn reseal_documents(&mut self) -> Result<(), Error> {
        for stored in documents::all(&self.sealed).await? {
            let key = SealedStore::key_of_document(&stored);
            let outcome = documents::reseal(&self.manager, &self.sealed, stored).await?;
            self.count(match outcome {
                documents::Outcome::Resealed => Outcome::Resealed,
                documents::Outcome::Unchanged => Outcome::Unchanged(Some(key)),
                documents::Outcome::Unreadable => Outcome::Unreadable(key),
                documents::Outcome::Gone => Outcome::Unchanged(None),
            });
        }
        Ok(())
    }

    fn count(&mut self, outcome: Outcome) {
        self.progress.examined += 1;
        let key = match outcome {
            Outcome::Resealed => {
                self.progress.resealed += 1;
                self.manager.inner.metrics.handles.seal_resealed.increment(1);
                Some(self.sealed.sealer().active())
            }
            Outcome::Unchanged(key) => key,
            Outcome::Unreadable(key) => {
                self.progress.unreadable += 1;
                Some(key)
            }
        };
        if let Some(key) = key {
            *self.progress.by_key.entry(key).or_default() += 1;
        }
    }

    /// Seals one record again, unless it is under the active key.
    async fn reseal(&self, kind: RecordKind, mut loaded: Loaded) -> Result<Outcome, Error> {
        let store = self.sealed.inner();
        for _ in 0..RETRY_LIMIT {
            let sealer = self.sealed.sealer();
            let key = SealedStore::key_of(&loaded);
            if key == sealer.active() && SealedStore::binds_clear_fields(&loaded) {
                return Ok(Outcome::Unchanged(Some(key)));
            }
            let id = loaded.id;
            let opened = self.sealed.open_body(&loaded);
            let with_terms = |body: Vec<u8>| Ok((kind.terms(store.namespace(), &body)?, body));
            let (terms, body) = match opened.and_then(with_terms) {
                Ok(read) => read,
                Err(error) => {
                    tracing::error!(token = %id, %error, "a record cannot be opened: it is not sealed again");
                    return Ok(Outcome::Unreadable(key));
                }
            };
            let mut form = Reseal {
                id,
                read: loaded.version,
                body: self.sealed.seal_body(&sealer, &loaded, &body)?,
                key: sealer.active(),
                added_terms: Vec::new(),
                former_terms: Vec::new(),
            };
            let form_before = SealedStore::form(&loaded);
            for term in terms {
                let (former, now) = (sealer.term_under(term, form_before), sealer.term(term));
                // A term that stays the same must not be listed again: its index may have moved by now.
                if former != Some(now) {
                    form.former_terms.extend(former);
                    form.added_terms.push(now);
                }
            }
            match store.reseal(self.manager.begin()?, form).await? {
                Resealed::Done => return Ok(Outcome::Resealed),
                Resealed::Missing => return Ok(Outcome::Unchanged(None)),
                Resealed::Stale => match store.load(id).await? {
                    Some(now) => loaded = now,
                    None => return Ok(Outcome::Unchanged(None)),
                },
            }
        }
        Err(Error::Contended { id: loaded.id })
    }
}
