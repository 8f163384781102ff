//! How a store is opened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keyfob_store::{Clock, LaneCount, OsRandom, Random, StoreError, SystemClock};

use crate::RedbStore;

/// How a [`RedbStore`] is opened, and created where there is none yet.
///
/// ```
/// use std::time::Duration;
///
/// use keyfob_redb::Options;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("keyfob.redb");
/// let store = Options::new().wait_for_lock(Duration::ZERO).open(&path)?;
/// # drop(store);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a store is opened with them"]
pub struct Options {
    pub(crate) lanes: Option<LaneCount>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) create: bool,
    pub(crate) wait_for_lock: Duration,
    pub(crate) cache_bytes: usize,
}

impl Options {
    /// How long an open waits for another process to let go of the file, unless it is told
    /// otherwise: long enough for a command that opens the store for a moment.
    pub const WAIT_FOR_LOCK: Duration = Duration::from_secs(2);

    /// How much of the file is kept in memory, unless it is told otherwise.
    pub const CACHE_BYTES: usize = 64 * 1024 * 1024;

    /// The system's clock and randomness, one lane, and a file that is made when it is missing.
    pub fn new() -> Self {
        Self {
            lanes: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            create: true,
            wait_for_lock: Self::WAIT_FOR_LOCK,
            cache_bytes: Self::CACHE_BYTES,
        }
    }

    /// How many lanes a new store gets. A store that is there already must have as many.
    pub fn lanes(mut self, lanes: LaneCount) -> Self {
        self.lanes = Some(lanes);
        self
    }

    /// The clock to go by.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where the namespace key of a new store is drawn from.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Whether to make the file, and the folders above it, when it is missing.
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// How long to wait for another process to let go of the file.
    pub fn wait_for_lock(mut self, wait: Duration) -> Self {
        self.wait_for_lock = wait;
        self
    }

    /// How much of the file to keep in memory.
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Opens the store at `path`. It blocks: for milliseconds, or for as long as it waits for
    /// another process.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process, or another handle of this one, has it open;
    /// [`StoreError::NotAStore`] when something else is there; [`StoreError::NewerFormat`] when a
    /// newer keyfob wrote it; [`StoreError::Misconfigured`] when it has another number of lanes;
    /// [`StoreError::Unavailable`] when the system refuses.
    pub fn open(self, path: impl AsRef<Path>) -> Result<RedbStore, StoreError> {
        RedbStore::open_with(path.as_ref(), self)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
