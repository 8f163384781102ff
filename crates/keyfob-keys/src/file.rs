//! Reads and changes a key ring in a file that only its owner can read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use zeroize::Zeroizing;

use keyfob_seal::KeyProvider;
use keyfob_seal::{KeyError, KeyRing};

use crate::target::{self, create_new, sync_folder, write};
use crate::{MAX_RING_BYTES, parse};

/// Reads a key ring from a file. Refuses a file that its group or others can access.
#[derive(Clone, Debug)]
pub struct FileKeys {
    path: PathBuf,
}

/// The permission bits of the group and of others.
#[cfg(unix)]
const GROUP_AND_OTHERS: u32 = 0o077;

impl FileKeys {
    /// Creates a provider that reads and writes the file at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the ring.
    ///
    /// # Errors
    /// [`KeyError::Exposed`], [`KeyError::Unreadable`], or the error of an invalid ring.
    pub fn read(&self) -> Result<KeyRing, KeyError> {
        let unreadable = |error: io::Error| self.unreadable(&error.to_string());
        let file = File::open(&self.path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(self.unreadable("it is not a file"));
        }
        // Check the open file, not the path, so that the file cannot be swapped after the check.
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
            if mode & GROUP_AND_OTHERS != 0 {
                return Err(KeyError::Exposed { what: self.what(), mode });
            }
        }
        // Allocate the full capacity now: growing would leave copies that are not wiped.
        let capacity = metadata.len().min(MAX_RING_BYTES) as usize + 1;
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        file.take(MAX_RING_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        parse(&self.what(), bytes)
    }

    /// Creates the file with a ring, readable only by its owner. A symbolic link that names no file yet is
    /// followed.
    ///
    /// # Errors
    /// [`KeyError::Unwritable`] if the file exists or cannot be written.
    pub fn create(&self, ring: &KeyRing) -> Result<(), KeyError> {
        let target = self.target()?;
        let file = create_new(&target).map_err(|error| self.unwritable(&target, &error))?;
        let created = write(file, ring).and_then(|()| sync_folder(&target));
        created.map_err(|error| {
            // A part of a ring must not stay. The first error is the one to report.
            let _ = fs::remove_file(&target);
            self.unwritable(&target, &error)
        })
    }

    /// Returns the file that the path names, through symbolic links.
    pub(crate) fn target(&self) -> Result<PathBuf, KeyError> {
        target::follow_links(&self.path).map_err(|error| self.unreadable(&error.to_string()))
    }

    fn what(&self) -> String {
        self.path.display().to_string()
    }

    fn unreadable(&self, detail: &str) -> KeyError {
        KeyError::Unreadable { what: self.what(), detail: detail.to_owned() }
    }

    pub(crate) fn unwritable(&self, target: &Path, error: &io::Error) -> KeyError {
        self.refused(target::explain(target, error))
    }

    /// Returns the error of a ring that is not written, with this detail.
    pub(crate) fn refused(&self, detail: String) -> KeyError {
        KeyError::Unwritable { what: self.what(), detail }
    }
}

#[async_trait]
impl KeyProvider for FileKeys {
    async fn ring(&self) -> Result<KeyRing, KeyError> {
        let keys = self.clone();
        let read = tokio::task::spawn_blocking(move || keys.read()).await;
        read.unwrap_or_else(|_| Err(self.unreadable("the read was aborted")))
    }
}
