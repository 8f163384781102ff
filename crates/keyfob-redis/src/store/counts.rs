//! The counts of tokens: the count buckets of all lanes, added up.

use std::collections::HashMap;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use keyfob_store::{
    BucketCounts, CountTotals, EpochField, Kind, Lane, StoreError, Tallies, TimeBucket, TokenId,
};

use super::missing_lanes::MissingLanes;
use super::shared::Shared;
use crate::connections::{Call, Reply, next};
use crate::protocol::constants::counts;
use crate::protocol::signatures::{count_buckets, read_hash};

/// The number of count buckets of a lane that are read at the same time. All lanes are read at the same
/// time too.
const CONCURRENT_PER_LANE: usize = 8;

/// One count of a bucket.
struct Count {
    column: &'static str,
    kind: Kind,
    client: Option<EpochField>,
    number: u64,
}

type Samples = HashMap<EpochField, TokenId>;

impl Shared {
    pub(super) async fn tallies(&self) -> Result<Tallies, StoreError> {
        let lanes = self.lanes(None);
        let counts = lanes.iter().map(async |lane| (*lane, self.counts_of(*lane).await));
        let (mut totals, mut missing) = (CountTotals::default(), MissingLanes::default());
        for (lane, counts) in join_all(counts).await {
            let counts = missing.or_missing(lane, counts)?;
            counts.into_iter().flatten().for_each(|counts| totals.add(counts));
        }
        Ok(Tallies { counts: totals.into_all(), missing: missing.unless_all(lanes.len())? })
    }

    async fn counts_of(&self, lane: Lane) -> Result<Vec<BucketCounts>, StoreError> {
        let slot = self.keys.slot(lane);
        let keys = count_buckets::Keys { count_directory: self.keys.count_directory(lane) };
        let call = Call::new(&self.scripts.count_buckets, keys, []);
        let names = self.connections.read(slot, &call).await?.array()?;
        let names = names.into_iter().map(Reply::bytes).collect::<Result<Vec<_>, _>>()?;
        let samples = samples(self.hash(lane, self.keys.count_samples(lane)).await?);
        let buckets = stream::iter(names).map(async |name| {
            let key = [self.keys.count_directory(lane), name.clone()].concat();
            Ok::<_, StoreError>(bucket_counts(&name, self.hash(lane, key).await?, &samples))
        });
        let buckets: Vec<_> = buckets.buffer_unordered(CONCURRENT_PER_LANE).try_collect().await?;
        Ok(buckets.into_iter().flatten().flatten().collect())
    }

    /// Returns the fields of a hash and their values.
    async fn hash(&self, lane: Lane, key: Vec<u8>) -> Result<Vec<[Vec<u8>; 2]>, StoreError> {
        let call = Call::new(&self.scripts.read_hash, read_hash::Keys { hash: key }, []);
        let mut parts =
            self.connections.read(self.keys.slot(lane), &call).await?.array()?.into_iter();
        let mut fields = Vec::new();
        while let Some(field) = parts.next() {
            fields.push([field.bytes()?, next(&mut parts)?.bytes()?]);
        }
        Ok(fields)
    }
}

/// Returns one token of each client.
fn samples(fields: Vec<[Vec<u8>; 2]>) -> Samples {
    let sample = |[client, value]: [Vec<u8>; 2]| {
        let client = EpochField::from_bytes(client.try_into().ok()?);
        Some((client, TokenId::from_bytes(*value.first_chunk()?)))
    };
    fields.into_iter().filter_map(sample).collect()
}

/// Returns the counts of one bucket. A field that cannot be read was not written by keyfob and counts as 0.
fn bucket_counts(
    name: &[u8],
    fields: Vec<[Vec<u8>; 2]>,
    samples: &Samples,
) -> Option<Vec<BucketCounts>> {
    // The first bytes of an operation follow if the bucket is closed: everything in it is revoked.
    let (time, closed_by) = name.split_first_chunk()?;
    let time = TimeBucket::from_bytes(*time)?;
    let mut all: HashMap<(Kind, Option<EpochField>), BucketCounts> = HashMap::new();
    for [field, value] in fields {
        let Some(Count { column, kind, client, number }) = read_count(&field, &value) else {
            continue;
        };
        let counts = all.entry((kind, client)).or_insert(BucketCounts::new(time, kind, client));
        match column {
            counts::STORED => counts.stored = number,
            counts::REVOKED => counts.revoked = number,
            _ => counts.exhausted = number,
        }
    }
    let mut all: Vec<_> = all.into_values().collect();
    for counts in &mut all {
        counts.sample = counts.client.and_then(|client| samples.get(&client)).copied();
        if !closed_by.is_empty() {
            counts.end();
        }
    }
    Some(all)
}

/// Reads a field of a count bucket; see `count_bucket.lua`.
fn read_count(field: &[u8], value: &[u8]) -> Option<Count> {
    let ([column, kind], client) = field.split_first_chunk()?;
    let columns = [counts::STORED, counts::REVOKED, counts::EXHAUSTED];
    let column = columns.into_iter().find(|known| known.as_bytes() == [*column])?;
    let client = match client {
        [] => None,
        client => Some(EpochField::from_bytes(client.try_into().ok()?)),
    };
    let kind = *Kind::ALL.get(usize::from(kind.checked_sub(b'0')?))?;
    // A count that the server has lost can bring a number below zero.
    let number = std::str::from_utf8(value).ok()?.parse::<i64>().ok()?;
    let number = u64::try_from(number).unwrap_or_default();
    Some(Count { column, kind, client, number })
}
