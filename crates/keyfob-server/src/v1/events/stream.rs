//! Events as they happen, as server-sent events. Their ids are cursors, so a client that sends
//! `Last-Event-ID` resumes without a gap.
//!
//! The stream ends when the server drains, when the manager shuts down, and when the key of the caller
//! is no longer valid.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use keyfob::event::CloudEvent;
use keyfob::handlers::Delivery;
use keyfob::manager::EventStream;
use keyfob::store::Cursor;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::selection::Selection;
use super::view::EventView;
use crate::call::Call;
use crate::listen::phase::{Phase, reached};

/// How often a comment is sent where there are no events, so that proxies keep the connection. The key
/// of the caller is validated again each time.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

struct Streaming {
    call: Call,
    selection: Selection,
    events: EventStream,
    ticks: Interval,
    phases: watch::Receiver<Phase>,
    has_ended: bool,
}

/// What happens first.
enum Next {
    Tick,
    Delivery(Option<Result<Delivery, keyfob::Error>>),
}

/// Answers with the events after a cursor.
pub(super) fn answer(call: Call, selection: Selection, after: Cursor) -> Response<Body> {
    let mut ticks = interval(KEEP_ALIVE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = call.manager().events_from(after);
    let phases = call.shared.phases.subscribe();
    let streaming = Streaming { call, selection, events, ticks, phases, has_ended: false };
    let body = stream::unfold(streaming, |mut streaming| async move {
        let part = streaming.next().await?;
        Some((Ok::<_, Infallible>(part), streaming))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Asks nginx not to hold parts back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

impl Streaming {
    /// Waits for the next part of the body; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.has_ended {
            let delivery = tokio::select! {
                biased;
                () = reached(&mut self.phases, Phase::Draining) => return None,
                _ = self.ticks.tick() => Next::Tick,
                delivery = self.events.next() => Next::Delivery(delivery),
            };
            match delivery {
                Next::Tick if is_caller_valid(&self.call).await => {
                    return Some(Bytes::from_static(b": keep-alive\n\n"));
                }
                Next::Tick => return None,
                Next::Delivery(Some(Ok(Delivery::Event(event)))) => {
                    if self.selection.has_event(&event) {
                        return Some(part(&event, &self.events.cursor().to_string()));
                    }
                }
                Next::Delivery(Some(Ok(Delivery::Trimmed))) => {
                    return Some(Bytes::from_static(b"event: trimmed\ndata: {}\n\n"));
                }
                // The client reconnects, and resumes after the last event that it has seen.
                Next::Delivery(Some(Err(error))) => {
                    tracing::warn!(code = error.code(), %error, "a stream of events ends");
                    self.has_ended = true;
                }
                Next::Delivery(None) => self.has_ended = true,
            }
        }
        None
    }
}

async fn is_caller_valid(call: &Call) -> bool {
    let Ok(caller) = call.caller() else { return false };
    match call.revalidate(caller).await {
        Ok(()) => true,
        // A store that is away revokes nobody.
        Err(error) => !matches!(error, keyfob::Error::Refused(_)),
    }
}

fn part(event: &keyfob::Event, cursor: &str) -> Bytes {
    let view = EventView { event: CloudEvent::new(event), cursor: None };
    let data = serde_json::to_string(&view).unwrap_or_default();
    Bytes::from(format!("id: {cursor}\nevent: {}\ndata: {data}\n\n", event.what.as_str()))
}
