//! Reads and changes a key ring in a file that only its owner can read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use zeroize::Zeroizing;

use keyfob_seal::KeyProvider;
use keyfob_seal::{KeyError, KeyRing};

use crate::{MAX_RING_BYTES, parse};

/// Reads a key ring from a file. Refuses a file that its group or others can access.
#[derive(Clone, Debug)]
pub struct FileKeys {
    path: PathBuf,
}

/// A change of the ring in a file. It locks the ring: no other change can start meanwhile.
#[derive(Debug)]
pub struct RingChange<'a> {
    keys: &'a FileKeys,
    /// The ring to change.
    pub ring: KeyRing,
    file: File,
    temporary: TemporaryFile,
}

/// A file next to the ring that this process has created. It is the lock of a change.
#[derive(Debug)]
struct TemporaryFile(Option<PathBuf>);

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

    /// Begins a change of the ring. No other change can begin before this one is committed or dropped.
    ///
    /// # Errors
    /// [`KeyError::Unwritable`] while another change is in progress. Otherwise the errors of
    /// [`FileKeys::read`].
    pub fn change(&self) -> Result<RingChange<'_>, KeyError> {
        let path = self.temporary_path();
        let file = open_new(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => self.change_in_progress(&path),
            _ => self.unwritable(&error),
        })?;
        let temporary = TemporaryFile(Some(path));
        // Read after locking: an earlier read could miss a change.
        let ring = self.read()?;
        Ok(RingChange { keys: self, ring, file, temporary })
    }

    fn change_in_progress(&self, temporary: &Path) -> KeyError {
        let detail = format!(
            "another change is in progress. If its process has ended, delete {}",
            temporary.display()
        );
        KeyError::Unwritable { what: self.what(), detail }
    }

    /// Creates the file with a ring, readable only by its owner.
    ///
    /// # Errors
    /// [`KeyError::Unwritable`] if the file exists or cannot be written.
    pub fn create(&self, ring: &KeyRing) -> Result<(), KeyError> {
        let created = open_new(&self.path).and_then(|file| write(file, ring));
        created.and_then(|()| self.sync_folder()).map_err(|error| self.unwritable(&error))
    }

    /// Syncs the folder, so that the file survives a crash like the records that its keys seal.
    fn sync_folder(&self) -> io::Result<()> {
        #[cfg(unix)]
        {
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(())
    }

    fn temporary_path(&self) -> PathBuf {
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

impl RingChange<'_> {
    /// Writes the ring in one step. After a crash the file has the old ring or the new one, never a mix.
    ///
    /// # Errors
    /// [`KeyError::Unwritable`].
    pub fn commit(self) -> Result<(), KeyError> {
        let Self { keys, ring, file, temporary } = self;
        let written = write(file, &ring).and_then(|()| temporary.rename(&keys.path));
        written.and_then(|()| keys.sync_folder()).map_err(|error| keys.unwritable(&error))
    }
}

impl TemporaryFile {
    fn rename(mut self, to: &Path) -> io::Result<()> {
        match &self.0 {
            Some(path) => fs::rename(path, to)?,
            None => return Ok(()),
        }
        // A file with this name now belongs to another change.
        self.0 = None;
        Ok(())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Do not leave keys behind. `drop` cannot report an error.
            let _ = fs::remove_file(path);
        }
    }
}

fn open_new(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(path)
}

fn write(mut file: File, ring: &KeyRing) -> io::Result<()> {
    file.write_all(ring.to_text().as_bytes())?;
    file.sync_all()
}

#[async_trait]
impl KeyProvider for FileKeys {
    async fn ring(&self) -> Result<KeyRing, KeyError> {
        let keys = self.clone();
        let read = tokio::task::spawn_blocking(move || keys.read()).await;
        read.unwrap_or_else(|_| Err(self.unreadable("the read was aborted")))
    }
}
