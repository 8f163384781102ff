//! Runs measurements that need their own process: this program starts itself again with a role.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use keyfob::{CacheConfig, MemoryStore, Store, TokenManager, ValidationChain};
use keyfob_redb::RedbStore;
use keyfob_redis::RedisStore;
use tokio::runtime::Builder;

use crate::http::{echo, grpc};
use crate::measure::{cpu_each, machine_nanos};
use crate::process_state::{ROLE, resident_bytes};
use crate::{population, server};

const FIRST_ANSWER: &str = "first-answer";
const CACHE_MEMORY: &str = "cache-memory";
const WATCH: &str = "watch";
const HEAR: &str = "hear";

/// The report of a process that opened a store and answered once.
#[derive(Debug)]
pub(crate) struct FirstAnswer {
    /// From the moment before it was started.
    pub(crate) millis: f64,
    pub(crate) resident_bytes: f64,
}

/// The report of a process that filled a cache.
#[derive(Debug)]
pub(crate) struct CacheMemory {
    pub(crate) resident_bytes: f64,
    pub(crate) reported_bytes: f64,
    pub(crate) kept: f64,
    pub(crate) fill_nanos: f64,
}

/// A child process that answers each line with one line.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Child {
    fn start(role: &[&str]) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(ROLE)
            .args(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the program could not be started again")?;
        let input = process.stdin.take().context("no input of the child")?;
        let output = process.stdout.take().context("no output of the child")?;
        Ok(Self { process, input, output: BufReader::new(output) })
    }

    /// Starts a process that caches a bearer token and reports when it first refuses it.
    pub(crate) fn watching(url: &str) -> Result<Self> {
        Self::start(&[WATCH, url])
    }

    /// Starts a process that reports when it is notified of a key.
    pub(crate) fn hearing(port: u16) -> Result<Self> {
        Self::start(&[HEAR, &port.to_string()])
    }

    pub(crate) fn say(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.input, "{line}")?)
    }

    pub(crate) fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("the process that was started ended: {:?}", self.process.wait()?);
        }
        Ok(line.trim().to_owned())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The process may have ended by itself.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// Starts a process that fills a cache with `tokens` tokens.
pub(crate) fn cache_memory(tokens: u64) -> Result<CacheMemory> {
    let mut child = Child::start(&[CACHE_MEMORY, &tokens.to_string()])?;
    let [resident_bytes, reported_bytes, kept, fill_nanos] = numbers(&child.hear()?)?;
    Ok(CacheMemory { resident_bytes, reported_bytes, kept, fill_nanos })
}

fn numbers<const N: usize>(line: &str) -> Result<[f64; N]> {
    let numbers: Vec<f64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    numbers.try_into().map_err(|_| anyhow!("{N} numbers expected, got {line:?}"))
}

/// Starts a process that opens the store at `path` and validates a bearer.
pub(crate) fn first_answer(path: &Path, bearer: &str) -> Result<FirstAnswer> {
    let path = path.to_str().context("the path is not UTF-8")?;
    let began = machine_nanos();
    let mut child = Child::start(&[FIRST_ANSWER, path])?;
    child.say(bearer)?;
    let [answered, resident_bytes] = numbers(&child.hear()?)?;
    Ok(FirstAnswer { millis: (answered - began as f64) / 1e6, resident_bytes })
}

/// Runs a role and ends.
pub(crate) fn play(role: &[String]) -> Result<()> {
    match role {
        [role, path] if role == FIRST_ANSWER => answer_once(Path::new(path)),
        [role, tokens] if role == CACHE_MEMORY => fill_cache(tokens.parse()?),
        [role, url] if role == WATCH => watch(url),
        [role, port] if role == HEAR => hear(port.parse()?),
        [role] if role == echo::ROLE => echo::serve(),
        [role] if role == grpc::ROLE => grpc::serve(),
        other => bail!("{other:?} is not a role"),
    }
}

fn fill_cache(tokens: u64) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new()?);
    let settings = CacheConfig::default().with_max_tokens(tokens as usize);
    let manager = population::caching_manager(Arc::clone(&store), settings);
    let without = population::manager(store);
    let issued =
        runtime.block_on(population::issue(&manager, 0..tokens, 1, 1, population::indexed))?;
    let chain = ValidationChain::new();
    let all = |manager: &TokenManager| {
        let mut outcome = Ok(());
        let nanos = cpu_each(issued.len(), || {
            outcome = runtime.block_on(async {
                for issued in &issued {
                    manager.validate_with(&issued.bearer, &chain, |_| ()).await?;
                }
                anyhow::Ok(())
            });
        });
        outcome.map(|()| nanos)
    };
    let loading = all(&without)?;
    let before = resident_bytes()?;
    let filling = all(&manager)?;
    let resident = resident_bytes()? - before;
    let report = manager.cache_report().context("there is no cache")?;
    let (bytes, kept) = (report.bytes, report.tokens);
    Ok(writeln!(std::io::stdout(), "{resident} {bytes} {kept} {}", filling - loading)?)
}

/// For each bearer token that it reads: puts it into the cache, confirms that, and then reports
/// when it was first refused.
fn watch(url: &str) -> Result<()> {
    server::pin_away_from_server();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Arc::new(RedisStore::connect(url).await?);
        let manager = population::caching_manager(store, CacheConfig::default());
        let chain = ValidationChain::new();
        for bearer in std::io::stdin().lock().lines() {
            let bearer = bearer?;
            for _ in 0..20 {
                manager.validate_with(&bearer, &chain, |_| ()).await?;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            writeln!(std::io::stdout(), "ready")?;
            // The feed is read between two checks; each check decides for one moment.
            while manager.validate_with(&bearer, &chain, |_| ()).await.is_ok() {
                tokio::task::yield_now().await;
            }
            writeln!(std::io::stdout(), "{}", machine_nanos())?;
        }
        Ok(())
    })
}

/// Listens to every key under one prefix by the server's tracking, and reports when.
fn hear(port: u16) -> Result<()> {
    server::pin_away_from_server();
    let mut client = server::Client::to(port)?;
    let mut arm = Vec::new();
    server::write_command(&mut arm, &[b"HELLO", b"3"]);
    let tracking: [&[u8]; 6] = [b"CLIENT", b"TRACKING", b"ON", b"BCAST", b"PREFIX", b"heard:"];
    server::write_command(&mut arm, &tracking);
    client.exchange(&arm, 2)?;
    writeln!(std::io::stdout(), "ready")?;
    loop {
        client.skip()?;
        writeln!(std::io::stdout(), "{}", machine_nanos())?;
    }
}

fn answer_once(path: &Path) -> Result<()> {
    let manager = population::manager(Arc::new(RedbStore::open(path)?));
    let mut bearer = String::new();
    std::io::stdin().lock().read_line(&mut bearer)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(manager.validate_active(bearer.trim()))?;
    writeln!(std::io::stdout(), "{} {}", machine_nanos(), resident_bytes()?)?;
    Ok(())
}
