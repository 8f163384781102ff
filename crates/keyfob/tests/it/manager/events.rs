//! Events, observations and their handlers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use keyfob::event::{CloudEvent, ObservationKind};
use keyfob::handlers::{Delivery, EventHandler, HandlerError, JsonLines};
use keyfob::store::{
    Call, Counting, Cursor, Documents, EventLog, Invalidations, Maintenance, RecordStore,
    Resealing, StoreError, StoreMethod, StoreWrapper, TermIndex,
};
use keyfob::{
    Event, EventKind, MemoryStore, Metadata, RevokeRequest, Store, Subject, TokenManager,
    UpdateRequest,
};

use super::{Bench, bench, bench_with, session};

async fn three_events(bench: &Bench) {
    let id = bench.manager.issue(session("user123").by("login")).await.unwrap().token.id;
    let change = |metadata: &mut keyfob::Metadata| metadata.tags.insert("vip".try_into()?);
    bench.manager.update(id, UpdateRequest::new(), change).await.unwrap();
    bench.manager.revoke(id, RevokeRequest::reason("user logout").by("user123")).await.unwrap();
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.what.as_str()).collect()
}

const THREE: [&str; 3] =
    ["keyfob.token.issued", "keyfob.token.metadata_updated", "keyfob.token.revoked"];

#[tokio::test]
async fn every_change_leaves_its_event_and_a_cursor_reads_on() {
    let bench = bench();
    three_events(&bench).await;
    let page = bench.manager.events(&Cursor::start(), 2).await.unwrap();
    assert!(page.more && !page.trimmed);
    let rest = bench.manager.events(&page.cursor, 10).await.unwrap();
    assert!(!rest.more);
    let all: Vec<Event> =
        page.events.into_iter().chain(rest.events).map(|(event, _)| event).collect();
    assert_eq!(names(&all), THREE);
    assert_eq!(all[0].by.as_ref().unwrap().as_str(), "login");
    assert_eq!(all[2].reason.as_ref().unwrap().as_str(), "user logout");

    let subject = Subject::new("user123").unwrap();
    bench.manager.revoke_subject(&subject, RevokeRequest::default()).await.unwrap();
    let page = bench.manager.events(&rest.cursor, 10).await.unwrap();
    let [(event, _)] = &page.events[..] else { panic!("{page:?}") };
    assert!(matches!(&event.what, EventKind::EpochAdvanced { .. }));
}

#[tokio::test]
async fn the_event_of_a_login_holds_its_device_and_its_address() {
    let bench = bench();
    bench.manager.issue(session("unknown")).await.unwrap();
    let mut metadata = Metadata::default();
    metadata.device.id = Some("phone-1".try_into().unwrap());
    metadata.device.ip = Some("192.0.2.7".parse().unwrap());
    bench.manager.issue(session("user123").metadata(metadata)).await.unwrap();
    let page = bench.manager.events(&Cursor::start(), 10).await.unwrap();
    let data: Vec<_> = page
        .events
        .iter()
        .map(|(event, _)| serde_json::to_value(CloudEvent::new(event)).unwrap()["data"].clone())
        .collect();
    assert!(data[0].get("device").is_none() && data[0].get("ip").is_none(), "{data:?}");
    assert_eq!((&data[1]["device"], &data[1]["ip"]), (&"phone-1".into(), &"192.0.2.7".into()));
}

#[tokio::test]
async fn a_refused_change_writes_no_event() {
    let bench = bench();
    let id = bench.manager.issue(session("user123")).await.unwrap().token.id;
    bench.manager.revoke(id, RevokeRequest::default()).await.unwrap();
    let before = bench.manager.latest_event().await.unwrap();
    bench.manager.revoke(id, RevokeRequest::default()).await.unwrap();
    assert!(bench.manager.update(id, UpdateRequest::new(), |_| Ok(())).await.is_err());
    assert!(bench.manager.events(&before, 10).await.unwrap().events.is_empty());
}

#[tokio::test]
async fn a_stream_of_events_waits_and_resumes() {
    let bench = bench();
    let mut events = bench.manager.events_from(Cursor::start());
    let manager = bench.manager.clone();
    let later = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        manager.issue(session("user123")).await.unwrap();
    });
    let Some(Ok(Delivery::Event(first))) = events.next().await else { panic!() };
    later.await.unwrap();
    assert_eq!(first.what.as_str(), THREE[0]);
    let cursor: Cursor = events.cursor().to_string().parse().unwrap();
    bench.manager.issue(session("user456")).await.unwrap();
    let mut resumed = bench.manager.events_from(cursor);
    let Some(Ok(Delivery::Event(second))) = resumed.next().await else { panic!() };
    assert_ne!(second.id, first.id);
}

#[tokio::test]
async fn a_stream_from_the_latest_event_has_what_happens_from_then_on() {
    let bench = bench();
    bench.manager.issue(session("before")).await.unwrap();
    let mut events = bench.manager.events_from(bench.manager.latest_event().await.unwrap());
    three_events(&bench).await;
    for name in THREE {
        match events.next().await.unwrap().unwrap() {
            Delivery::Event(event) => assert_eq!(event.what.as_str(), name),
            Delivery::Trimmed => panic!("nothing was trimmed"),
        }
    }
}

