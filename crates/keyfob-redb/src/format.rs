//! The fixed part of every store file: its magic bytes, its format version, its namespace and its
//! lanes. A file is created with all of them or not at all.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use keyfob_store::StoreError;
use keyfob_store::{KeyVersion, Lane, LaneCount, Namespace, NamespaceKey};
use redb::{Database, ReadTransaction};

use crate::engine;
use crate::error::{TxError, cannot_open, engine_cannot_open, full, not_a_store, read_only};
use crate::opened::OpenFile;
use crate::options::Options;
use crate::reserve::{Reserve, State};
use crate::row::LaneRow;
use crate::tables::{self, ByteTableMut, ReadByteTable};

/// The version of the tables and rows. This code writes this version and reads no newer one.
///
/// Version 1 differs in that token ids may lack the code of their namespace.
pub(crate) const FORMAT: u32 = 2;

/// The first version in which every token id has the code of its namespace.
const FORMAT_OF_ID_MACS: u32 = 2;

const MAGIC: &[u8] = b"keyfob";
const META_MAGIC: &[u8] = b"magic";
const META_FORMAT: &[u8] = b"format";
const META_LANES: &[u8] = b"lanes";
const META_NAMESPACE_KEY: &[u8] = b"namespace key";
const META_MIN_KEY_VERSION: &[u8] = b"key floor";

/// The contents of a redb file.
pub(crate) enum FileContents {
    /// A store that this code can read.
    Store(Namespace),
    /// A store of this newer format version.
    NewerStore(u32),
    /// A store that lacks parts that every store has.
    IncompleteStore,
    /// Not a store.
    OtherData,
}

/// Creates a store beside `path` and then links it there, so that no incomplete store is ever found
/// at `path`.
pub(crate) fn create(path: &Path, options: &Options) -> Result<(), StoreError> {
    let Some(name) = path.file_name() else {
        let detail = "it does not end with a file name: add one, such as keyfob.redb";
        return Err(not_a_store(path, detail));
    };
    if let Some(folder) = folder_of(path) {
        create_folder(folder).map_err(|error| cannot_open(folder, &error))?;
    }
    let mut tag = [0; 8];
    options.random.fill(&mut tag)?;
    let mut temporary_name = name.to_owned();
    temporary_name.push(format!(".new-{:016x}", u64::from_be_bytes(tag)));
    let temporary = path.with_file_name(temporary_name);
    let created = write_file(&temporary, options)
        .and_then(|()| set_room_aside(path, options))
        .and_then(|()| match fs::hard_link(&temporary, path) {
            // Another process was faster. Its store serves as well.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Ok(()) => sync_folder(path).map_err(|error| cannot_open(path, &error)),
            Err(error) => Err(cannot_open(path, &error)),
        });
    // If this fails, the temporary file stays. It has no use and does no harm.
    let _ = fs::remove_file(&temporary);
    created
}

/// A store without room for revocations would not keep its promise on a full disk.
fn set_room_aside(path: &Path, options: &Options) -> Result<(), StoreError> {
    match Reserve::of(path, options.reserve_bytes).fill() {
        State::Partial(_) => Err(full(path)),
        State::Whole | State::Impossible(_) => Ok(()),
    }
}

fn write_file(path: &Path, options: &Options) -> Result<(), StoreError> {
    let mut file = OpenOptions::new();
    file.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(path).map_err(|error| cannot_open(path, &error))?;
    let lanes = options.lanes.unwrap_or(LaneCount::ONE);
    let namespace = Namespace::new(lanes, NamespaceKey::draw(&*options.random)?);
    let cannot_open = |error| engine_cannot_open(path, error);
    let file = OpenFile::new(engine::for_writing(path, options).map_err(cannot_open)?);
    let Some((database, _)) = file.writable() else { return Err(read_only(path)) };
    write_initial_rows(database, &namespace, options).map_err(|error| error.of(path))?;
    file.close().map_err(cannot_open)
}

