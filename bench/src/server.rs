//! A Redis for this run: its processor time, memory and counters, and the simplest client for it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::redis::{CommandStats, RedisCluster, RedisServer};
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::runtime::Runtime;

use crate::measure::{Series, micros};

/// A server that is pinned to its own core, if there are several.
#[derive(Debug)]
pub(crate) struct Server {
    redis: RedisServer,
}

impl Server {
    pub(crate) fn start() -> Result<Self> {
        let redis = RedisServer::start().context("redis-server could not be started")?;
        pin_to_first_core(&redis)?;
        Ok(Self { redis })
    }

    pub(crate) fn url(&self, namespace: &str) -> String {
        format!("{}/0?namespace={namespace}", self.redis.url())
    }

    /// Opens a store on the server; see [`store`].
    pub(crate) fn store(&self, runtime: &Runtime, namespace: &str) -> Result<RedisStore> {
        store(runtime, &self.url(namespace))
    }

    pub(crate) fn client(&self) -> Result<Client> {
        Client::to(self.redis.port())
    }

    pub(crate) fn port(&self) -> u16 {
        self.redis.port()
    }

    pub(crate) fn redis(&self) -> &RedisServer {
        &self.redis
    }

    fn number(&self, section: &str, field: &str) -> Result<f64> {
        number(&self.redis, section, field)
    }

    /// Returns the server's processor time, as the system counts it.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu(&self.redis)
    }

    /// Returns microseconds of the server's work per operation.
    pub(crate) fn cpu_each(
        &self,
        operations: usize,
        work: impl FnOnce() -> Result<()>,
    ) -> Result<f64> {
        let before = self.cpu()?;
        work()?;
        Ok(micros(self.cpu()? - before) / operations as f64)
    }

    /// Returns the bytes of the data, without the event streams, which are capped.
    pub(crate) fn data_bytes(&self) -> Result<f64> {
        let mut streams = 0;
        let mut cursor = "0".to_owned();
        loop {
            // Step by step: asking for all keys together would stop the server for seconds.
            let scan = ["SCAN", &cursor, "MATCH", "*:[eo]{*", "COUNT", "20000", "TYPE", "stream"];
            let page = self.redis.call(&scan)?;
            let [next, names] = page.list() else { bail!("SCAN answered {page:?}") };
            for name in names.list() {
                let usage = ["MEMORY", "USAGE", &name.to_string(), "SAMPLES", "0"];
                streams += self.redis.call(&usage)?.number();
            }
            cursor = next.to_string();
            if cursor == "0" {
                return Ok(self.number("memory", "used_memory")? - streams as f64);
            }
        }
    }

    /// Returns how often each command was called, per operation.
    pub(crate) fn calls_each(
        &self,
        operations: usize,
        work: impl FnOnce() -> Result<()>,
    ) -> Result<String> {
        let before = self.redis.command_stats()?;
        work()?;
        let mut each = Vec::new();
        for (name, stats) in calls_since(&self.redis, &before)? {
            let calls = stats.calls as f64 / operations as f64;
            if calls >= 0.05 && name != "info" {
                each.push(format!("{calls:.1} {name}"));
            }
        }
        Ok(each.join(", "))
    }

    /// Returns the number of keys that were looked up.
    pub(crate) fn lookups(&self) -> Result<f64> {
        let hits = self.number("stats", "keyspace_hits")?;
        Ok(hits + self.number("stats", "keyspace_misses")?)
    }

    /// Returns the number of reads from clients.
    pub(crate) fn reads(&self) -> Result<f64> {
        self.number("stats", "total_reads_processed")
    }

    pub(crate) fn version(&self) -> Result<String> {
        Ok(self.redis.info("server")?.get("redis_version").cloned().unwrap_or_default())
    }

    /// Sends one command on a new connection.
    pub(crate) fn call(&self, command: &[&str]) -> Result<keyfob_testkit::redis::Reply> {
        Ok(self.redis.call(command)?)
    }

    /// Returns the rate and the server's processor time, in microseconds, of a command that
    /// `redis-benchmark` sends on fifty connections.
    pub(crate) fn benchmark(&self, command: &[&[u8]], count: usize) -> Result<(f64, f64)> {
        use std::os::unix::ffi::OsStrExt;
        let (port, count_text) = (self.redis.port().to_string(), count.to_string());
        let mut run = Command::new("redis-benchmark");
        run.args(["-h", "127.0.0.1", "-p", &port, "-c", "50", "-n", &count_text, "--csv"]);
        run.args(command.iter().map(|part| std::ffi::OsStr::from_bytes(part)));
        let before = self.cpu()?;
        let output = run.output().context("redis-benchmark could not be started")?;
        let cpu = micros(self.cpu()? - before) / count as f64;
        let text = String::from_utf8_lossy(&output.stdout);
        let rate = text.lines().last().and_then(|line| line.rsplit("\",\"").nth(6));
        let rate = rate.and_then(|rate| rate.trim_matches('"').parse().ok());
        Ok((rate.with_context(|| format!("redis-benchmark printed {text:?}"))?, cpu))
    }
}

