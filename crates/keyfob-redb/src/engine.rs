//! Opens the engine over a file: for writing, for reading, or over a copy in memory of what needs repair.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError};

use crate::disk::{Disk, DiskFile};
use crate::opened::Engine;
use crate::options::{Access, Options};
use crate::overlay::Overlay;
use crate::reserve::Reserve;

/// Opens the engine with the rights that `options` name.
pub(crate) fn open(path: &Path, options: &Options) -> Result<Engine, DatabaseError> {
    match options.access {
        Access::Write => for_writing(path, options),
        Access::WriteIfAllowed => match for_writing(path, options) {
            Err(error) if is_write_refused(&error) => for_reading(path, options),
            opened => opened,
        },
        Access::Read => for_reading(path, options),
    }
}

/// Returns whether the operating system allows no writing.
fn is_write_refused(error: &DatabaseError) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match error {
        DatabaseError::Storage(redb::StorageError::Io(error)) => {
            matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
        }
        _ => false,
    }
}

fn builder(options: &Options) -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(options.cache_bytes);
    builder
}

fn for_reading(path: &Path, options: &Options) -> Result<Engine, DatabaseError> {
    match builder(options).open_read_only(path) {
        Ok(database) => Ok(Engine::Read(database)),
        Err(DatabaseError::RepairAborted) => {
            let overlay = Overlay::new(FileBackend::new(fs::File::open(path).map_err(io_error)?)?);
            let overlay = overlay.map_err(io_error)?;
            builder(options).create_with_backend(overlay).map(Engine::Repaired)
        }
        Err(error) => Err(error),
    }
}

fn io_error(error: io::Error) -> DatabaseError {
    DatabaseError::Storage(redb::StorageError::Io(error))
}

/// Opens the engine over an existing file for writing, or over a new empty one.
pub(crate) fn for_writing(path: &Path, options: &Options) -> Result<Engine, DatabaseError> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(io_error)?;
    let reserve = Reserve::of(path, options.reserve_bytes);
    let disk = Arc::new(Disk::new(path, reserve, Arc::clone(&options.is_full)));
    let backend = DiskFile::new(FileBackend::new(file)?, Arc::clone(&disk));
    let database = builder(options).create_with_backend(backend)?;
    Ok(Engine::Write(database, disk))
}
