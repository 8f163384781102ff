//! The options for opening a store.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
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
    pub(crate) access: Access,
    pub(crate) is_shared: bool,
    pub(crate) reserve_bytes: u64,
    /// Whether the disk was found full. Each store has its own.
    pub(crate) is_full: Arc<AtomicBool>,
}

/// The rights that a file is opened with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Access {
    /// Reading and writing. The default.
    #[default]
    Write,
    /// Reading and writing, or reading alone if the operating system does not allow writing: the file
    /// belongs to another user, or lies on a read-only file system. Writes then get
    /// [`StoreError::ReadOnly`](keyfob_store::StoreError::ReadOnly).
    WriteIfAllowed,
    /// Reading alone. Several processes can read one file at the same time, while none writes.
    /// A file that a crash has left in need of repair is repaired in memory.
    Read,
}

impl Options {
    /// The default of [`Options::wait_for_lock`]. It is long enough for a command that opens the store
    /// for a moment.
    pub const WAIT_FOR_LOCK: Duration = Duration::from_secs(2);

    /// The default of [`Options::cache_bytes`]: 64 MiB.
    pub const CACHE_BYTES: usize = 64 * 1024 * 1024;

    /// The default of [`Options::reserve_bytes`]: 4 MiB.
    pub const RESERVE_BYTES: u64 = 4 * 1024 * 1024;

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
            access: Access::default(),
            is_shared: false,
            reserve_bytes: Self::RESERVE_BYTES,
            is_full: Arc::default(),
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

    /// Sets how long an open waits for another process to close the file. A [shared](Options::shared) store
    /// waits for at most a quarter of a second if the file belongs to a store that is not shared, such as
    /// that of a service: it is not likely to be closed.
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

    /// Sets the rights that the file is opened with. Default: [`Access::Write`].
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Sets whether other processes may use the file between the commands of this store. The store then
    /// closes the file every tenth of a second, and opens it again for its next command. Use it for a
    /// process that stays and must not keep others from revoking.
    ///
    /// Another process may revoke at any time, so no cache trusts such a store: each validation reads
    /// the file. A command waits up to [`Options::wait_for_lock`] while another process has the file, and
    /// for a moment if that process keeps it.
    ///
    /// Default: `false`. The file stays open, and caches do not have to ask the store.
    pub fn shared(mut self, shared: bool) -> Self {
        self.is_shared = shared;
        self
    }

    /// Sets how many bytes of the disk are set aside for revocations, in a file beside the store whose name
    /// ends with `.reserve`. When the disk is full, everything else is refused with
    /// [`StoreError::Full`](keyfob_store::StoreError::Full), and revocations use this room. 1 MiB is enough
    /// for some thousand revocations. 0 sets nothing aside.
    ///
    /// Default: [`Options::RESERVE_BYTES`].
    pub fn reserve_bytes(mut self, bytes: u64) -> Self {
        self.reserve_bytes = bytes;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
