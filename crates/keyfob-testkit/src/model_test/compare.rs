//! The comparisons of the store with the model, after each step and at the end.

use std::collections::BTreeMap;

use keyfob::Kind;
use keyfob::store::{
    BucketCounts, Cursor, EpochField, Feed, Lane, Order, Query, RecordHead, TimeBucket,
};

use crate::model::Write;

use super::run::{Mismatch, ModelRun, store_failed};

impl ModelRun {
    /// Compares all read methods at the end of a run.
    pub(super) async fn compare_all(&self) -> Result<(), Mismatch> {
        self.compare_records().await?;
        for limit in [1, 3, 1000] {
            self.compare_lists(limit, None).await?;
        }
        self.compare_events().await
    }

    /// Compares the stamps after a write that must not advance an epoch.
    pub(super) async fn compare_stamps(&self, by: &Write) -> Result<(), Mismatch> {
        for lane in &self.lanes {
            let stamp = self.store().stamp(*lane).await.map_err(store_failed)?;
            let expected = self.model.stamp(*lane);
            ensure!(stamp == expected, "{lane:?} was advanced to {stamp:?} by {by:?}");
        }
        Ok(())
    }

    pub(super) async fn compare_records(&self) -> Result<(), Mismatch> {
        for id in self.ids.iter().flatten() {
            let now = self.setup.now();
            let found = self.store().load(*id).await.map_err(store_failed)?;
            let expected = self.model.load(*id, now);
            let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
            ensure!(
                found == expected,
                "a load returns\n  {found}\nbut the model has\n  {expected}"
            );
        }
        Ok(())
    }

    pub(super) async fn compare_tallies(&self) -> Result<(), Mismatch> {
        let found = self.store().tallies().await.map_err(store_failed)?;
        let now = self.setup.now();
        let found =
            counted(found.counts.into_iter().filter(|counts_row| now < counts_row.span.to()));
        let expected = counted(self.model.tallies(now));
        ensure!(
            found == expected,
            "the counts are\n  {found:?}\nbut the model has\n  {expected:?}"
        );
        Ok(())
    }

    pub(super) async fn compare_lists(
        &self,
        limit: usize,
        lane: Option<Lane>,
    ) -> Result<(), Mismatch> {
        for term in self.terms(lane.unwrap_or(self.lanes[0]))? {
            for order in [Order::NewestFirst, Order::NextToExpire] {
                let mut query = Query { term, lane, order, after: None, limit };
                let heads = self.heads(query).await?;
                let mut listed = Vec::new();
                loop {
                    let page = self.store().query(&query).await.map_err(store_failed)?;
                    ensure!(page.records.len() <= limit, "a page above its limit: {query:?}");
                    listed.extend(page.records);
                    let Some(next) = page.next else { break };
                    ensure!(
                        query.after != Some(next),
                        "the next page starts at the same position: {query:?}"
                    );
                    query.after = Some(next);
                }
                let expected = self.model.list(term, lane, order, self.setup.now());
                let (found, wanted) = (format!("{listed:?}"), format!("{expected:?}"));
                ensure!(
                    found == wanted,
                    "{query:?} lists\n  {found}\nbut the model lists\n  {wanted}"
                );
                let wanted: Vec<_> = expected.iter().map(RecordHead::of).collect();
                ensure!(
                    heads == wanted,
                    "{query:?} lists the heads\n  {heads:?}\nbut the model lists\n  {wanted:?}"
                );
                let count = self.store().count(term, lane).await.map_err(store_failed)?;
                let (least, most) = (expected.len() as u64, self.written.get(&term).copied());
                let bounds = least..=most.unwrap_or_default().max(least);
                ensure!(bounds.contains(&count), "{term:?} counts {count}, not within {bounds:?}");
            }
        }
        Ok(())
    }

    /// Returns all heads of a list, without where they are counted.
    async fn heads(&self, mut query: Query) -> Result<Vec<RecordHead>, Mismatch> {
        let mut heads = Vec::new();
        loop {
            let page = self.store().heads(&query).await.map_err(store_failed)?;
            heads.extend(page.records.into_iter().map(|head| head.counted_in(None)));
            let Some(next) = page.next else { return Ok(heads) };
            query.after = Some(next);
        }
    }

    async fn compare_events(&self) -> Result<(), Mismatch> {
        let (mut found, mut cursor) = (Vec::new(), Cursor::start());
        loop {
            let page =
                self.store().entries(Feed::Events, &cursor, 7).await.map_err(store_failed)?;
            found.extend(page.entries.into_iter().map(|entry| (entry.lane, entry.body)));
            cursor = page.cursor;
            if !page.more {
                break;
            }
        }
        let happened = self.model.events();
        for lane in &self.lanes {
            let (found, expected): (Vec<_>, Vec<_>) = (
                found
                    .iter()
                    .filter(|(of, body)| of == lane && is_of_lane(happened, body))
                    .collect(),
                happened.iter().filter(|(of, _)| *of == Some(*lane)).collect(),
            );
            let same = found.iter().map(|(_, b)| b).eq(expected.iter().map(|(_, b)| b));
            ensure!(same, "{lane:?} has the events {found:?}, not {expected:?}");
        }
        let mut bodies: Vec<_> = found.into_iter().map(|(_, body)| body).collect();
        let mut expected: Vec<_> = happened.iter().map(|(_, body)| body.clone()).collect();
        bodies.sort();
        expected.sort();
        ensure!(bodies == expected, "the events are {bodies:?}, not {expected:?}");
        Ok(())
    }
}

/// Returns the numbers of all counts that are not zero. The store may choose any token of the
/// client as the sample.
fn counted(
    tallies: impl IntoIterator<Item = BucketCounts>,
) -> BTreeMap<(TimeBucket, Kind, Option<EpochField>), [u64; 3]> {
    let numbers = |counts_row: BucketCounts| {
        let key = (counts_row.span, counts_row.kind, counts_row.client);
        (key, [counts_row.stored, counts_row.revoked, counts_row.exhausted])
    };
    tallies.into_iter().map(numbers).filter(|(_, numbers)| *numbers != [0; 3]).collect()
}

/// Returns whether the contract determines the lane of an event.
fn is_of_lane(happened: &[(Option<Lane>, Vec<u8>)], body: &[u8]) -> bool {
    happened.iter().any(|(lane, of)| lane.is_some() && of == body)
}
