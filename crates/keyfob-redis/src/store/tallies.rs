//! What is counted: the cells of every lane, added up.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use keyfob::store::{Span, StoreError, Tallies, Tally};
use keyfob::{EpochField, Kind, Lane, TokenId};

use super::Shared;
use crate::net::{Call, Reply, next};

/// How many cells of a lane are asked for at a time; all lanes are asked together.
const TOGETHER: usize = 8;

/// One number of a cell, or one of its samples.
enum Entry {
    Number { column: u8, kind: Kind, client: Option<EpochField>, number: u64 },
    Sample { client: EpochField, id: TokenId },
}

impl Shared {
    pub(super) async fn tallies(&self) -> Result<Vec<Tally>, StoreError> {
        let lanes = self.lanes(None).into_iter().map(|lane| self.tallies_of(lane));
        let lanes = futures_util::future::try_join_all(lanes).await?;
        let mut tallies = Tallies::default();
        lanes.into_iter().flatten().for_each(|tally| tallies.add(tally));
        Ok(tallies.into_all())
    }

    async fn tallies_of(&self, lane: Lane) -> Result<Vec<Tally>, StoreError> {
        let slot = self.keys.slot(lane);
        let call = Call::new(&self.scripts.spans, vec![self.keys.cells(lane)], Vec::new());
        let names = self.net.read(slot, &call).await?.array()?;
        let names = names.into_iter().map(Reply::bytes).collect::<Result<Vec<_>, _>>()?;
        let cells = stream::iter(names).map(async |name| {
            let key = [self.keys.cells(lane), name.clone()].concat();
            let call = Call::new(&self.scripts.tally, vec![key], Vec::new());
            cell(&name, self.net.read(slot, &call).await?)
        });
        let cells: Vec<_> = cells.buffer_unordered(TOGETHER).try_collect().await?;
        Ok(cells.into_iter().flatten().collect())
    }
}

/// The tallies of one cell.
fn cell(name: &[u8], reply: Reply) -> Result<Vec<Tally>, StoreError> {
    let strange = || StoreError::unavailable("a count has a name that means nothing");
    let (span, laid_aside) = name.split_first_chunk().ok_or_else(strange)?;
    let span = Span::from_bytes(*span).ok_or_else(strange)?;
    let (mut tallies, mut samples) = (Vec::<Tally>::new(), Vec::new());
    let mut fields = reply.array()?.into_iter();
    while let Some(field) = fields.next() {
        let (field, value) = (field.bytes()?, next(&mut fields)?.bytes()?);
        match entry(&field, &value).ok_or_else(strange)? {
            Entry::Sample { client, id } => samples.push((client, id)),
            Entry::Number { column, kind, client, number } => {
                let known = tallies.iter().position(|of| (of.kind, of.client) == (kind, client));
                let place = known.unwrap_or(tallies.len());
                if known.is_none() {
                    tallies.push(Tally::new(span, kind, client));
                }
                let Some(tally) = tallies.get_mut(place) else { continue };
                match column {
                    b'i' => tally.stored = number,
                    b'r' => tally.revoked = number,
                    _ => tally.exhausted = number,
                }
            }
        }
    }
    for tally in &mut tallies {
        let sample = samples.iter().find(|(client, _)| tally.client == Some(*client));
        tally.sample = sample.map(|(_, id)| *id);
        if !laid_aside.is_empty() {
            tally.end();
        }
    }
    Ok(tallies)
}

/// A field of a cell; see `counting.lua`.
fn entry(field: &[u8], value: &[u8]) -> Option<Entry> {
    let (column, rest) = field.split_first()?;
    if *column == b's' {
        let client = EpochField::from_bytes(rest.try_into().ok()?);
        return Some(Entry::Sample { client, id: TokenId::from_bytes(value.try_into().ok()?) });
    }
    let (kind, client) = rest.split_first()?;
    let client = match client {
        [] => None,
        client => Some(EpochField::from_bytes(client.try_into().ok()?)),
    };
    let kind = *Kind::ALL.get(usize::from(kind.checked_sub(b'0')?))?;
    // What the server has lost can bring a number below nothing.
    let number = std::str::from_utf8(value).ok()?.parse::<i64>().ok()?;
    let number = u64::try_from(number).unwrap_or_default();
    Some(Entry::Number { column: *column, kind, client, number })
}
