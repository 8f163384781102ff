//! What is counted: the cells of every lane, added up.

use std::collections::HashMap;

use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use keyfob_store::{
    BucketCounts, CountTotals, EpochField, Kind, Lane, StoreError, TimeBucket, TokenId,
};

use super::Shared;
use crate::net::{Call, Reply, next};

/// How many cells of a lane are asked for at a time; all lanes are asked together.
const TOGETHER: usize = 8;

/// One number of a cell.
struct Entry {
    column: u8,
    kind: Kind,
    client: Option<EpochField>,
    number: u64,
}

type Samples = HashMap<EpochField, TokenId>;

impl Shared {
    pub(super) async fn tallies(&self) -> Result<Vec<BucketCounts>, StoreError> {
        let lanes = self.lanes(None).into_iter().map(|lane| self.tallies_of(lane));
        let lanes = try_join_all(lanes).await?;
        let mut tallies = CountTotals::default();
        lanes.into_iter().flatten().for_each(|tally| tallies.add(tally));
        Ok(tallies.into_all())
    }

    async fn tallies_of(&self, lane: Lane) -> Result<Vec<BucketCounts>, StoreError> {
        let slot = self.keys.slot(lane);
        let call = Call::new(&self.scripts.spans, vec![self.keys.cells(lane)], Vec::new());
        let names = self.net.read(slot, &call).await?.array()?;
        let names = names.into_iter().map(Reply::bytes).collect::<Result<Vec<_>, _>>()?;
        let samples = samples(self.hash(lane, self.keys.samples(lane)).await?);
        let cells = stream::iter(names).map(async |name| {
            let key = [self.keys.cells(lane), name.clone()].concat();
            Ok::<_, StoreError>(cell(&name, self.hash(lane, key).await?, &samples))
        });
        let cells: Vec<_> = cells.buffer_unordered(TOGETHER).try_collect().await?;
        Ok(cells.into_iter().flatten().flatten().collect())
    }

    /// The fields of a hash and their values.
    async fn hash(&self, lane: Lane, key: Vec<u8>) -> Result<Vec<[Vec<u8>; 2]>, StoreError> {
        let call = Call::new(&self.scripts.hash, vec![key], Vec::new());
        let mut parts = self.net.read(self.keys.slot(lane), &call).await?.array()?.into_iter();
        let mut fields = Vec::new();
        while let Some(field) = parts.next() {
            fields.push([field.bytes()?, next(&mut parts)?.bytes()?]);
        }
        Ok(fields)
    }
}

/// One token of each client.
fn samples(fields: Vec<[Vec<u8>; 2]>) -> Samples {
    let sample = |[client, value]: [Vec<u8>; 2]| {
        let client = EpochField::from_bytes(client.try_into().ok()?);
        Some((client, TokenId::from_bytes(*value.first_chunk()?)))
    };
    fields.into_iter().filter_map(sample).collect()
}

/// The tallies of one cell. What means nothing there was not written by us, and counts nothing.
fn cell(name: &[u8], fields: Vec<[Vec<u8>; 2]>, samples: &Samples) -> Option<Vec<BucketCounts>> {
    let (span, laid_aside) = name.split_first_chunk()?;
    let span = TimeBucket::from_bytes(*span)?;
    let mut tallies: HashMap<(Kind, Option<EpochField>), BucketCounts> = HashMap::new();
    for [field, value] in fields {
        let Some(Entry { column, kind, client, number }) = entry(&field, &value) else { continue };
        let tally = tallies.entry((kind, client)).or_insert(BucketCounts::new(span, kind, client));
        match column {
            b'i' => tally.stored = number,
            b'r' => tally.revoked = number,
            _ => tally.exhausted = number,
        }
    }
    let mut tallies: Vec<_> = tallies.into_values().collect();
    for tally in &mut tallies {
        tally.sample = tally.client.and_then(|client| samples.get(&client)).copied();
        if !laid_aside.is_empty() {
            tally.end();
        }
    }
    Some(tallies)
}

/// A field of a cell; see `counting.lua`.
fn entry(field: &[u8], value: &[u8]) -> Option<Entry> {
    let ([column, kind], client) = field.split_first_chunk()?;
    let client = match client {
        [] => None,
        client => Some(EpochField::from_bytes(client.try_into().ok()?)),
    };
    let kind = *Kind::ALL.get(usize::from(kind.checked_sub(b'0')?))?;
    // What the server has lost can bring a number below nothing.
    let number = std::str::from_utf8(value).ok()?.parse::<i64>().ok()?;
    let number = u64::try_from(number).unwrap_or_default();
    Some(Entry { column: *column, kind, client, number })
}