/// Fails the first time it sees each event.
struct Stubborn {
    seen: Arc<Mutex<Vec<Event>>>,
    failed: Option<keyfob::event::EventId>,
}

impl EventHandler for Stubborn {
    fn handle(&mut self, delivery: &Delivery) -> Result<(), HandlerError> {
        let Delivery::Event(event) = delivery else { panic!("nothing was trimmed") };
        if self.failed != Some(event.id) {
            self.failed = Some(event.id);
            return Err(std::io::Error::other("the disk is full").into());
        }
        self.seen.lock().unwrap().push(Event::clone(event));
        Ok(())
    }
}

async fn until(condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come to that within ten seconds");
}

#[tokio::test]
async fn a_handler_that_fails_is_given_the_event_again_and_misses_none() {
    let bench = bench();
    three_events(&bench).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let handler = Stubborn { seen: seen.clone(), failed: None };
    let task = bench.manager.spawn_handler(handler, Cursor::start());
    until(|| seen.lock().unwrap().len() == 3).await;
    assert_eq!(names(&seen.lock().unwrap()), THREE);
    task.stop().await;
}

#[tokio::test]
async fn a_slow_handler_delays_no_request_and_catches_up() {
    let bench = bench();
    let count = Arc::new(Mutex::new(0));
    let counted = count.clone();
    let slow = move |_: &Delivery| {
        std::thread::sleep(Duration::from_millis(2));
        *counted.lock().unwrap() += 1;
        Ok(())
    };
    let task = bench.manager.spawn_handler(slow, Cursor::start());
    for n in 0..300 {
        bench.manager.issue(session(&format!("user{n}"))).await.unwrap();
    }
    assert!(*count.lock().unwrap() < 300, "issuing does not wait for the handler");
    until(|| *count.lock().unwrap() == 300).await;
    task.stop().await;
}

#[tokio::test]
async fn an_audit_log_is_lines_of_cloud_events() {
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let bench = bench();
    three_events(&bench).await;
    let file = Shared::default();
    let task = bench.manager.spawn_handler(JsonLines::new(file.clone()), Cursor::start());
    let lines = || String::from_utf8(file.0.lock().unwrap().clone()).unwrap();
    until(|| lines().lines().count() == 3).await;
    task.stop().await;
    for (line, name) in lines().lines().zip(THREE) {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["type"], name);
        assert_eq!(event["source"], "/keyfob");
        assert!(event["subject"].as_str().unwrap().starts_with("tok_"));
    }
}

/// A writer that accepts a part of each write, and then fails once.
struct FullDisk {
    written: Arc<Mutex<Vec<u8>>>,
    fails: bool,
}

