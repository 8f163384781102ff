//! The options for opening a store.

use std::sync::Arc;
use std::time::Duration;

use keyfob_store::{Clock, LaneCount, OsRandom, Random, SystemClock};

/// The options for opening a [`RedbStore`](crate::RedbStore), and for creating it if the file is missing.
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
    /// The default of [`Options::wait_for_lock`]. It is long enough for a command that opens the store
    /// for a moment.
    pub const WAIT_FOR_LOCK: Duration = Duration::from_secs(2);

    /// The default of [`Options::cache_bytes`]: 64 MiB.
    pub const CACHE_BYTES: usize = 64 * 1024 * 1024;

    /// Returns the defaults: the system's clock and randomness, one lane for a new store, and a
    /// missing file is created.
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

    /// Sets the number of lanes of a new store. An existing store must have the same number.
    ///
    /// Default: one lane for a new store, any number for an existing one.
    pub fn lanes(mut self, lanes: LaneCount) -> Self {
        self.lanes = Some(lanes);
        self
    }

    /// Sets the clock. Default: the system's clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the source of randomness for the namespace key of a new store.
    ///
    /// Default: the operating system.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Sets whether a missing file is created, together with its folders. Default: `true`.
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Sets how long an open waits for another process to close the file.
    ///
    /// Default: [`Options::WAIT_FOR_LOCK`].
    pub fn wait_for_lock(mut self, wait: Duration) -> Self {
        self.wait_for_lock = wait;
        self
    }

    /// Sets how many bytes of the file are cached in memory.
    ///
    /// Default: [`Options::CACHE_BYTES`].
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
