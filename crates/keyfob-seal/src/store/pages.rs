//! Pages of records whose terms are blinded under several keys: one page of each, merged in order.
//!
//! As long as only one term key is in use, there is one page and nothing to merge.

use super::SealedStore;
use crate::sealer::Sealer;
use keyfob_store::{Call, Listed, Order, Position, Query, RecordPage, Store, StoreError};

impl SealedStore {
    /// Reads one page of what is listed under the term, under any key. The records are still sealed.
    /// `read` reads a page of the wrapped store.
    pub(super) async fn page<R: Listed>(
        &self,
        sealer: &Sealer,
        query: &Query,
        read: impl for<'a> Fn(&'a dyn Store, &'a Query) -> Call<'a, RecordPage<R>>,
    ) -> Result<RecordPage<R>, StoreError> {
        let forms = sealer.forms(query.term);
        let queries: Vec<Query> = forms.into_iter().map(|term| Query { term, ..*query }).collect();
        if let [query] = queries.as_slice() {
            return read(&*self.inner, query).await;
        }
        let mut pages = Vec::with_capacity(queries.len());
        // One query after the other, the oldest key first, so that a record that moves to a newer key in the
        // meantime is found under one of them.
        for query in &queries {
            pages.push(read(&*self.inner, query).await?);
        }
        Ok(merge(pages, query.order, query.limit))
    }
}

fn merge<R: Listed>(pages: Vec<RecordPage<R>>, order: Order, limit: usize) -> RecordPage<R> {
    // After the earliest end of these pages, one of the lists may have more records.
    let ends = pages.iter().filter_map(|page| page.next);
    let end = ends.min_by(|one, other| one.compare(other, order));
    let (mut records, mut missing) = (Vec::new(), Vec::new());
    for page in pages {
        records.extend(page.records);
        missing.extend(page.missing);
    }
    missing.sort_unstable();
    missing.dedup();
    records.sort_by(|one, other| one.position().compare(&other.position(), order));
    // A record that moves to a newer key may be found under both keys.
    records.dedup_by_key(|record| record.position().id);
    if let Some(end) = end {
        records.retain(|record| record.position().compare(&end, order).is_le());
    }
    if records.len() > limit {
        records.truncate(limit);
        let next = records.last().map(Position::of);
        return RecordPage { records, next, missing };
    }
    RecordPage { records, next: end, missing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::KeyVersion;
    use keyfob_core::id::TokenId;
    use keyfob_core::time::Timestamp;
    use keyfob_store::{Epochs, Loaded, MonotonicInstant, RecordVersion, Stamp, Verdict};

    fn loaded(n: u8) -> Loaded {
        Loaded {
            id: TokenId::from_bytes([n; 16]),
            body: Vec::new(),
            sent: MonotonicInstant::now(),
            key: KeyVersion::PLAINTEXT,
            version: RecordVersion(1),
            stamp: Stamp::new(1),
            keep_until: Timestamp::from_millis(1000 * u64::from(n)),
            uses_left: None,
            last_used: None,
            epochs: Epochs::default(),
            verdict: Verdict::Clear,
            last_advance: None,
        }
    }

    fn page(ids: &[u8], more: bool) -> RecordPage {
        let records: Vec<_> = ids.iter().map(|n| loaded(*n)).collect();
        let next = records.last().filter(|_| more).map(Position::of);
        RecordPage::new(records, next)
    }

    fn check(pages: Vec<RecordPage>, limit: usize, expected: &[u8], next: Option<u8>) {
        let merged = merge(pages, Order::NextToExpire, limit);
        let ids: Vec<u8> = merged.records.iter().map(|record| record.id.as_bytes()[0]).collect();
        assert_eq!(ids, expected);
        assert_eq!(merged.next, next.map(|n| Position::of(&loaded(n))));
    }

    #[test]
    fn pages_are_merged_in_order_and_each_record_is_there_once() {
        check(vec![page(&[1, 4], false), page(&[2, 4, 5], false)], 9, &[1, 2, 4, 5], None);
        check(vec![page(&[], false), page(&[], false)], 9, &[], None);
    }

    #[test]
    fn records_above_the_limit_are_on_the_next_page() {
        check(vec![page(&[1, 3], false), page(&[2, 4], false)], 3, &[1, 2, 3], Some(3));
    }

    #[test]
    fn nothing_is_given_before_what_a_page_may_still_hold() {
        check(vec![page(&[1, 2], true), page(&[5, 6], true)], 4, &[1, 2], Some(2));
        check(vec![page(&[1, 9], true), page(&[2, 3], false)], 4, &[1, 2, 3, 9], Some(9));
    }

    #[test]
    fn a_page_that_ends_early_ends_the_whole_early() {
        let short = RecordPage::new(vec![], Some(Position::of(&loaded(3))));
        check(vec![short, page(&[2, 4], false)], 4, &[2], Some(3));
    }
}
