//! Room on the disk for revocations: a file beside the store, of which the store frees a part when a
//! revocation finds the disk full.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// How many bytes are freed at once.
const STEP: u64 = 256 * 1024;

/// The room beside a store. Only the process that has the store open for writing changes it.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    size: u64,
    state: Mutex<State>,
}

/// How much of the room is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Whole,
    /// Only so many bytes are there.
    Partial(u64),
    /// The file cannot be written. The store then works without the room.
    Impossible(String),
}

impl Reserve {
    /// Returns the room for the store at `path`. It is not there before [`Reserve::fill`].
    pub(crate) fn of(path: &Path, size: u64) -> Self {
        let state = if size == 0 { State::Whole } else { State::Partial(0) };
        Self { path: reserve_path(path), size, state: Mutex::new(state) }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the room aside. Returns the state in which it is then.
    pub(crate) fn fill(&self) -> State {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Partial(_) = *state {
            *state = match self.allocate() {
                Ok(()) => State::Whole,
                Err(error) if is_full(&error) => State::Partial(self.len()),
                Err(error) => State::Impossible(error.to_string()),
            };
        }
        state.clone()
    }

    /// Frees a part of the room. Returns whether there was any.
    pub(crate) fn release(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Impossible(_) = *state {
            return false;
        }
        let len = self.len();
        let rest = len.saturating_sub(STEP);
        let freed = self.open().and_then(|file| file.set_len(rest));
        *state = State::Partial(rest);
        len > 0 && freed.is_ok()
    }

    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.path)
    }

    fn len(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    fn allocate(&self) -> io::Result<()> {
        if self.has_blocks() {
            return Ok(());
        }
        let file = self.open()?;
        let before = file.metadata()?.len();
        let allocated = match fallocate(&file, self.size) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                write_zeros(&file, before, self.size)
            }
            allocated => allocated,
        };
        if allocated.is_err() {
            // Give back what was allocated in part: others need it too.
            file.set_len(before)?;
        }
        allocated
    }

    /// Returns whether the file has its size, in blocks on the disk: a copy may be of holes.
    #[cfg(unix)]
    fn has_blocks(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        const BYTES_PER_BLOCK: u64 = 512;
        fs::metadata(&self.path).is_ok_and(|metadata| {
            self.size <= metadata.len() && self.size <= metadata.blocks() * BYTES_PER_BLOCK
        })
    }

    #[cfg(not(unix))]
    fn has_blocks(&self) -> bool {
        self.size <= self.len()
    }
}

/// Returns the path of the file that sets room aside beside the store at `path`.
pub(crate) fn reserve_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".reserve");
    name.into()
}

/// Returns whether an error says that there is no room, on the disk or in the quota.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Allocates the first `len` bytes of a file.
#[cfg(target_os = "linux")]
fn fallocate(file: &File, len: u64) -> io::Result<()> {
    use rustix::fs::FallocateFlags;
    use rustix::io::Errno;
    loop {
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, len) {
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Err(io::ErrorKind::Unsupported.into()),
            done => return Ok(done?),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn fallocate(_: &File, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn write_zeros(mut file: &File, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; STEP as usize];
    file.seek(SeekFrom::Start(from))?;
    let mut left = to.saturating_sub(from);
    while left > 0 {
        let len = left.min(STEP);
        file.write_all(zeros.get(..len as usize).unwrap_or_default())?;
        left -= len;
    }
    file.sync_data()
}

/// Returns how many bytes are free on the disk that holds `path`; `None` if that is not known.
#[cfg(unix)]
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
pub(crate) fn free_bytes(_: &Path) -> Option<u64> {
    None
}
