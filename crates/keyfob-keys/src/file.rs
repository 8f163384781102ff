//! A ring from a file that only its owner can read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use zeroize::Zeroizing;

use keyfob_seal::KeyProvider;
use keyfob_seal::{KeyError, KeyRing};

use crate::{MOST, parse};

/// A ring from a file. One that anybody but its owner can read or write is refused.
#[derive(Clone, Debug)]
pub struct FileKeys {
    path: PathBuf,
}

/// A change of the ring in a file, which nobody else can change meanwhile.
#[derive(Debug)]
pub struct RingChange<'a> {
    keys: &'a FileKeys,
    /// The ring, to be changed.
    pub ring: KeyRing,
    file: File,
    beside: Beside,
}

/// A file beside the ring, made by this process, which stands for a change.
#[derive(Debug)]
struct Beside(Option<PathBuf>);

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

    /// Begins a change of the ring: nobody else can change it before this one is written, or dropped.
    ///
    /// # Errors
    /// [`KeyError::Unwritable`] while another change is under way; as [`FileKeys::read`].
    pub fn change(&self) -> Result<RingChange<'_>, KeyError> {
        let beside = self.beside();
        let file = open_new(&beside).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => self.under_way(&beside),
            _ => self.unwritable(&error),
        })?;
        let beside = Beside(Some(beside));
        // Only now: what was read before could be changed by another meanwhile.
        let ring = self.read()?;
        Ok(RingChange { keys: self, ring, file, beside })
    }

    fn under_way(&self, beside: &Path) -> KeyError {
        let detail = format!(
            "another change of it is under way; if the process that made it is gone, delete {}",
            beside.display()
        );
        KeyError::Unwritable { what: self.what(), detail }
    }

    /// Writes a ring to the file, for its owner only, where there must be no file yet.
    ///
    /// # Errors
    /// [`KeyError::Unwritable`], also when there is a file.
    pub fn create(&self, ring: &KeyRing) -> Result<(), KeyError> {
        let created = open_new(&self.path).and_then(|file| write(file, ring));
        created.and_then(|()| self.sync_folder()).map_err(|error| self.unwritable(&error))
    }

    /// Has the folder remember the name of the file, as the store remembers the keys.
    fn sync_folder(&self) -> io::Result<()> {
        #[cfg(unix)]
        {
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(())
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

impl RingChange<'_> {
    /// Writes the ring as it is now: the file is the old one or the new one, never half of either.
    ///
    /// # Errors
    /// [`KeyError::Unwritable`].
    pub fn commit(self) -> Result<(), KeyError> {
        let Self { keys, ring, file, beside } = self;
        let written = write(file, &ring).and_then(|()| beside.rename(&keys.path));
        written.and_then(|()| keys.sync_folder()).map_err(|error| keys.unwritable(&error))
    }
}

impl Beside {
    fn rename(mut self, to: &Path) -> io::Result<()> {
        match &self.0 {
            Some(path) => fs::rename(path, to)?,
            None => return Ok(()),
        }
        // From here on, what has its name is somebody else's.
        self.0 = None;
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Keys must not lie about; if even this fails there is nothing left to try.
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
        read.unwrap_or_else(|_| Err(self.unreadable("it was not read to the end")))
    }
}