impl std::io::Write for FullDisk {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if std::mem::take(&mut self.fails) {
            return Err(std::io::Error::other("the disk is full"));
        }
        let part = &bytes[..bytes.len().min(40)];
        self.fails = part.len() < bytes.len() && self.written.lock().unwrap().is_empty();
        self.written.lock().unwrap().extend_from_slice(part);
        Ok(part.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_torn_line_of_an_audit_log_does_not_run_into_the_next() {
    let bench = bench();
    three_events(&bench).await;
    let written = Arc::new(Mutex::new(Vec::new()));
    let disk = FullDisk { written: written.clone(), fails: false };
    let task = bench.manager.spawn_handler(JsonLines::new(disk), Cursor::start());
    let text = || String::from_utf8(written.lock().unwrap().clone()).unwrap();
    until(|| text().lines().count() == 4 && text().ends_with('\n')).await;
    task.stop().await;
    let whole = text()
        .lines()
        .filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
        .count();
    assert_eq!(whole, 3, "{}", text());
}

#[tokio::test]
async fn a_handler_that_was_stopped_is_given_nothing_more() {
    let bench = bench();
    for n in 0..100 {
        bench.manager.issue(session(&format!("user{n}"))).await.unwrap();
    }
    let count = Arc::new(Mutex::new(0));
    let counted = count.clone();
    let slow = move |_: &Delivery| {
        std::thread::sleep(Duration::from_millis(5));
        *counted.lock().unwrap() += 1;
        Ok(())
    };
    let task = bench.manager.spawn_handler(slow, Cursor::start());
    until(|| *count.lock().unwrap() > 0).await;
    task.stop().await;
    let stopped_at = *count.lock().unwrap();
    assert!(stopped_at < 100);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(*count.lock().unwrap(), stopped_at);
}

#[tokio::test]
async fn observations_have_a_feed_of_their_own_and_a_bounded_rate() {
    let bench = bench_with(|builder| builder.observations_per_second(10).sample_uses(0));
    let issued = bench.manager.issue(session("user123")).await.unwrap();
    bench.manager.revoke(issued.token.id, RevokeRequest::default()).await.unwrap();
    for _ in 0..500 {
        let _ = bench.manager.validate_active(&issued.bearer).await;
    }
    bench.clock.advance(keyfob::Ttl::from_secs(1));
    let _ = bench.manager.validate_active(&issued.bearer).await;
    bench.manager.shutdown().await;
    let page = bench.manager.observations(&Cursor::start(), 100).await.unwrap();
    let seen = &page.observations;
    assert_eq!(seen.len(), 11);
    assert_eq!(seen[10].0.left_out, 490);
    let refused =
        ObservationKind::Refused { token: Some(issued.token.id), code: "token_revoked".into() };
    assert_eq!(seen[0].0.what, refused);
    // The flood of observations writes no events.
    let events = bench.manager.events(&Cursor::start(), 1000).await.unwrap();
    assert_eq!(events.events.len(), 2);
}

/// A store whose feed fails on request.
#[derive(Debug)]
struct FailingFeed {
    inner: Arc<dyn Store>,
    is_failing: AtomicBool,
}

impl StoreWrapper for FailingFeed {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    fn around<'a, T: Send + 'a>(&'a self, method: StoreMethod, call: Call<'a, T>) -> Call<'a, T> {
        if method == StoreMethod::Entries && self.is_failing.load(Ordering::SeqCst) {
            return Box::pin(async { Err(StoreError::unavailable("the feed fails")) });
        }
        call
    }
}

impl RecordStore for FailingFeed {
    keyfob::store::forward_store! {
        namespace insert load replace consume touch revoke advance stamp time_of
    }
}

impl TermIndex for FailingFeed {
    keyfob::store::forward_store! { query heads count }
}

impl EventLog for FailingFeed {
    keyfob::store::forward_store! { observe entries latest }
}

impl Counting for FailingFeed {}

impl Resealing for FailingFeed {}

impl Documents for FailingFeed {}

impl Invalidations for FailingFeed {}

impl Maintenance for FailingFeed {
    keyfob::store::forward_store! { report close }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_a_stream_and_resumes_after_an_error() {
    fn is_send_and_unpin<T: Send + Unpin>(_: &T) {}

    let inner = Arc::new(MemoryStore::new().unwrap());
    let store = Arc::new(FailingFeed { inner, is_failing: AtomicBool::new(true) });
    let manager = TokenManager::builder(store.clone()).build();
    manager.issue(session("user123")).await.unwrap();
    let mut events = manager.events_from(Cursor::start());
    is_send_and_unpin(&events);
    assert!(StreamExt::next(&mut events).await.unwrap().is_err());
    assert_eq!(events.cursor(), &Cursor::start());
    let begun = tokio::time::Instant::now();
    assert!(StreamExt::next(&mut events).await.unwrap().is_err());
    assert_eq!(begun.elapsed(), Duration::from_secs(1), "the stream waits before a retry");
    store.is_failing.store(false, Ordering::SeqCst);
    let Some(Ok(Delivery::Event(event))) = StreamExt::next(&mut events).await else { panic!() };
    assert_eq!(event.what.as_str(), THREE[0]);
    assert_ne!(events.cursor(), &Cursor::start());
}

#[tokio::test(start_paused = true)]
async fn own_events_are_delivered_without_a_poll() {
    let bench = bench();
    let mut events = bench.manager.events_from(Cursor::start());
    let manager = bench.manager.clone();
    let later = async move {
        // Waits until the stream polls at its longest interval.
        tokio::time::sleep(Duration::from_millis(20_010)).await;
        manager.issue(session("user123")).await.unwrap();
        tokio::time::Instant::now()
    };
    let delivered = async {
        events.next().await.unwrap().unwrap();
        tokio::time::Instant::now()
    };
    let (written, delivered) = tokio::join!(later, delivered);
    assert_eq!(written, delivered);
}

#[tokio::test(start_paused = true)]
async fn a_future_handles_events_with_their_cursors_and_is_given_one_again_that_failed() {
    let bench = bench();
    three_events(&bench).await;
    let (seen, mut taken) = tokio::sync::mpsc::unbounded_channel();
    let mut fails = true;
    let task = bench.manager.for_each_event(Cursor::start(), move |delivery, cursor| {
        let fails = std::mem::replace(&mut fails, false);
        let seen = seen.clone();
        async move {
            if fails {
                return Err("not yet");
            }
            seen.send((delivery, cursor)).unwrap();
            Ok(())
        }
    });
    let mut last = Cursor::start();
    for name in THREE {
        let (delivery, cursor) = taken.recv().await.unwrap();
        let Delivery::Event(event) = delivery else { panic!("nothing was trimmed") };
        assert_eq!(event.what.as_str(), name);
        assert_ne!(cursor, last);
        last = cursor;
    }
    tokio::task::yield_now().await;
    assert_eq!(task.cursor(), last);
    task.stop().await;
    assert!(bench.manager.events(&last, 10).await.unwrap().events.is_empty());
}

#[tokio::test]
async fn a_future_that_panics_ends_its_task_alone() {
    let bench = bench();
    three_events(&bench).await;
    let task = bench.manager.for_each_event(Cursor::start(), async |_, _| -> Result<(), String> {
        panic!("a bug in the handler")
    });
    until(|| task.is_finished()).await;
    assert_eq!(task.cursor(), Cursor::start());
    bench.manager.issue(session("user123")).await.unwrap();
}
