//! Minimal scripts that make the same reads and writes on Redis as keyfob: no checks, no verdict,
//! no retries, no maintenance of the index. The client starts a new index chunk when one is full.
//!
//! They are sent in two ways. Sequential commands use the same library and runtime as keyfob: a
//! server that waits longer between two commands works longer on each, so the pace must be the
//! same. Pipelined commands use the simplest client.

mod rotation;

pub(super) use rotation::Families;

use std::collections::HashMap;

use anyhow::{Context, Result};
use redis::Cmd;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Runtime;

use crate::population::Dice;
use crate::server::{Client, Server, write_command};

/// The same reads as a load.
const LOAD: &str = "local c = redis.call \
    return { c('GET', KEYS[2]), c('HMGET', KEYS[1], 'b', 'n', '*', unpack(ARGV)) }";

/// The same writes as an insert: the record, its entry in each index, its count, the event, and
/// raising the expiry of each key. `NX` sets the first expiry, `GT` raises it.
const INSERT: &str = "local K, A, c = KEYS, ARGV, redis.call \
    c('SET', K[1], A[1], 'PXAT', A[2], 'NX') \
    for i = 4, #K do c('ZADD', K[i], A[3], A[4]) c('PEXPIREAT', K[i], A[2], A[i + 5]) end \
    c('HINCRBY', K[3], A[8], 1) \
    c('XADD', K[2], 'MAXLEN', '~', A[5], '*', 'e', A[6]) c('PEXPIREAT', K[2], A[7], 'GT') \
    return 1";

/// The same writes as a revocation: the tombstone in place, the epoch of the token's descendants,
/// its count, the event, and the signal to the nodes that cache.
const REVOKE: &str = "local K, A, c = KEYS, ARGV, redis.call \
    c('SETRANGE', K[1], 36, A[1]) c('HINCRBY', K[2], 'n', 1) c('HSET', K[2], A[2], A[3]) \
    c('HINCRBY', K[5], A[7], 1) \
    c('XADD', K[3], 'MAXLEN', '~', A[4], '*', 'e', A[5]) c('PEXPIREAT', K[3], A[6], 'GT') \
    c('SET', K[4], '') c('DEL', K[4]) return 1";

/// Maximum entries of an index chunk: as many as in keyfob's leaves.
const CHUNK: u64 = 104;
const LANES: u64 = 64;
/// The number of tokens of a subject.
const PER_SUBJECT: u64 = 5;
/// The time bucket for tokens that live 30 to 45 days, as keyfob chooses it: three days, as a power
/// of two of seconds.
const SPAN_OF_MONTHS: u8 = 18;
/// The number of events that a lane keeps.
const CAP: &[u8] = b"1024";

/// Lengths of keyfob's own values, so that the minimal ones are as long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) record: usize,
    pub(super) event: usize,
}

/// Writes minimal records.
#[derive(Debug)]
pub(super) struct Bare {
    client: Client,
    library: MultiplexedConnection,
    load: String,
    insert: String,
    revoke: String,
    sizes: Sizes,
    dice: Dice,
    number: u64,
    entries: HashMap<Vec<u8>, u64>,
}

/// A record that the minimal scripts wrote.
#[derive(Clone, Debug)]
pub(super) struct Written {
    lane: u64,
    id: [u8; 10],
    count: Count,
}

/// The time bucket that a record is counted in.
#[derive(Clone, Debug)]
struct Count {
    cell: Vec<u8>,
    client: [u8; 8],
}

impl Count {
    /// Returns the bucket of a record of a lane that ends at this second, with bucket lengths as a
    /// power of two of seconds.
    fn new(lane: u64, number: u64, ends: u64, power: u8) -> Self {
        let [_, (_, client, _), ..] = terms(number);
        let mut span = (ends >> power).to_be_bytes();
        span[2] = power;
        Self { cell: key(b'c', lane, &span[2..]), client: spread(client) }
    }

    /// Returns the field of a column: stored, or revoked.
    fn field(&self, column: u8) -> Vec<u8> {
        [&[column, b'0'], self.client.as_slice()].concat()
    }
}

/// Commands, in wire format and in the library's form.
#[derive(Debug, Default)]
pub(super) struct Commands {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    of_library: Vec<Cmd>,
}

