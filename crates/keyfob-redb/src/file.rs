//! Opening the file: waiting for whoever has it, and recognising what is in it before anything of
//! it is believed.

use std::fs;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::{Duration, Instant};

use keyfob_store::{Namespace, StoreError};
use redb::{Database, DatabaseError, StorageError};

use crate::foundation::{self, FORMAT, Holds};
use crate::options::Options;

/// How long to wait before trying the lock again.
const RETRY: Duration = Duration::from_millis(10);

const DAMAGED: &str = "restore it from a backup";

/// Opens the file at `path`; makes it if it is missing and may be made.
pub(crate) fn open(path: &Path, options: &Options) -> Result<(Database, Namespace), StoreError> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            return Err(not_a_store(
                path,
                "it is a folder: name a file in it, such as keyfob.redb",
            ));
        }
        // The engine would take an empty file for a new one. A store is never empty, so this one
        // lost all that it had, or was never one.
        Ok(found) if found.len() == 0 => {
            return Err(not_a_store(path, "it is empty: delete it if a new store is to be made"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound && options.create => {
            foundation::create(path, options)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(not_a_store(path, "there is no such file: check the path"));
        }
        Err(error) => return Err(refused(path, &error)),
    }
    let database = lock(path, options)?;
    let namespace = recognise(&database, path, options)?;
    Ok((database, namespace))
}

/// Opens the engine's file once nobody else has it.
fn lock(path: &Path, options: &Options) -> Result<Database, StoreError> {
    let start = Instant::now();
    loop {
        // The engine trusts what it once wrote: where something else wrote since, it may panic.
        let opened = panic::catch_unwind(AssertUnwindSafe(|| {
            Database::builder().set_cache_size(options.cache_bytes).open(path)
        }));
        match opened {
            Ok(Ok(database)) => return Ok(database),
            Ok(Err(DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch)) => {
                let left = options.wait_for_lock.saturating_sub(start.elapsed());
                if left.is_zero() {
                    return Err(StoreError::InUse { what: path.display().to_string() });
                }
                std::thread::sleep(left.min(RETRY));
            }
            Ok(Err(error)) => return Err(unreadable(path, error)),
            Err(_) => return Err(damaged(path, "the engine gave up on it")),
        }
    }
}

/// The namespace of the store in a file.
fn recognise(database: &Database, path: &Path, options: &Options) -> Result<Namespace, StoreError> {
    let what = || path.display().to_string();
    let looked = panic::catch_unwind(AssertUnwindSafe(|| foundation::look(database)));
    let namespace = match looked {
        Ok(Ok(Holds::Store(namespace))) => namespace,
        Ok(Ok(Holds::Newer(found))) => {
            return Err(StoreError::NewerFormat { what: what(), found, known: FORMAT });
        }
        Ok(Ok(Holds::SomethingElse)) => {
            return Err(not_a_store(path, "it holds the data of another program: name another"));
        }
        Ok(Ok(Holds::Ruins)) => return Err(damaged(path, "its description is incomplete")),
        Ok(Err(fault)) => return Err(damaged(path, StoreError::from(fault))),
        Err(_) => return Err(damaged(path, "the engine gave up on it")),
    };
    match options.lanes {
        Some(lanes) if lanes != namespace.lanes() => Err(StoreError::Misconfigured(format!(
            "{} has {} lanes, not {}: the number is fixed when a store is created; leave it out",
            what(),
            namespace.lanes().get(),
            lanes.get(),
        ))),
        _ => Ok(namespace),
    }
}

fn not_a_store(path: &Path, detail: impl Into<String>) -> StoreError {
    StoreError::NotAStore { what: path.display().to_string(), detail: detail.into() }
}

fn damaged(path: &Path, found: impl std::fmt::Display) -> StoreError {
    not_a_store(path, format!("it is damaged ({found}): {DAMAGED}"))
}

/// What it means that the system does not let us.
pub(crate) fn refused(path: &Path, error: &io::Error) -> StoreError {
    StoreError::unavailable(format_args!(
        "{} cannot be opened ({error}): check the path and its permissions",
        path.display(),
    ))
}

/// What it means that the engine does not open a file.
pub(crate) fn unreadable(path: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::Storage(StorageError::Io(error)) => match error.kind() {
            io::ErrorKind::InvalidData => {
                not_a_store(path, "another program wrote it: name another file")
            }
            io::ErrorKind::UnexpectedEof => {
                not_a_store(path, format!("it was cut short: {DAMAGED}"))
            }
            _ => refused(path, &error),
        },
        DatabaseError::UpgradeRequired(_) => {
            not_a_store(path, "its file format is older than keyfob: name another file")
        }
        error => damaged(path, error),
    }
}
