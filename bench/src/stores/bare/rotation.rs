//! The minimal rotation: it replaces the record of a family and stores an access token.

use anyhow::{Context, Result};
use tokio::runtime::Runtime;

use super::{Bare, CAP, Commands, Count, Sizes, Value, key, lane_of_subject, terms};
use crate::server::Server;

/// The writes of a rotation: the family's record, the access token's record with its entry in each
/// index and its count, both events, raising the expiry of each key, and the signal to the nodes
/// that cache.
const ROTATE: &str = "local K, A, c = KEYS, ARGV, redis.call \
    c('SET', K[1], A[2], 'XX', 'KEEPTTL') c('SET', K[2], A[3], 'PXAT', A[4], 'NX') \
    for i = 6, #K do c('ZADD', K[i], A[5], A[6]) c('PEXPIREAT', K[i], A[4], A[i + 6]) end \
    c('HINCRBY', K[5], A[11], 1) \
    c('XADD', K[3], 'MAXLEN', '~', A[7], '*', 'e', A[8]) \
    c('XADD', K[3], 'MAXLEN', '~', A[7], '*', 'e', A[9]) c('PEXPIREAT', K[3], A[10], 'GT') \
    c('SET', K[4], '') c('DEL', K[4]) return 1";

/// The time bucket for tokens that live an hour, as keyfob chooses it: four minutes, as a power of
/// two of seconds.
const SPAN_OF_AN_HOUR: u8 = 8;

/// An older generation gets the earlier result.
const OR_REPEAT: &str = "if redis.call('GETRANGE', KEYS[1], 0, 7) ~= ARGV[1] then return redis.call('GET', KEYS[2]) end ";

/// Families and the scripts that rotate them.
#[derive(Debug)]
pub(in crate::stores) struct Families {
    bare: Bare,
    /// Rotates without a check.
    rotate: String,
    /// Rotates if the presented generation is the current one.
    exchange: String,
    family_size: usize,
    families: Vec<Family>,
}

#[derive(Clone, Copy, Debug)]
struct Family {
    number: u64,
    generation: u64,
}

impl Family {
    fn lane(self) -> u64 {
        lane_of_subject(self.number / super::PER_SUBJECT)
    }

    fn key(self) -> Vec<u8> {
        let mut id = [0xff; 10];
        id[2..].copy_from_slice(&self.number.to_be_bytes());
        key(b'r', self.lane(), &id)
    }
}

impl Families {
    /// Creates families whose records have `family_size` bytes. `sizes` are those of an access
    /// token's record and of an event.
    pub(in crate::stores) fn new(
        server: &Server,
        runtime: &Runtime,
        count: usize,
        family_size: usize,
        sizes: Sizes,
    ) -> Result<Self> {
        let mut bare = Bare::new(server, runtime, sizes)?;
        let rotate = bare.script(ROTATE)?;
        let exchange = bare.script(&[OR_REPEAT, ROTATE].concat())?;
        let family = |number| Family { number, generation: 0 };
        let families: Vec<_> = (0..count as u64).map(family).collect();
        let mut records = Commands::default();
        for family in &families {
            let record = vec![0; family_size];
            records.add(&[b"SET", &family.key(), &record, b"PXAT", b"1950000000000"]);
        }
        bare.run(&records, 64)?;
        Ok(Self { bare, rotate, exchange, family_size, families })
    }

    /// Returns the next rotation of each of the next families in turn, without a check.
    pub(in crate::stores) fn rotations(&mut self, count: usize) -> Result<Commands> {
        let mut commands = Commands::default();
        for _ in 0..count {
            self.families.rotate_left(1);
            self.add(&mut commands, false, 1)?;
        }
        Ok(commands)
    }

    /// Returns refresh tokens of the next families in turn, each presented several times.
    pub(in crate::stores) fn exchanges(&mut self, count: usize, times: usize) -> Result<Commands> {
        let mut commands = Commands::default();
        for _ in 0..count {
            self.families.rotate_left(1);
            self.add(&mut commands, true, times)?;
        }
        Ok(commands)
    }

    /// Returns the refresh tokens of one family, one generation after the other, each presented
    /// several times.
    pub(in crate::stores) fn of_one(&mut self, count: usize, times: usize) -> Result<Commands> {
        let mut commands = Commands::default();
        for _ in 0..count {
            self.add(&mut commands, true, times)?;
        }
        Ok(commands)
    }

    /// Returns the next rotation of the first family.
    fn add(&mut self, commands: &mut Commands, is_seen: bool, times: usize) -> Result<()> {
        let family = self.families.first_mut().context("no family left")?;
        let (read, family_key) = (family.generation.to_be_bytes(), family.key());
        family.generation += 1;
        let Family { number, generation } = *family;
        let lane = family.lane();

        let mut record = vec![0; self.family_size];
        self.bare.dice.fill(&mut record);
        if let Some(present) = record.first_chunk_mut() {
            *present = generation.to_be_bytes();
        }
        let access = self.bare.drawn(self.bare.sizes.record);
        let events = [(); 2].map(|()| self.bare.drawn(self.bare.sizes.event));
        let mut id = [0; 10];
        self.bare.dice.fill(&mut id);
        // The expiry of index keys moves in coarse steps, so that few rotations raise it.
        let expire = 1_900_000_000_000 + (generation * 1_000).next_multiple_of(1 << 18);
        let score = (expire / 1000 - 1_735_689_600).to_string();
        let counted = Count::new(lane, number, expire / 1000, SPAN_OF_AN_HOUR);
        let stored = counted.field(b'i');
        let expire = expire.to_string();

        let mut keys = vec![
            family_key,
            key(b'r', lane, &id),
            key(b'e', lane, b""),
            key(b'x', lane, &number.to_be_bytes()),
            counted.cell,
        ];
        let mut raises = Vec::new();
        let of_family: Value = (b'f', number, false);
        for value in terms(number).into_iter().chain([of_family]) {
            let (leaf, raise) = self.bare.leaf(lane, value);
            keys.push(leaf);
            raises.push(raise);
        }
        let (script, count) =
            (if is_seen { &self.exchange } else { &self.rotate }, keys.len().to_string());
        let mut parts: Vec<&[u8]> = vec![b"EVALSHA", script.as_bytes(), count.as_bytes()];
        parts.extend(keys.iter().map(Vec::as_slice));
        parts.extend([&read, record.as_slice(), &access, expire.as_bytes(), score.as_bytes()]);
        parts.extend([&id, CAP]);
        parts.extend(events.iter().map(Vec::as_slice));
        parts.extend([b"2000000000000", stored.as_slice()]);
        parts.extend(raises);
        for _ in 0..times {
            commands.add(&parts);
        }
        Ok(())
    }

    /// Sends commands, pipelined.
    pub(in crate::stores) fn run(&mut self, commands: &Commands, concurrency: usize) -> Result<()> {
        self.bare.run(commands, concurrency)
    }

    /// Sends one command after the other through the library.
    pub(in crate::stores) fn one_by_one(
        &mut self,
        runtime: &Runtime,
        commands: &Commands,
    ) -> Result<()> {
        self.bare.one_by_one(runtime, commands)
    }
}