impl Commands {
    fn add(&mut self, parts: &[&[u8]]) {
        write_command(&mut self.bytes, parts);
        self.ends.push(self.bytes.len());
        let mut command = Cmd::new();
        parts.iter().for_each(|part| {
            command.arg(*part);
        });
        self.of_library.push(command);
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn range(&self, from: usize, to: usize) -> &[u8] {
        let start = from.checked_sub(1).and_then(|last| self.ends.get(last)).copied();
        let end = to.checked_sub(1).and_then(|last| self.ends.get(last)).copied();
        self.bytes.get(start.unwrap_or(0)..end.unwrap_or(0)).unwrap_or_default()
    }
}

impl Bare {
    pub(super) fn new(server: &Server, runtime: &Runtime, sizes: Sizes) -> Result<Self> {
        let client = server.client()?;
        let library = redis::Client::open(format!("redis://127.0.0.1:{}", server.port()))?;
        let library = runtime.block_on(library.get_multiplexed_async_connection())?;
        let (dice, number, entries) = (Dice::new(7), 0, HashMap::new());
        let [load, insert, revoke] = [(); 3].map(|()| String::new());
        let mut bare = Self { client, library, load, insert, revoke, sizes, dice, number, entries };
        bare.load = bare.script(LOAD)?;
        bare.insert = bare.script(INSERT)?;
        bare.revoke = bare.script(REVOKE)?;
        Ok(bare)
    }

    /// Loads a script and returns its digest.
    fn script(&mut self, text: &str) -> Result<String> {
        let digest = self.client.ask(&[b"SCRIPT", b"LOAD", text.as_bytes()])?;
        String::from_utf8(digest).context("the digest is not text")
    }

    /// Returns random bytes.
    fn drawn(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.dice.fill(&mut bytes);
        bytes
    }

    /// Sends commands, pipelined.
    pub(super) fn run(&mut self, commands: &Commands, concurrency: usize) -> Result<()> {
        let mut done = 0;
        while done < commands.len() {
            let next = (done + concurrency).min(commands.len());
            self.client.exchange(commands.range(done, next), next - done)?;
            done = next;
        }
        Ok(())
    }

    /// Sends one command after the other through the library.
    pub(super) fn one_by_one(&mut self, runtime: &Runtime, commands: &Commands) -> Result<()> {
        runtime.block_on(async {
            for command in &commands.of_library {
                self.library.send_packed_command(command).await?.extract_error()?;
            }
            Ok(())
        })
    }

    /// Sends one of the commands through the library.
    pub(super) fn one(
        &mut self,
        runtime: &Runtime,
        commands: &Commands,
        number: usize,
    ) -> Result<()> {
        let command = commands.of_library.get(number).context("no such command")?;
        runtime.block_on(self.library.send_packed_command(command))?.extract_error()?;
        Ok(())
    }

    /// Sends one of the commands through the simplest client.
    pub(super) fn one_plainly(&mut self, commands: &Commands, number: usize) -> Result<()> {
        self.client.exchange(commands.range(number, number + 1), 1)
    }

    /// Returns commands that load keyfob's own records with the same reads.
    pub(super) fn loads(&mut self, records: &[Vec<u8>]) -> Result<Commands> {
        let mut commands = Commands::default();
        for record in records {
            let lane = lane_of(record).context("a record's key names its lane")?;
            // Subject and client: the two epoch fields of a record whose uses are not counted.
            let fields = self.client.ask(&[b"GETRANGE", record, b"51", b"66"])?;
            let (subject, client) = fields.split_at_checked(8).context("the header is short")?;
            let digest = self.load.as_bytes();
            commands.add(&[b"EVALSHA", digest, b"2", &lane, record, subject, client]);
        }
        Ok(commands)
    }

    /// Returns commands that only read the records.
    pub(super) fn gets(&self, records: &[Vec<u8>]) -> Commands {
        let mut commands = Commands::default();
        records.iter().for_each(|record| commands.add(&[b"GET", record]));
        commands
    }

    /// Returns inserts of new records, with the same subjects, clients, tags and labels as
    /// keyfob's.
    pub(super) fn inserts(&mut self, count: usize) -> (Commands, Vec<Written>) {
        let (mut commands, mut written) = (Commands::default(), Vec::with_capacity(count));
        for _ in 0..count {
            written.push(self.insert_one(&mut commands));
        }
        (commands, written)
    }

