//! Readers of an event log whose entries are trimmed before they are read.

use keyfob::Ttl;
use keyfob::store::prelude::*;
use keyfob::store::{Cursor, Feed, Lane};
use keyfob_testkit::redis::server;

use crate::support::*;

#[tokio::test]
async fn entries_trimmed_in_an_unread_lane_are_reported() {
    // A hundred entries in each lane. The server trims a hundred at a time.
    let config = config(&server().url(), 2).with_feed(200, Ttl::from_days(1));
    let store = open(&config).await;
    let (first, second) = (Lane::new(0), Lane::new(1));
    let observe = |lane, count: u32| {
        let entries = (0..count).map(|n| n.to_string().into_bytes()).collect();
        store.observe(lane, entries)
    };
    let page = |cursor: Cursor| {
        let store = &store;
        async move { store.entries(Feed::Observations, &cursor, 1).await.unwrap() }
    };
    // Entries that were trimmed before a reader began are not missed.
    observe(first, 1000).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    observe(second, 1000).await.unwrap();
    let begun = page(Cursor::start()).await;
    assert_eq!(begun.entries[0].lane, first, "the older entry");
    assert!(!begun.trimmed && begun.more);
    let next = page(begun.cursor.clone()).await;
    assert!(!next.trimmed, "no further entry was trimmed: {:?}", next.cursor);

    observe(second, 1000).await.unwrap();
    let after = page(begun.cursor).await;
    assert!(after.trimmed, "a thousand entries of the second lane are gone: {:?}", after.cursor);
    let further = page(after.cursor).await;
    assert!(!further.trimmed, "the gap is reported once");
}