/// Pins a server to the first core, if there are several.
pub(crate) fn pin_to_first_core(redis: &RedisServer) -> Result<()> {
    let pid: i32 = redis.info("server")?.get("process_id").context("no pid")?.parse()?;
    pin(rustix::process::Pid::from_raw(pid), 0);
    Ok(())
}

/// Opens a store with long time limits: a shared machine may pause for seconds, and that must not
/// end a long run.
pub(crate) fn store(runtime: &Runtime, url: &str) -> Result<RedisStore> {
    let config: RedisConfig = url.parse()?;
    let [connect, response, whole] = [5, 10, 20].map(Duration::from_secs);
    Ok(runtime.block_on(RedisStore::open(config.with_timeouts(connect, response, whole)))?)
}

fn number(redis: &RedisServer, section: &str, field: &str) -> Result<f64> {
    let info = redis.info(section)?;
    let value = info.get(field).with_context(|| format!("INFO has no {field}"))?;
    Ok(value.trim().parse()?)
}

/// Returns the processor time of a server, as the system counts it.
pub(crate) fn cpu(redis: &RedisServer) -> Result<Duration> {
    let user = number(redis, "cpu", "used_cpu_user")?;
    Ok(Duration::from_secs_f64(user + number(redis, "cpu", "used_cpu_sys")?))
}

/// Returns the address of a namespace in a cluster.
pub(crate) fn cluster_url(cluster: &RedisCluster, namespace: &str) -> String {
    let nodes = cluster.nodes().iter().map(|node| format!("127.0.0.1:{}", node.port()));
    format!("redis+cluster://{}?namespace={namespace}", nodes.collect::<Vec<_>>().join(","))
}

/// Returns how often each command was called, and for how long, since `before`.
pub(crate) fn calls_since(
    redis: &RedisServer,
    before: &BTreeMap<String, CommandStats>,
) -> Result<BTreeMap<String, CommandStats>> {
    let mut since = redis.command_stats()?;
    for (name, stats) in &mut since {
        let earlier = before.get(name).copied().unwrap_or_default();
        stats.calls -= earlier.calls;
        stats.usec -= earlier.usec;
    }
    Ok(since)
}

/// Pins a process, or without one this thread, to a core, if there are several.
fn pin(process: Option<rustix::process::Pid>, core: usize) {
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        let mut cores = CpuSet::new();
        cores.set(core);
        // If that is not allowed, the figures only vary more.
        let _refused = sched_setaffinity(process, &cores);
    }
}

/// Pins this thread, and threads that it starts, to other cores than the server's.
pub(crate) fn pin_away_from_server() {
    pin(None, 1);
}

