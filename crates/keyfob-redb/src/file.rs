//! The file of a store: made whole or not at all, recognised before anything is believed of it.

use std::fs::{self, OpenOptions};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keyfob::store::StoreError;
use keyfob::{Lane, LaneCount, Namespace, NamespaceKey};
use redb::{Database, DatabaseError, ReadableDatabase, StorageError, TableHandle};

use crate::fault::Fault;
use crate::options::Options;
use crate::row::LaneRow;
use crate::tables::{self, Readable};

/// The version of the tables and their rows that this code writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;

const MAGIC: &[u8] = b"keyfob";
const META_MAGIC: &[u8] = b"magic";
const META_FORMAT: &[u8] = b"format";
const META_LANES: &[u8] = b"lanes";
const META_KEY: &[u8] = b"namespace key";

/// How long to wait before trying the lock again.
const RETRY: Duration = Duration::from_millis(10);

/// Opens the file at `path`; makes it if it is missing and may be made.
pub(crate) fn open(path: &Path, options: &Options) -> Result<(Database, Namespace), StoreError> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            return Err(not_a_store(
                path,
                "it is a folder: name a file in it, such as keyfob.redb",
            ));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound && options.create => {
            create(path, options)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let advice = "there is no such file: check the path, or let it be created";
            return Err(not_a_store(path, advice));
        }
        Err(error) => return Err(refused(path, &error)),
    }
    let database = lock(path, options)?;
    let namespace = recognise(&database, path, options)?;
    Ok((database, namespace))
}

/// Opens the engine's file once nobody else has it.
pub(crate) fn lock(path: &Path, options: &Options) -> Result<Database, StoreError> {
    let start = Instant::now();
    loop {
        match engine(path, options.cache_bytes)? {
            Err(DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch) => {
                let left = options.wait_for_lock.saturating_sub(start.elapsed());
                if left.is_zero() {
                    return Err(StoreError::InUse { what: path.display().to_string() });
                }
                std::thread::sleep(left.min(RETRY));
            }
            Ok(database) => return Ok(database),
            Err(error) => return Err(unreadable(path, error)),
        }
    }
}

fn engine(path: &Path, cache_bytes: usize) -> Result<Result<Database, DatabaseError>, StoreError> {
    // The engine trusts what it once wrote: on a file that something else wrote into, it may panic.
    panic::catch_unwind(AssertUnwindSafe(|| {
        Database::builder().set_cache_size(cache_bytes).create(path)
    }))
    .map_err(|_| not_a_store(path, "it is damaged: restore it from a backup"))
}

/// Makes a store beside `path` and then moves it there, so that no half-made one is ever found.
fn create(path: &Path, options: &Options) -> Result<(), StoreError> {
    if let Some(folder) = folder_of(path) {
        create_folder(folder).map_err(|error| refused(folder, &error))?;
    }
    let mut tag = [0; 8];
    options.random.fill(&mut tag)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let Some(name) = name else {
        return Err(not_a_store(path, "it names no file: end it with one, such as keyfob.redb"));
    };
    let new = path.with_file_name(format!(".{name}.new-{:016x}", u64::from_be_bytes(tag)));
    let made = make(&new, options).and_then(|()| match fs::hard_link(&new, path) {
        // Another process was first, and its store is as good.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Ok(()) => sync_folder(path).map_err(|error| refused(path, &error)),
        Err(error) => Err(refused(path, &error)),
    });
    let _ = fs::remove_file(&new);
    made
}

fn make(path: &Path, options: &Options) -> Result<(), StoreError> {
    let mut file = OpenOptions::new();
    file.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(path).map_err(|error| refused(path, &error))?;
    let database = lock(path, options)?;
    found(&database, options)?;
    database.close().map_err(|error| unreadable(path, error))
}

/// Lays down what every store has. An engine's file without a table is taken for one that was
/// begun: there is nothing in it to lose.
fn found(database: &Database, options: &Options) -> Result<Namespace, StoreError> {
    let lanes = options.lanes.unwrap_or(LaneCount::ONE);
    let namespace = Namespace::new(lanes, NamespaceKey::draw(&*options.random)?);
    write_foundation(database, &namespace, options).map_err(StoreError::from)?;
    Ok(namespace)
}

