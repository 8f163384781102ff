//! Feeds: an event exists if and only if its change happened, and a reader can resume where it
//! stopped.

use std::collections::HashMap;

use keyfob::Ttl;
use keyfob::store::{
    Advance, Cursor, Entry, EpochScope, Feed, Insert, Lane, LanePosition, RecordVersion, Replace,
    Revoke,
};

use super::fixture::{Fixture, texts};

fn bodies(entries: &[Entry]) -> Vec<Vec<u8>> {
    entries.iter().map(|entry| entry.body.clone()).collect()
}

fn assert_lane_order(entries: &[Entry]) {
    let mut last: HashMap<Lane, LanePosition> = HashMap::new();
    for entry in entries {
        let before = last.insert(entry.lane, entry.position);
        assert!(
            before.is_none_or(|before| before < entry.position),
            "the positions of a lane increase"
        );
    }
}

/// A new feed is empty, from any cursor.
pub(super) async fn an_unwritten_log_is_empty(fixture: Fixture) {
    for feed in [Feed::Events, Feed::Observations] {
        let page =
            fixture.store().entries(feed, &Cursor::start(), 10).await.expect("the store answers");
        assert_eq!(page.entries, [], "{feed:?} is empty");
        assert!(!page.trimmed, "{feed:?}: nothing was trimmed");
        assert!(!page.more, "{feed:?}: there is no more");
        let page =
            fixture.store().entries(feed, &page.cursor, 10).await.expect("the store answers");
        assert_eq!(page.entries, [], "{feed:?} is empty after its cursor");
    }
}

/// Every change is an event, in its lane, in order, with the store's time.
pub(super) async fn changes_are_events_in_order(fixture: Fixture) {
    let lane = fixture.lane(3);
    let early = fixture.now().saturating_sub(Ttl::from_secs(60));
    let record = fixture.record(lane);
    let id = record.id;
    let insert = Insert { records: vec![record], events: texts(&["insert 1", "insert 2"]) };
    fixture.store().insert(fixture.operation(), insert).await.expect("the store answers");
    let replace = Replace {
        events: texts(&["replace 1", "replace 2"]),
        ..fixture.replacement(id, RecordVersion(1), b"two")
    };
    fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
    let revoke = Revoke { events: texts(&["revoke 1", "revoke 2"]), ..fixture.revocation(id) };
    fixture.store().revoke(fixture.operation(), revoke).await.expect("the store answers");
    let scope = EpochScope::Lane(lane, fixture.subject_epoch("user"));
    let events = texts(&["advance 1", "advance 2"]);
    let advance = Advance { events, ..Advance::new(scope, fixture.now()) };
    fixture.store().advance(fixture.operation(), advance).await.expect("the store answers");
    let late = fixture.now() + Ttl::from_secs(60);
    let happened = texts(&[
        "insert 1",
        "insert 2",
        "replace 1",
        "replace 2",
        "revoke 1",
        "revoke 2",
        "advance 1",
        "advance 2",
    ]);
    for limit in 1..=9 {
        let (entries, _) = fixture.entries_after(Feed::Events, Cursor::start(), limit).await;
        assert_eq!(bodies(&entries), happened, "in pages of {limit}");
        assert_lane_order(&entries);
        for entry in entries {
            assert_eq!(entry.lane, lane, "the event is in the lane of the change");
            assert!(early < entry.at() && entry.at() < late, "the store's time: {:?}", entry.at());
        }
    }
}

/// Entries of any bytes come back as they were.
pub(super) async fn bodies_come_back_byte_for_byte(fixture: Fixture) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let written = vec![vec![], vec![0], b"\r\n".to_vec(), every_byte, vec![0xc3; 9000]];
    let records = vec![fixture.record(fixture.lane(0))];
    let insert = Insert { records, events: written.clone() };
    fixture.store().insert(fixture.operation(), insert).await.expect("the store answers");
    fixture.store().observe(fixture.lane(0), written.clone()).await.expect("the store answers");
    for feed in [Feed::Events, Feed::Observations] {
        let (entries, _) = fixture.entries_after(feed, Cursor::start(), 2).await;
        assert_eq!(bodies(&entries), written, "{feed:?} as they were written");
    }
}

/// Events and observations are two feeds.
pub(super) async fn events_and_observations_are_separate(fixture: Fixture) {
    let lane = fixture.lane(0);
    fixture.store().observe(lane, texts(&["seen 1", "seen 2"])).await.expect("the store answers");
    let insert = Insert { records: vec![fixture.record(lane)], events: texts(&["happened"]) };
    fixture.store().insert(fixture.operation(), insert).await.expect("the store answers");
    fixture.store().observe(lane, texts(&["seen 3"])).await.expect("the store answers");
    fixture.store().observe(lane, vec![]).await.expect("the store answers");
    let (seen, cursor) = fixture.entries_after(Feed::Observations, Cursor::start(), 2).await;
    assert_eq!(bodies(&seen), texts(&["seen 1", "seen 2", "seen 3"]), "all observations, in order");
    assert!(
        seen.iter().all(|entry| entry.lane == lane),
        "each observation is in the lane of the call"
    );
    assert_eq!(fixture.events().await, texts(&["happened"]), "all events, in order");
    fixture.store().observe(lane, texts(&["seen 4"])).await.expect("the store answers");
    let (seen, _) = fixture.entries_after(Feed::Observations, cursor, 2).await;
    assert_eq!(bodies(&seen), texts(&["seen 4"]), "only the observations after the cursor");
}

