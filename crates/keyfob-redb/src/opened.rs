//! An open file: the engine over it, and its room on the disk.

use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use redb::{Database, DatabaseError, ReadOnlyDatabase, ReadTransaction, ReadableDatabase};

use crate::disk::Disk;
use crate::error::TxError;

/// An open file.
pub(crate) struct OpenFile {
    engine: Engine,
    pub(crate) opened: Instant,
    /// Dropped after the engine, so that a store that is marked as kept is also locked.
    _keeper_mark: Option<File>,
}

/// The engine, with the rights that the file was opened with.
pub(crate) enum Engine {
    Write(Database, Arc<Disk>),
    Read(ReadOnlyDatabase),
    /// The engine over an [`Overlay`](crate::overlay::Overlay).
    Repaired(Database),
}

impl OpenFile {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, opened: Instant::now(), _keeper_mark: None }
    }

    /// Adds the mark that this process keeps the file.
    pub(crate) fn kept(self, mark: Option<File>) -> Self {
        Self { _keeper_mark: mark, ..self }
    }

    pub(crate) fn begin_read(&self) -> Result<ReadTransaction, TxError> {
        Ok(match &self.engine {
            Engine::Write(database, _) | Engine::Repaired(database) => database.begin_read()?,
            Engine::Read(database) => database.begin_read()?,
        })
    }

    /// Returns the engine and the room on the disk; `None` if the file was opened for reading.
    pub(crate) fn writable(&self) -> Option<(&Database, &Disk)> {
        match &self.engine {
            Engine::Write(database, disk) => Some((database, disk)),
            Engine::Read(_) | Engine::Repaired(_) => None,
        }
    }

    /// Returns whether the engine refuses everything until the file is opened again, because the disk
    /// was full. After another failure of the disk, only a new process can tell what it has stored.
    pub(crate) fn must_reopen(&self) -> bool {
        self.writable().is_some_and(|(_, disk)| disk.found_full())
    }

    pub(crate) fn close(self) -> Result<(), DatabaseError> {
        match self.engine {
            Engine::Write(database, _) | Engine::Repaired(database) => database.close(),
            Engine::Read(database) => database.close(),
        }
    }
}
