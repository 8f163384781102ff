//! A ring from a file that only its owner can read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use zeroize::Zeroizing;

use keyfob::KeyProvider;
use keyfob::seal::{KeyError, KeyRing};

use crate::{MOST, parse};

/// A ring from a file. One that anybody but its owner can read or write is refused.
#[derive(Clone, Debug)]
pub struct FileKeys {
    path: PathBuf,
}

/// Any permission of the group or of others.
#[cfg(unix)]
const OF_OTHERS: u32 = 0o077;

impl FileKeys {
    /// Reads, and writes, the file at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the ring.
    ///
    /// # Errors
    /// [`KeyError::Exposed`], [`KeyError::Unreadable`], or what is wrong with the ring.
    pub fn read(&self) -> Result<KeyRing, KeyError> {
        let unreadable = |error: io::Error| self.unreadable(&error.to_string());
        let file = File::open(&self.path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(self.unreadable("it is not a file"));
        }
        // What was opened is what is looked at: there is no moment to swap it in between.
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
            if mode & OF_OTHERS != 0 {
                return Err(KeyError::Exposed { what: self.what(), mode });
            }
        }
        // All the room at once: growing would leave copies behind that are not wiped.
        let room = metadata.len().min(MOST) as usize + 1;
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        file.take(MOST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        parse(&self.what(), bytes)
    }

    /// Writes a ring to the file, for its owner only; the file is the old one or the new one, never
    /// half of either.
    ///
    /// # Errors
    /// [`KeyError::Unwritable`].
    pub fn write(&self, ring: &KeyRing) -> Result<(), KeyError> {
        let beside = self.beside();
        let written = write_new(&beside, ring).and_then(|()| fs::rename(&beside, &self.path));
        if written.is_err() {
            // Keys must not lie about; if even this fails there is nothing left to try.
            let _ = fs::remove_file(&beside);
        }
        written.map_err(|error| self.unwritable(&error))
    }

    /// As [`FileKeys::write`], where there must be no file yet.
    ///
    /// # Errors
    /// [`KeyError::Unwritable`], also when there is a file.
    pub fn create(&self, ring: &KeyRing) -> Result<(), KeyError> {
        write_new(&self.path, ring).map_err(|error| self.unwritable(&error))
    }

    fn beside(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        self.path.with_file_name(name)
    }

    fn what(&self) -> String {
        self.path.display().to_string()
    }

    fn unreadable(&self, detail: &str) -> KeyError {
        KeyError::Unreadable { what: self.what(), detail: detail.to_owned() }
    }

    fn unwritable(&self, error: &io::Error) -> KeyError {
        KeyError::Unwritable { what: self.what(), detail: error.to_string() }
    }
}

fn write_new(path: &Path, ring: &KeyRing) -> io::Result<()> {
    let mut file = OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    let mut file = file.open(path)?;
    file.write_all(ring.to_text().as_bytes())?;
    file.sync_all()
}

#[async_trait]
impl KeyProvider for FileKeys {
    async fn ring(&self) -> Result<KeyRing, KeyError> {
        let keys = self.clone();
        let read = tokio::task::spawn_blocking(move || keys.read()).await;
        read.unwrap_or_else(|_| Err(self.unreadable("it was not read to the end")))
    }
}
