//! Stores that are filled once for all groups that want them large: a Redis and a file.

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

/// How many of the tokens of a store are kept in hand.
const IN_HAND: u64 = 2_000;

/// What fills up step by step.
#[derive(Debug)]
pub(crate) struct Filled {
    pub(crate) manager: TokenManager,
    /// Tokens of all ages.
    pub(crate) in_hand: Vec<Issued>,
    /// How many tokens were issued.
    pub(crate) tokens: u64,
    name: &'static str,
    at_once: usize,
}

/// A Redis and the bytes that it took when it was empty.
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

/// The stores of a run, made when they are first asked for.
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
    pub(crate) fn new(store: Arc<dyn Store>, name: &'static str, at_once: usize) -> Self {
        let manager = population::manager(store);
        Self { manager, in_hand: Vec::new(), tokens: 0, name, at_once }
    }

    /// Issues tokens until there are so many; none if there are.
    pub(crate) fn fill_to(&mut self, runtime: &Runtime, tokens: u64) -> Result<()> {
        if tokens > self.tokens {
            progress(&format!("  filling {} up to {tokens} tokens", self.name));
            let keep = ((tokens - self.tokens) / (IN_HAND / 2)).max(1);
            let issued = self.issue(runtime, tokens - self.tokens, keep)?;
            self.in_hand.extend(issued);
            // Those of every age stay in equal parts.
            let step = (self.in_hand.len() as u64 / IN_HAND).max(1) as usize;
            self.in_hand = std::mem::take(&mut self.in_hand).into_iter().step_by(step).collect();
        }
        Ok(())
    }

    /// Issues so many; gives one of every `keep`.
    pub(crate) fn issue(
        &mut self,
        runtime: &Runtime,
        count: u64,
        keep: u64,
    ) -> Result<Vec<Issued>> {
        self.issue_at_once(runtime, count, keep, self.at_once)
    }

    /// The same with so many under way at the same time.
    pub(crate) fn issue_at_once(
        &mut self,
        runtime: &Runtime,
        count: u64,
        keep: u64,
        at_once: usize,
    ) -> Result<Vec<Issued>> {
        let range = self.tokens..self.tokens + count;
        self.tokens += count;
        let issue = population::issue(&self.manager, range, at_once, keep, population::indexed);
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

    /// The bytes for each token, by what the server's allocator says.
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

    /// The bytes of the file for each token.
    pub(crate) fn bytes_each(&self) -> Result<f64> {
        Ok(std::fs::metadata(&self.path)?.len() as f64 / self.filled.tokens as f64)
    }
}
