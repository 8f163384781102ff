//! Opens the file with the rights that the options name: waits while another process has it open, and checks its contents before it is
//! used.

use std::fs;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::{Duration, Instant};

use keyfob_store::Namespace;
use keyfob_store::StoreError;
use redb::DatabaseError;

use crate::engine;
use crate::error::{cannot_open, damaged, engine_cannot_open, not_a_store};
use crate::format::{self, FORMAT, FileContents};
use crate::keeper;
use crate::opened::OpenFile;
use crate::options::Options;

/// How long to wait before the lock is tried again.
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// How long to wait for a process that keeps the file. It may also be one that ends in a moment.
const MAX_WAIT_FOR_KEEPER: Duration = Duration::from_millis(250);

const ENGINE_PANICKED: &str = "the engine stopped with an internal error";

/// Opens the file at `path`. Creates it if it is missing and `options` allow that.
pub(crate) fn open(path: &Path, options: &Options) -> Result<(OpenFile, Namespace), StoreError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(not_a_store(
                path,
                "it is a folder: name a file in it, such as keyfob.redb",
            ));
        }
        // The engine would initialise an empty file as a new database. A store is never empty: this
        // file either lost its data or never was a store.
        Ok(metadata) if metadata.len() == 0 => {
            return Err(not_a_store(path, "it is empty: delete it if you want a new store there"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound && options.create => {
            format::create(path, options)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(not_a_store(path, "there is no such file: check the path"));
        }
        Err(error) => return Err(cannot_open(path, &error)),
    }
    #[cfg(unix)]
    check_permissions(path)?;
    let file = lock(path, options)?;
    let namespace = check_contents(&file, path, options)?;
    Ok((file, namespace))
}

/// Refuses a file that other users may write to: they could make any token valid.
#[cfg(unix)]
fn check_permissions(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    const WRITE_BY_OTHERS: u32 = 0o022;
    let metadata = fs::metadata(path).map_err(|error| cannot_open(path, &error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & WRITE_BY_OTHERS == 0 {
        return Ok(());
    }
    Err(StoreError::Misconfigured(format!(
        "other users can write to {} (mode {mode:o}), and so make tokens valid: run chmod 600 on it",
        path.display(),
    )))
}

/// Opens the file as soon as no other process keeps it.
fn lock(path: &Path, options: &Options) -> Result<OpenFile, StoreError> {
    let start = Instant::now();
    loop {
        // The engine trusts its own data and may panic on a file that another program changed.
        let opened = panic::catch_unwind(AssertUnwindSafe(|| engine::open(path, options)));
        match opened {
            Ok(Ok(engine)) => {
                let file = OpenFile::new(engine);
                if let Some((_, disk)) = file.writable() {
                    // On a full disk the file opens all the same, and takes revocations.
                    disk.prepare();
                    if !options.is_shared {
                        return Ok(file.kept(keeper::mark(path)));
                    }
                }
                return Ok(file);
            }
            Ok(Err(DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch)) => {
                let is_kept = options.is_shared && keeper::is_marked(path);
                let wait = if is_kept { MAX_WAIT_FOR_KEEPER } else { Duration::MAX };
                let left = options.wait_for_lock.min(wait).saturating_sub(start.elapsed());
                if left.is_zero() {
                    return Err(StoreError::InUse { what: path.display().to_string() });
                }
                std::thread::sleep(left.min(LOCK_RETRY_INTERVAL));
            }
            Ok(Err(error)) => return Err(engine_cannot_open(path, error)),
            Err(_) => return Err(damaged(path, ENGINE_PANICKED)),
        }
    }
}

/// Returns the namespace of the store in `file`, or an error that says what the file holds.
fn check_contents(
    file: &OpenFile,
    path: &Path,
    options: &Options,
) -> Result<Namespace, StoreError> {
    let what = || path.display().to_string();
    let contents = panic::catch_unwind(AssertUnwindSafe(|| format::contents(file)));
    let namespace = match contents {
        Ok(Ok(FileContents::Store(namespace))) => namespace,
        Ok(Ok(FileContents::NewerStore(found))) => {
            return Err(StoreError::NewerFormat { what: what(), found, known: FORMAT });
        }
        Ok(Ok(FileContents::OtherData)) => {
            return Err(not_a_store(
                path,
                "it holds the data of another program: name another file",
            ));
        }
        Ok(Ok(FileContents::IncompleteStore)) => {
            return Err(damaged(path, "its description is incomplete"));
        }
        Ok(Err(error)) => return Err(damaged(path, error.of(path))),
        Err(_) => return Err(damaged(path, ENGINE_PANICKED)),
    };
    match options.lanes {
        Some(lanes) if lanes != namespace.lanes() => Err(StoreError::Misconfigured(format!(
            "{} has {} lanes, not {}. The number of lanes is fixed when a store is created: leave it out",
            what(),
            namespace.lanes().get(),
            lanes.get(),
        ))),
        _ => Ok(namespace),
    }
}