fn write_initial_rows(
    database: &Database,
    namespace: &Namespace,
    options: &Options,
) -> Result<(), TxError> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    for definition in tables::BYTE_TABLES {
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
            (META_NAMESPACE_KEY, namespace.key().as_bytes()),
        ] {
            meta.insert(name, value)?;
        }
        let mut rows = transaction.open_table(tables::LANES)?;
        let row = LaneRow::new(options.clock.now()).write();
        for lane in namespace.lanes().lanes() {
            rows.insert(tables::lane_key(lane).as_slice(), row.as_slice())?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Returns the version of the open store of this namespace.
pub(crate) fn version_of(namespace: &Namespace) -> u32 {
    if namespace.requires_id_macs() { FORMAT } else { FORMAT_OF_ID_MACS - 1 }
}

/// Determines what `file` contains.
pub(crate) fn contents(file: &OpenFile) -> Result<FileContents, TxError> {
    let transaction = file.begin_read()?;
    let Ok(meta) = transaction.open_table(tables::META) else { return Ok(FileContents::OtherData) };
    if meta_value(&meta, META_MAGIC)?.as_deref() != Some(MAGIC) {
        return Ok(FileContents::OtherData);
    }
    let format = meta_value(&meta, META_FORMAT)?.and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    match format.map(u32::from_be_bytes) {
        // This code cannot check the tables of a newer format.
        Some(format) if format > FORMAT => Ok(FileContents::NewerStore(format)),
        Some(format @ 1..=FORMAT) => {
            let Some(namespace) = namespace(&transaction, &meta)? else {
                return Ok(FileContents::IncompleteStore);
            };
            Ok(FileContents::Store(match format >= FORMAT_OF_ID_MACS {
                true => namespace.require_id_macs(),
                false => namespace,
            }))
        }
        _ => Ok(FileContents::IncompleteStore),
    }
}

fn namespace(
    transaction: &ReadTransaction,
    meta: &impl ReadByteTable,
) -> Result<Option<Namespace>, TxError> {
    for definition in tables::BYTE_TABLES {
        transaction.open_table(definition)?;
    }
    transaction.open_table(tables::INDEX)?;
    transaction.open_table(tables::FORGET)?;
    let lanes = meta_value(meta, META_LANES)?.and_then(|bytes| <[u8; 2]>::try_from(bytes).ok());
    let lanes = lanes.and_then(|lanes| LaneCount::new(u16::from_be_bytes(lanes)).ok());
    let key =
        meta_value(meta, META_NAMESPACE_KEY)?.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let (Some(lanes), Some(key)) = (lanes, key) else { return Ok(None) };
    let rows = transaction.open_table(tables::LANES)?;
    let last = Lane::new(lanes.get().saturating_sub(1));
    let last = rows.get(tables::lane_key(last).as_slice())?;
    Ok(last.map(|_| Namespace::new(lanes, NamespaceKey::from_bytes(key))))
}

/// Returns the lowest key version that writes may use. A store in which no key was retired has no row
/// for it.
pub(crate) fn min_key_version(meta: &impl ReadByteTable) -> Result<KeyVersion, TxError> {
    let damaged = || StoreError::Corrupt {
        what: "the minimum key version".to_owned(),
        detail: "it is not a number: restore the file from a backup".to_owned(),
    };
    let Some(bytes) = meta_value(meta, META_MIN_KEY_VERSION)? else {
        return Ok(KeyVersion::PLAINTEXT);
    };
    let bytes = <[u8; 2]>::try_from(bytes).map_err(|_| damaged())?;
    Ok(KeyVersion::new(u16::from_be_bytes(bytes)))
}

pub(crate) fn write_min_key_version(
    meta: &mut ByteTableMut<'_>,
    minimum: KeyVersion,
) -> Result<(), TxError> {
    meta.insert(META_MIN_KEY_VERSION, minimum.value().to_be_bytes().as_slice())?;
    Ok(())
}

fn meta_value(meta: &impl ReadByteTable, name: &[u8]) -> Result<Option<Vec<u8>>, TxError> {
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

/// Syncs the folder of `path`, so that the name of a new file is as durable as its contents.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = folder_of(path).map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}