fn write_foundation(
    database: &Database,
    namespace: &Namespace,
    options: &Options,
) -> Result<(), Fault> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    for definition in tables::ALL {
        transaction.open_table(definition)?;
    }
    {
        let mut meta = transaction.open_table(tables::META)?;
        let lanes = namespace.lanes().get().to_be_bytes();
        for (name, value) in [
            (META_MAGIC, MAGIC),
            (META_FORMAT, &FORMAT.to_be_bytes()),
            (META_LANES, &lanes),
            (META_KEY, namespace.key().as_bytes()),
        ] {
            meta.insert(name, value)?;
        }
        let mut rows = transaction.open_table(tables::LANES)?;
        let row = LaneRow::born(options.clock.now()).write();
        for lane in namespace.lanes().lanes() {
            rows.insert(tables::lane_key(lane).as_slice(), row.as_slice())?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// What a file holds, as far as it concerns us.
enum Holds {
    Nothing,
    Something,
    Store { format: u32, namespace: Option<Namespace> },
}

/// The namespace of the store in a file.
fn recognise(database: &Database, path: &Path, options: &Options) -> Result<Namespace, StoreError> {
    let what = || path.display().to_string();
    let looked = panic::catch_unwind(AssertUnwindSafe(|| look(database)));
    let damaged = |detail: &str| {
        not_a_store(path, &format!("it is damaged ({detail}): restore it from a backup"))
    };
    let holds = match looked {
        Ok(holds) => holds.map_err(|fault| damaged(&StoreError::from(fault).to_string()))?,
        Err(_) => return Err(damaged("it cannot be read")),
    };
    let namespace = match holds {
        Holds::Nothing => found(database, options)?,
        Holds::Something => {
            return Err(not_a_store(
                path,
                "it holds the data of another program: name another file",
            ));
        }
        Holds::Store { format, .. } if format > FORMAT => {
            return Err(StoreError::NewerFormat { what: what(), found: format, known: FORMAT });
        }
        Holds::Store { namespace: Some(namespace), .. } => namespace,
        Holds::Store { namespace: None, .. } => {
            return Err(damaged("its description is incomplete"));
        }
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

fn look(database: &Database) -> Result<Holds, Fault> {
    let transaction = database.begin_read()?;
    let mut names = transaction.list_tables()?.map(|table| table.name().to_owned()).peekable();
    if names.peek().is_none() && transaction.list_multimap_tables()?.next().is_none() {
        return Ok(Holds::Nothing);
    }
    let Ok(meta) = transaction.open_table(tables::META) else { return Ok(Holds::Something) };
    let format = fact(&meta, META_FORMAT)?.and_then(|bytes| Some(*bytes.first_chunk::<4>()?));
    match (fact(&meta, META_MAGIC)?, format) {
        (Some(magic), Some(format)) if magic == MAGIC => {
            let format = u32::from_be_bytes(format);
            // What a newer format holds is not for this code to judge.
            let namespace = if format > FORMAT { None } else { namespace(&transaction, &meta)? };
            Ok(Holds::Store { format, namespace })
        }
        _ => Ok(Holds::Something),
    }
}

fn namespace(
    transaction: &redb::ReadTransaction,
    meta: &impl Readable,
) -> Result<Option<Namespace>, Fault> {
    for definition in tables::ALL {
        transaction.open_table(definition)?;
    }
    let lanes = fact(meta, META_LANES)?.and_then(|bytes| <[u8; 2]>::try_from(bytes).ok());
    let lanes = lanes.and_then(|lanes| LaneCount::new(u16::from_be_bytes(lanes)).ok());
    let key = fact(meta, META_KEY)?.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let rows = transaction.open_table(tables::LANES)?;
    let (Some(lanes), Some(key)) = (lanes, key) else { return Ok(None) };
    let last = Lane::new(lanes.get() - 1);
    if redb::ReadableTable::get(&rows, tables::lane_key(last).as_slice())?.is_none() {
        return Ok(None);
    }
    Ok(Some(Namespace::new(lanes, NamespaceKey::from_bytes(key))))
}

fn fact(meta: &impl Readable, name: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    Ok(meta.get(name)?.map(|value| value.value().to_vec()))
}

fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes the name of a new file as durable as its contents.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = folder_of(path).map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn not_a_store(path: &Path, detail: &str) -> StoreError {
    StoreError::NotAStore { what: path.display().to_string(), detail: detail.to_owned() }
}

fn refused(path: &Path, error: &io::Error) -> StoreError {
    StoreError::unavailable(format_args!(
        "{} cannot be opened ({error}): check the path and its permissions",
        path.display(),
    ))
}

/// What the engine's refusal to open a file means.
fn unreadable(path: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::Storage(StorageError::Io(error)) => match error.kind() {
            io::ErrorKind::InvalidData => {
                not_a_store(path, "another program wrote it: name another file")
            }
            // The engine reads beyond the end of a file that was cut short.
            io::ErrorKind::UnexpectedEof => {
                not_a_store(path, "it was cut short: restore it from a backup")
            }
            _ => refused(path, &error),
        },
        DatabaseError::UpgradeRequired(_) => {
            not_a_store(path, "it has a file format older than keyfob: name another file")
        }
        error => not_a_store(path, &format!("it is damaged ({error}): restore it from a backup")),
    }
}