/// A reader resumes where it stopped, also from the text of its cursor, and in every lane.
pub(super) async fn a_reader_resumes_where_it_stopped(fixture: Fixture) {
    let mut cursor = Cursor::start();
    for round in 0..5u8 {
        let mut written = Vec::new();
        for (number, lane) in (0u16..).zip(fixture.lanes()) {
            let body = vec![round, number as u8, (number >> 8) as u8];
            written.push((lane, body.clone()));
            fixture.store().observe(lane, vec![body]).await.expect("the store answers");
        }
        let (entries, after) = fixture.entries_after(Feed::Observations, cursor, 3).await;
        assert_lane_order(&entries);
        let mut read: Vec<_> = entries.into_iter().map(|entry| (entry.lane, entry.body)).collect();
        read.sort();
        assert_eq!(read, written, "round {round}: each new entry once");
        cursor = after.to_string().parse().expect("the text of a cursor parses");
        assert_eq!(cursor, after, "the text contains the whole cursor");
        let (entries, _) = fixture.entries_after(Feed::Observations, cursor.clone(), 3).await;
        assert_eq!(entries, [], "round {round}: no new entry");
    }
}

/// Each page leads to the next one, and all pages together are the same list.
pub(super) async fn every_limit_gives_the_same_entries(fixture: Fixture) {
    for n in 0..40u16 {
        let body = n.to_be_bytes().to_vec();
        fixture.store().observe(fixture.lane(n % 5), vec![body]).await.expect("the store answers");
    }
    for limit in (1..=41).chain([1000]) {
        let (entries, _) = fixture.entries_after(Feed::Observations, Cursor::start(), limit).await;
        assert_lane_order(&entries);
        let mut read = bodies(&entries);
        read.sort();
        let written: Vec<_> = (0..40u16).map(|n| n.to_be_bytes().to_vec()).collect();
        assert_eq!(read, written, "in pages of {limit}");
    }
}

/// A cursor in the future returns no entry. Positions of unknown lanes are ignored.
pub(super) async fn a_foreign_cursor_does_no_harm(fixture: Fixture) {
    let lane = fixture.lane(0);
    fixture.store().observe(lane, texts(&["seen"])).await.expect("the store answers");
    let year = Ttl::from_days(365);
    let mut ahead = Cursor::start();
    let millis = (fixture.now() + year).as_millis();
    ahead.advance(lane, LanePosition { millis, number: 3 });
    let page =
        fixture.store().entries(Feed::Observations, &ahead, 10).await.expect("the store answers");
    assert_eq!(page.entries, [], "there is no entry after a cursor in the future");
    let mut foreign = Cursor::start();
    foreign.advance(Lane::new(u16::MAX), LanePosition { millis, number: 3 });
    let (entries, _) = fixture.entries_after(Feed::Observations, foreign, 10).await;
    assert_eq!(bodies(&entries), texts(&["seen"]), "existing lanes are read from the start");
    let mut early = Cursor::start();
    early.advance(lane, LanePosition { millis: 1, number: u64::from(u32::MAX) });
    let (entries, _) = fixture.entries_after(Feed::Observations, early, 10).await;
    assert_eq!(bodies(&entries), texts(&["seen"]), "entries after a position without an entry");
}

/// The latest cursor returns later entries, and no earlier entry.
pub(super) async fn the_latest_cursor_returns_only_new_entries(fixture: Fixture) {
    for feed in [Feed::Events, Feed::Observations] {
        let latest = || async { fixture.store().latest(feed).await.expect("the store answers") };
        let at_first = latest().await;
        let mut cursors = vec![(at_first, 0)];
        for n in 0..6u8 {
            let lane = fixture.lane(n.into());
            let body = vec![n];
            match feed {
                Feed::Observations => {
                    fixture.store().observe(lane, vec![body]).await.expect("the store answers");
                }
                Feed::Events => {
                    let insert = Insert { records: vec![fixture.record(lane)], events: vec![body] };
                    fixture
                        .store()
                        .insert(fixture.operation(), insert)
                        .await
                        .expect("the store answers");
                }
            }
            cursors.push((latest().await, n + 1));
        }
        for (cursor, next) in cursors {
            let (entries, _) = fixture.entries_after(feed, cursor, 2).await;
            let mut read = bodies(&entries);
            read.sort();
            let later: Vec<_> = (next..6).map(|n| vec![n]).collect();
            assert_eq!(read, later, "{feed:?}: the entries after the cursor");
        }
    }
}

/// A reader that follows writers sees each entry once, in the order of its lane.
pub(super) async fn a_following_reader_misses_no_entry(fixture: Fixture) {
    const EACH: u8 = 60;
    let lanes: Vec<_> = fixture.lanes().into_iter().take(4).collect();
    let writers = lanes.iter().map(|lane| {
        let (fixture, lane) = (fixture.clone(), *lane);
        tokio::spawn(async move {
            for n in 0..EACH {
                let insert = Insert { records: vec![fixture.record(lane)], events: vec![vec![n]] };
                fixture
                    .store()
                    .insert(fixture.operation(), insert)
                    .await
                    .expect("the store answers");
                tokio::task::yield_now().await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut cursor = Cursor::start();
    let mut read: HashMap<Lane, Vec<u8>> = HashMap::new();
    let mut last_round = false;
    loop {
        let done = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let (entries, after) = fixture.entries_after(Feed::Events, cursor, 7).await;
        assert_lane_order(&entries);
        cursor = after;
        for entry in entries {
            read.entry(entry.lane).or_default().extend(entry.body);
        }
        if last_round {
            break;
        }
        last_round = done;
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.expect("the task did not panic");
    }
    for lane in lanes {
        let expected: Vec<u8> = (0..EACH).collect();
        assert_eq!(read.get(&lane), Some(&expected), "each once, in order, in {lane:?}");
    }
}