    fn insert_one(&mut self, commands: &mut Commands) -> Written {
        let number = self.number;
        self.number += 1;
        let lane = lane_of_subject(number / PER_SUBJECT);
        let mut id = [0; 10];
        self.dice.fill(&mut id);
        id[..5].copy_from_slice(&(number / 400 + 0x1a_0000_0000).to_be_bytes()[3..]);
        let record = self.drawn(self.sizes.record);
        let event = self.drawn(self.sizes.event);
        let life = 30 * 24 + number * 13 % (15 * 24);
        let ends = 1_900_000_000 + life * 3600;
        let expire = (ends * 1000).to_string();
        let score = (ends - 1_735_689_600).to_string();
        let counted = Count::new(lane, number, ends, SPAN_OF_MONTHS);
        let stored = counted.field(b'i');

        let mut keys = vec![key(b'r', lane, &id), key(b'e', lane, b""), counted.cell.clone()];
        let mut raises = Vec::new();
        for value in terms(number) {
            let (leaf, raise) = self.leaf(lane, value);
            keys.push(leaf);
            raises.push(raise);
        }
        let count = keys.len().to_string();
        let mut parts: Vec<&[u8]> = vec![b"EVALSHA", self.insert.as_bytes(), count.as_bytes()];
        parts.extend(keys.iter().map(Vec::as_slice));
        parts.extend([&record, expire.as_bytes(), score.as_bytes(), &id, CAP, &event]);
        parts.extend([b"2000000000000", stored.as_slice()]);
        parts.extend(raises);
        commands.add(&parts);
        Written { lane, id, count: counted }
    }

    /// Returns the leaf for the next entry under a term, and how its expiry is raised.
    fn leaf(&mut self, lane: u64, (field, value, is_broad): Value) -> (Vec<u8>, &'static [u8]) {
        let mut name = vec![field];
        if field != b'a' {
            name.extend_from_slice(&spread(value));
        }
        if is_broad {
            name.push(b'k');
        }
        let mut leaf = key(b'i', lane, &name);
        let entries = self.entries.entry(leaf.clone()).or_default();
        let (chunk, is_first) = (*entries / CHUNK, entries.is_multiple_of(CHUNK));
        *entries += 1;
        if chunk > 0 {
            leaf.extend_from_slice(&[0; 2]);
            leaf.extend_from_slice(&chunk.to_be_bytes());
        }
        (leaf, if is_first { b"NX" } else { b"GT" })
    }

    /// Returns revocations of records.
    pub(super) fn revokes(&mut self, records: &[Written]) -> Commands {
        let mut commands = Commands::default();
        for Written { lane, id, count } in records {
            let drawn = self.drawn(15 + 8 + 28 + self.sizes.event);
            let (tombstone, rest) = drawn.split_at(15);
            let (field, rest) = rest.split_at(8);
            let (epoch, event) = rest.split_at(28);
            let signal = [id.as_slice(), field].concat();
            let keys = [(b'r', id.as_slice()), (b'l', b""), (b'e', b""), (b'x', &signal)];
            let keys = keys.map(|(class, rest)| key(class, *lane, rest));
            let revoked = count.field(b'r');
            let mut parts: Vec<&[u8]> = vec![b"EVALSHA", self.revoke.as_bytes(), b"5"];
            parts.extend(keys.iter().map(Vec::as_slice));
            parts.extend([&count.cell, tombstone, field, epoch, CAP, event, b"2000000000000"]);
            parts.push(&revoked);
            commands.add(&parts);
        }
        commands
    }
}

/// A field, a value of it, and whether many have that value.
type Value = (u8, u64, bool);

/// The terms that a token is listed under.
fn terms(number: u64) -> [Value; 5] {
    [
        (b's', number / PER_SUBJECT, false),
        (b'c', number * 7 % 50, true),
        (b't', number % 5, true),
        (b'l', [0, 1, 1, 1, 2, 2, 2, 2, 2, 2][(number % 10) as usize], true),
        (b'a', 0, true),
    ]
}

/// Returns bytes that look like the digest of a value.
fn spread(value: u64) -> [u8; 8] {
    value.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
}

fn lane_of_subject(subject: u64) -> u64 {
    subject.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & (LANES - 1)
}

fn key(class: u8, lane: u64, rest: &[u8]) -> Vec<u8> {
    let mut key = b"bare:".to_vec();
    key.push(class);
    key.extend_from_slice(format!("{{{lane:02}}}").as_bytes());
    key.extend_from_slice(rest);
    key
}

/// Returns the key of a record's lane, by the key of the record.
fn lane_of(record: &[u8]) -> Option<Vec<u8>> {
    let class = record.iter().position(|byte| *byte == b':')? + 1;
    let end = record.iter().position(|byte| *byte == b'}')?;
    let mut lane = record.get(..=end)?.to_vec();
    *lane.get_mut(class)? = b'l';
    Some(lane)
}