/// Allows this thread to run on any core again.
pub(crate) fn unpin() {
    let mut cores = CpuSet::new();
    (0..CpuSet::MAX_CPU).for_each(|core| cores.set(core));
    let _refused = sched_setaffinity(None, &cores);
}

/// One connection that sends bytes and reads replies.
#[derive(Debug)]
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
}

/// Appends a command in wire format.
pub(crate) fn write_command(buffer: &mut Vec<u8>, parts: &[&[u8]]) {
    buffer.extend_from_slice(format!("*{}\r\n", parts.len()).as_bytes());
    for part in parts {
        buffer.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        buffer.extend_from_slice(part);
        buffer.extend_from_slice(b"\r\n");
    }
}

impl Client {
    /// Connects to the server on a port of this machine.
    pub(crate) fn to(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { reader: BufReader::with_capacity(64 * 1024, stream) })
    }

    /// Sends commands together and waits for their replies.
    pub(crate) fn exchange(&mut self, commands: &[u8], replies: usize) -> Result<()> {
        self.reader.get_mut().write_all(commands)?;
        (0..replies).try_for_each(|_| self.skip())
    }

    /// Sends one command and returns the bytes of its reply, which must be a string.
    pub(crate) fn ask(&mut self, parts: &[&[u8]]) -> Result<Vec<u8>> {
        let mut command = Vec::new();
        write_command(&mut command, parts);
        self.reader.get_mut().write_all(&command)?;
        let line = self.line()?;
        match line.split_first() {
            Some((b'$', length)) => self.bytes(std::str::from_utf8(length)?.parse()?),
            Some((b'+', text)) => Ok(text.to_vec()),
            _ => bail!("the server answered {:?}", String::from_utf8_lossy(&line)),
        }
    }

    /// Sends one command and returns the reply, which must be a list of strings.
    pub(crate) fn list(&mut self, parts: &[&[u8]]) -> Result<Vec<Vec<u8>>> {
        let mut command = Vec::new();
        write_command(&mut command, parts);
        self.reader.get_mut().write_all(&command)?;
        let line = self.line()?;
        let Some((b'*', count)) = line.split_first() else { bail!("the reply is not a list") };
        let count: usize = std::str::from_utf8(count)?.parse()?;
        (0..count)
            .map(|_| {
                let line = self.line()?;
                let length = line.get(1..).unwrap_or_default();
                self.bytes(std::str::from_utf8(length)?.parse()?)
            })
            .collect()
    }

    /// Returns the next line from the server: a reply or a push.
    pub(crate) fn line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line)? == 0 {
            bail!("the server closed the connection");
        }
        line.truncate(line.len().saturating_sub(2));
        Ok(line)
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length + 2];
        self.reader.read_exact(&mut bytes)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Reads one reply and drops it. An error reply is an error.
    pub(crate) fn skip(&mut self) -> Result<()> {
        let line = self.line()?;
        let count = || -> Result<i64> {
            Ok(std::str::from_utf8(line.get(1..).unwrap_or_default())?.parse()?)
        };
        match line.first() {
            Some(b'-') => bail!("the server answered {:?}", String::from_utf8_lossy(&line)),
            Some(b'$') => {
                if let Ok(length) = usize::try_from(count()?) {
                    self.bytes(length)?;
                }
                Ok(())
            }
            Some(b'*' | b'>' | b'~') => (0..count()?).try_for_each(|_| self.skip()),
            Some(b'%') => (0..2 * count()?).try_for_each(|_| self.skip()),
            _ => Ok(()),
        }
    }
}

/// Returns the duration of each call, in microseconds.
pub(crate) fn latencies(count: usize, mut call: impl FnMut(usize) -> Result<()>) -> Result<Series> {
    let mut times = Vec::with_capacity(count);
    for number in 0..count {
        let begun = Instant::now();
        call(number)?;
        times.push(micros(begun.elapsed()));
    }
    Ok(Series::of(times))
}
