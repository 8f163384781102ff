//! redb alone: the same rows as keyfob's, written and read directly. And below that, the simplest
//! possible log.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use crate::population::Dice;

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;
type Keys<const N: usize> = TableDefinition<'static, &'static [u8; N], ()>;

const RECORDS: Table = TableDefinition::new("records");
const LAST_USED: Table = TableDefinition::new("last_used");
const LANES: Table = TableDefinition::new("lanes");
const EVENTS: Table = TableDefinition::new("events");
const ANSWERS: Table = TableDefinition::new("answers");
const INDEX: Keys<39> = TableDefinition::new("index");
const FORGET: Keys<24> = TableDefinition::new("forget");

/// Number of terms of a token: all, subject, client, tag, label.
const TERMS: usize = 5;
/// A record of keyfob's with its header, its terms and its body.
const RECORD: usize = 51 + 16 + TERMS * 17 + 140;
const EVENT: usize = 2 + 100;

/// The engine with the tables that keyfob has.
#[derive(Debug)]
pub(super) struct Engine {
    database: Database,
    dice: Dice,
    number: u64,
    keys: Vec<[u8; 12]>,
}

impl Engine {
    pub(super) fn create(path: &Path, cache_bytes: usize) -> Result<Self> {
        let database = Database::builder().set_cache_size(cache_bytes).create(path)?;
        let transaction = database.begin_write()?;
        for table in [RECORDS, LAST_USED, EVENTS, ANSWERS] {
            transaction.open_table(table)?;
        }
        transaction.open_table(INDEX)?;
        transaction.open_table(FORGET)?;
        transaction.open_table(LANES)?.insert([0; 2].as_slice(), [0; 24].as_slice())?;
        transaction.commit()?;
        Ok(Self { database, dice: Dice::new(11), number: 0, keys: Vec::new() })
    }

    /// Writes the rows of many tokens, in commits of a given size, as durable as keyfob's.
    pub(super) fn write(&mut self, count: usize, in_commit: usize) -> Result<()> {
        for from in (0..count).step_by(in_commit) {
            let mut transaction = self.database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            transaction.set_two_phase_commit(true);
            transaction.set_quick_repair(true);
            {
                let mut records = transaction.open_table(RECORDS)?;
                let mut index = transaction.open_table(INDEX)?;
                let mut forget = transaction.open_table(FORGET)?;
                let mut events = transaction.open_table(EVENTS)?;
                let mut answers = transaction.open_table(ANSWERS)?;
                for _ in from..(from + in_commit).min(count) {
                    let token = self.token();
                    records.insert(token.key.as_slice(), token.record.as_slice())?;
                    for row in &token.rows {
                        index.insert(row, ())?;
                    }
                    forget.insert(&token.forget, ())?;
                    events.insert(token.position.as_slice(), token.event.as_slice())?;
                    answers.insert(token.answer.as_slice(), [0; 9].as_slice())?;
                    self.keys.push(token.key);
                }
            }
            transaction.commit()?;
        }
        Ok(())
    }

    /// Returns the rows of the next token: ordered where keyfob's are ordered, else random.
    fn token(&mut self) -> Token {
        let number = self.number;
        self.number += 1;
        let mut id = [0; 16];
        self.dice.fill(&mut id);
        id[..5].copy_from_slice(&(number / 400 + 0x1a_0000_0000).to_be_bytes()[3..]);
        let mut key = [0; 12];
        key[2..].copy_from_slice(&id[..10]);
        let mut record = vec![0; RECORD];
        self.dice.fill(&mut record);
        let mut event = vec![0; EVENT];
        self.dice.fill(&mut event);
        let life = 30 * 24 + number * 13 % (15 * 24);
        let end = 1_900_000_000 + life * 3600;
        let values =
            [(1u8, number / 5), (2, number * 7 % 50), (4, number % 5), (5, number % 3), (0, 0)];
        let mut rows = Vec::with_capacity(2 * TERMS);
        for (field, value) in values {
            let mut row = [0; 39];
            row[0] = field;
            row[1..9].copy_from_slice(&value.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            row[18..34].copy_from_slice(&id);
            rows.push(row);
            row[17] = 1;
            row[18..23].copy_from_slice(&end.to_be_bytes()[3..]);
            row[23..].copy_from_slice(&id);
            rows.push(row);
        }
        let mut forget = [0; 24];
        forget[..8].copy_from_slice(&(end * 1000).to_be_bytes());
        forget[8..].copy_from_slice(&id);
        let mut answer = [0; 24];
        self.dice.fill(&mut answer);
        answer[..8].copy_from_slice(&(1_900_000_000_000 + number / 16).to_be_bytes());
        let mut position = [0; 16];
        position[..8].copy_from_slice(&(1_900_000_000_000 + number).to_be_bytes());
        Token { key, record, rows, forget, position, event, answer }
    }

    /// Reads records with all data of a verdict, each from a new snapshot: the last use, the lane,
    /// and the epochs of subject, client and all. Returns the number of bytes read.
    pub(super) fn read(&mut self, count: usize) -> Result<usize> {
        let mut bytes = 0;
        for _ in 0..count {
            let key = *self.keys.get(self.dice.below(self.keys.len())).context("no records")?;
            let transaction = self.database.begin_read()?;
            let records = transaction.open_table(RECORDS)?;
            let last_used = transaction.open_table(LAST_USED)?;
            let lanes = transaction.open_table(LANES)?;
            let record = records.get(key.as_slice())?.context("a record is missing")?;
            bytes += record.value().to_vec().len();
            bytes += last_used.get(key.as_slice())?.map_or(0, |row| row.value().len());
            bytes += lanes.get([0; 2].as_slice())?.map_or(0, |row| row.value().len());
            for field in [[1; 11].as_slice(), &[2; 11], &[0; 3]] {
                bytes += lanes.get(field)?.map_or(0, |row| row.value().len());
            }
        }
        Ok(bytes)
    }
}

struct Token {
    key: [u8; 12],
    record: Vec<u8>,
    rows: Vec<[u8; 39]>,
    forget: [u8; 24],
    position: [u8; 16],
    event: Vec<u8>,
    answer: [u8; 24],
}

/// An append-only file.
#[derive(Debug)]
pub(super) struct Log(File);

impl Log {
    pub(super) fn create(path: &Path) -> Result<Self> {
        Ok(Self(File::create(path)?))
    }

    /// Appends the bytes of many tokens, a batch in each durable write.
    pub(super) fn write(&mut self, count: usize, in_write: usize) -> Result<()> {
        const ROWS: usize = RECORD + 2 * TERMS * 39 + 24 + EVENT + 16 + 24;
        let bytes = vec![7; ROWS * in_write];
        for _ in (0..count).step_by(in_write) {
            self.0.write_all(&bytes)?;
            self.0.sync_data()?;
        }
        Ok(())
    }
}
