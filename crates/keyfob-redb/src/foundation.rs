//! What every store begins with: its mark, its format, its namespace, its lanes. It is laid down
//! once, whole or not at all.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use keyfob_store::{KeyVersion, Lane, LaneCount, Namespace, NamespaceKey, StoreError};
use redb::{Database, ReadTransaction, ReadableDatabase};

use crate::fault::Fault;
use crate::file::{refused, unreadable};
use crate::options::Options;
use crate::row::LaneRow;
use crate::tables::{self, Readable, Rows};

/// The version of the tables and their rows that this code writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;

const MAGIC: &[u8] = b"keyfob";
const META_MAGIC: &[u8] = b"magic";
const META_FORMAT: &[u8] = b"format";
const META_LANES: &[u8] = b"lanes";
const META_KEY: &[u8] = b"namespace key";
const META_FLOOR: &[u8] = b"key floor";

/// What a file of the engine holds.
pub(crate) enum Holds {
    /// A store that this code reads.
    Store(Namespace),
    /// A store of a newer format.
    Newer(u32),
    /// A store without the parts that every store has.
    Ruins,
    /// No store.
    SomethingElse,
}

/// Makes a store beside `path` and then moves it there, so that no half-made one is ever found.
pub(crate) fn create(path: &Path, options: &Options) -> Result<(), StoreError> {
    let Some(name) = path.file_name() else {
        let what = path.display().to_string();
        let detail = "it names no file: end it with one, such as keyfob.redb".to_owned();
        return Err(StoreError::NotAStore { what, detail });
    };
    if let Some(folder) = folder_of(path) {
        create_folder(folder).map_err(|error| refused(folder, &error))?;
    }
    let mut tag = [0; 8];
    options.random.fill(&mut tag)?;
    let mut beside = name.to_owned();
    beside.push(format!(".new-{:016x}", u64::from_be_bytes(tag)));
    let new = path.with_file_name(beside);
    let made = make(&new, options).and_then(|()| match fs::hard_link(&new, path) {
        // Another process was first, and its store is as good.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Ok(()) => sync_folder(path).map_err(|error| refused(path, &error)),
        Err(error) => Err(refused(path, &error)),
    });
    // What is left of a failed attempt is of no use, and in nobody's way if it stays.
    let _ = fs::remove_file(&new);
    made
}

fn make(path: &Path, options: &Options) -> Result<(), StoreError> {
    let mut file = OpenOptions::new();
    file.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(path).map_err(|error| refused(path, &error))?;
    let lanes = options.lanes.unwrap_or(LaneCount::ONE);
    let namespace = Namespace::new(lanes, NamespaceKey::draw(&*options.random)?);
    let database = Database::create(path).map_err(|error| unreadable(path, error))?;
    lay(&database, &namespace, options)?;
    database.close().map_err(|error| unreadable(path, error))
}

fn lay(database: &Database, namespace: &Namespace, options: &Options) -> Result<(), Fault> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    for definition in tables::OF_BYTES {
        transaction.open_table(definition)?;
    }
    transaction.open_table(tables::INDEX)?;
    transaction.open_table(tables::FORGET)?;
    transaction.open_table(tables::COUNTS)?;
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

/// Looks at what a file of the engine holds.
pub(crate) fn look(database: &Database) -> Result<Holds, Fault> {
    let transaction = database.begin_read()?;
    let Ok(meta) = transaction.open_table(tables::META) else { return Ok(Holds::SomethingElse) };
    if fact(&meta, META_MAGIC)?.as_deref() != Some(MAGIC) {
        return Ok(Holds::SomethingElse);
    }
    let format = fact(&meta, META_FORMAT)?.and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    match format.map(u32::from_be_bytes) {
        // What a newer format holds is not for this code to judge.
        Some(format) if format > FORMAT => Ok(Holds::Newer(format)),
        Some(FORMAT) => Ok(namespace(&transaction, &meta)?.map_or(Holds::Ruins, Holds::Store)),
        _ => Ok(Holds::Ruins),
    }
}

fn namespace(
    transaction: &ReadTransaction,
    meta: &impl Readable,
) -> Result<Option<Namespace>, Fault> {
    for definition in tables::OF_BYTES {
        transaction.open_table(definition)?;
    }
    transaction.open_table(tables::INDEX)?;
    transaction.open_table(tables::FORGET)?;
    let lanes = fact(meta, META_LANES)?.and_then(|bytes| <[u8; 2]>::try_from(bytes).ok());
    let lanes = lanes.and_then(|lanes| LaneCount::new(u16::from_be_bytes(lanes)).ok());
    let key = fact(meta, META_KEY)?.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let (Some(lanes), Some(key)) = (lanes, key) else { return Ok(None) };
    let rows = transaction.open_table(tables::LANES)?;
    let last = Lane::new(lanes.get().saturating_sub(1));
    let last = rows.get(tables::lane_key(last).as_slice())?;
    Ok(last.map(|_| Namespace::new(lanes, NamespaceKey::from_bytes(key))))
}

/// The lowest key that writes may lie under. A store in which none was retired has no row for it.
pub(crate) fn min_key_version(meta: &impl Readable) -> Result<KeyVersion, Fault> {
    let damaged = || StoreError::Corrupt {
        what: "the floor of keys".to_owned(),
        detail: "it is no number: restore the file from a backup".to_owned(),
    };
    let Some(bytes) = fact(meta, META_FLOOR)? else { return Ok(KeyVersion::PLAINTEXT) };
    let bytes = <[u8; 2]>::try_from(bytes).map_err(|_| damaged())?;
    Ok(KeyVersion::new(u16::from_be_bytes(bytes)))
}

pub(crate) fn write_key_floor(meta: &mut Rows<'_>, floor: KeyVersion) -> Result<(), Fault> {
    meta.insert(META_FLOOR, floor.value().to_be_bytes().as_slice())?;
    Ok(())
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
