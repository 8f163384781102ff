//! Large stores that are filled once for all groups: a Redis and a file.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use keyfob::{Issued, Store, TokenManager};
use keyfob_redb::RedbStore;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::population;
use crate::report::progress;
use crate::server::Server;

/// One of this number of issued tokens is kept for later use.
const IN_HAND: u64 = 2_000;

/// A store that is filled step by step.
#[derive(Debug)]
pub(crate) struct Filled {
    pub(crate) manager: TokenManager,
    /// Tokens of all ages.
    pub(crate) in_hand: Vec<Issued>,
    /// The number of issued tokens.
    pub(crate) tokens: u64,
    name: &'static str,
    concurrency: usize,
}

/// A Redis, and the bytes that it used when it was empty.
#[derive(Debug)]
pub(crate) struct OnRedis {
    pub(crate) server: Server,
    pub(crate) filled: Filled,
    pub(crate) empty: f64,
}

/// A file.
#[derive(Debug)]
pub(crate) struct OnDisk {
    pub(crate) filled: Filled,
    pub(crate) path: PathBuf,
    _folder: TempDir,
}

/// The stores of a run, created at first use.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    redis: Option<OnRedis>,
    disk: Option<OnDisk>,
}

impl Fleet {
    pub(crate) fn redis(&mut self, runtime: &Runtime) -> Result<&mut OnRedis> {
        if self.redis.is_none() {
            self.redis = Some(OnRedis::new(runtime)?);
        }
        self.redis.as_mut().ok_or_else(|| anyhow::anyhow!("there is no Redis"))
    }

    pub(crate) fn disk(&mut self) -> Result<&mut OnDisk> {
        if self.disk.is_none() {
            self.disk = Some(OnDisk::new()?);
        }
        self.disk.as_mut().ok_or_else(|| anyhow::anyhow!("there is no file"))
    }

    pub(crate) fn take_disk(&mut self) -> Option<OnDisk> {
        self.disk.take()
    }
}

impl Filled {
    pub(crate) fn new(store: Arc<dyn Store>, name: &'static str, concurrency: usize) -> Self {
        let manager = population::manager(store);
        Self { manager, in_hand: Vec::new(), tokens: 0, name, concurrency }
    }

    /// Issues tokens until the store has `tokens`.
    pub(crate) fn fill_to(&mut self, runtime: &Runtime, tokens: u64) -> Result<()> {
        if tokens > self.tokens {
            progress(&format!("  filling {} up to {tokens} tokens", self.name));
            let keep = ((tokens - self.tokens) / (IN_HAND / 2)).max(1);
            let issued = self.issue(runtime, tokens - self.tokens, keep)?;
            self.in_hand.extend(issued);
            // Keep an equal share of every age.
            let step = (self.in_hand.len() as u64 / IN_HAND).max(1) as usize;
            self.in_hand = std::mem::take(&mut self.in_hand).into_iter().step_by(step).collect();
        }
        Ok(())
    }

    /// Issues tokens; returns one of every `keep`.
    pub(crate) fn issue(
        &mut self,
        runtime: &Runtime,
        count: u64,
        keep: u64,
    ) -> Result<Vec<Issued>> {
        self.issue_concurrently(runtime, count, keep, self.concurrency)
    }

    /// The same, with this number of concurrent calls.
    pub(crate) fn issue_concurrently(
        &mut self,
        runtime: &Runtime,
        count: u64,
        keep: u64,
        concurrency: usize,
    ) -> Result<Vec<Issued>> {
        let range = self.tokens..self.tokens + count;
        self.tokens += count;
        let issue = population::issue(&self.manager, range, concurrency, keep, population::indexed);
        runtime.block_on(issue)
    }
}

impl OnRedis {
    fn new(runtime: &Runtime) -> Result<Self> {
        let server = Server::start()?;
        let store = server.store(runtime, "fleet")?;
        let empty = server.data_bytes()?;
        Ok(Self { filled: Filled::new(Arc::new(store), "Redis", 128), server, empty })
    }

    /// Returns the bytes per token, as the server's allocator reports.
    pub(crate) fn bytes_each(&self) -> Result<f64> {
        Ok((self.server.data_bytes()? - self.empty) / self.filled.tokens as f64)
    }
}

impl OnDisk {
    fn new() -> Result<Self> {
        let folder = crate::folder::on_disk()?;
        let path = folder.path().join("keyfob.redb");
        let store = Arc::new(RedbStore::open(&path)?);
        Ok(Self { filled: Filled::new(store, "a file", 64), path, _folder: folder })
    }

    /// Closes the file. Returns the folder, which is removed when it is dropped.
    pub(crate) fn close(self) -> TempDir {
        let Self { _folder: folder, .. } = self;
        folder
    }

    /// Returns the bytes of the file per token.
    pub(crate) fn bytes_each(&self) -> Result<f64> {
        Ok(std::fs::metadata(&self.path)?.len() as f64 / self.filled.tokens as f64)
    }
}
