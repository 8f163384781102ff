//! The keys that seal a store, at a store or at a server.

use std::collections::BTreeMap;

use keyfob::manager::{self, PageCursor};
use keyfob::seal::{KeyRing, KeyVersion};
use keyfob_api::{KeysBody, ResealBody, ResealProgress};
use keyfob_client as client;
use keyfob_server::bodies;

use super::either::Backend;
use crate::failure::Failure;

/// A run that seals all records with the active key.
#[derive(Debug)]
pub(crate) enum Reseal {
    Store(Box<manager::ResealRun>),
    Server(Box<client::ResealRun>),
}

/// How far a run is.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResealDone {
    pub(crate) resealed: u64,
    pub(crate) examined: u64,
    pub(crate) unreadable: u64,
    pub(crate) under: BTreeMap<u16, u64>,
    /// Where to resume; `None` at the start, or nowhere.
    pub(crate) next: Option<String>,
}

impl Backend {
    /// Returns the keys of the ring of the store or of the server, and with `count` how many records each
    /// seals.
    pub(crate) async fn keys(&self, count: bool) -> Result<KeysBody, Failure> {
        match self {
            Self::Store(store) => {
                let infos = store.manager().keys()?;
                let counts = match count {
                    true => Some(store.manager().count_by_key().await?),
                    false => None,
                };
                Ok(bodies::keys(infos, counts.as_ref()))
            }
            Self::Server(server) => Ok(server.client().keys(count).await?),
        }
    }

    /// Prepares a run. Nothing is done before [`Reseal::run`].
    pub(crate) fn reseal(&self, resume: Option<PageCursor>) -> Result<Reseal, Failure> {
        match self {
            Self::Store(store) => {
                let run = store.manager().reseal()?;
                let run = resume.into_iter().fold(run, manager::ResealRun::resume);
                Ok(Reseal::Store(Box::new(run)))
            }
            Self::Server(server) => {
                let body = ResealBody { resume: resume.as_ref().map(ToString::to_string) };
                Ok(Reseal::Server(Box::new(server.client().reseal(body))))
            }
        }
    }

    /// Retires a key: in the store, and then in the ring, which is not stored yet.
    pub(crate) async fn retire(&self, ring: &mut KeyRing, key: KeyVersion) -> Result<(), Failure> {
        match self {
            Self::Store(store) => Ok(store.manager().retire_key(ring, key).await?),
            Self::Server(server) => {
                ring.can_retire(key)?;
                server.client().retire_key(key.value()).await?;
                Ok(ring.retire(key)?)
            }
        }
    }
}

impl Reseal {
    /// Seals the records, and calls `each` after each page.
    pub(crate) async fn run(&mut self, mut each: impl FnMut(&ResealDone)) -> Result<(), Failure> {
        match self {
            Self::Store(run) => {
                run.run(|done| each(&done.into())).await?;
            }
            Self::Server(run) => {
                while let Some(line) = run.next().await? {
                    each(&(&line).into());
                }
            }
        }
        Ok(())
    }

    /// How far the run is.
    pub(crate) fn done(&self) -> ResealDone {
        match self {
            Self::Store(run) => run.progress().into(),
            Self::Server(run) => run.progress().map(ResealDone::from).unwrap_or_default(),
        }
    }
}

impl From<&manager::ResealProgress> for ResealDone {
    fn from(done: &manager::ResealProgress) -> Self {
        Self {
            resealed: done.resealed,
            examined: done.examined,
            unreadable: done.unreadable,
            under: done.by_key.iter().map(|(key, count)| (key.value(), *count)).collect(),
            next: done.resume.cursor().as_ref().map(ToString::to_string),
        }
    }
}

impl From<&ResealProgress> for ResealDone {
    fn from(line: &ResealProgress) -> Self {
        Self {
            resealed: line.resealed,
            examined: line.examined,
            unreadable: line.unreadable,
            under: line.under.clone(),
            next: line.resume.clone(),
        }
    }
}
