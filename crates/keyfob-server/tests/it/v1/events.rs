//! `GET /v1/events`: pages and streams.

use std::time::Duration;

use http_body_util::BodyExt as _;
use keyfob::{Grant, Kind, RevokeRequest};
use keyfob_api::EventsPageBody;
use tokio::time::timeout;

use crate::support::{Key, Service};

/// An open stream of server-sent events.
struct Sse {
    response: http::Response<hyper::body::Incoming>,
    text: String,
}

impl Sse {
    async fn open(service: &Service, key: &Key, path: &str, last: Option<&str>) -> Self {
        let mut request = http::Request::get(format!("{}{path}", service.url))
            .header("authorization", key.bearer())
            .header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = service.open_request(request.body(Default::default()).unwrap()).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// Waits for the next event: its id and its data.
    async fn next(&mut self) -> Option<(String, serde_json::Value)> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let line = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
                };
                if let (Some(id), Some(data)) = (line("id: "), line("data: ")) {
                    return Some((id, serde_json::from_str(&data).unwrap()));
                }
            }
            let frame = timeout(Duration::from_secs(10), self.response.body_mut().frame());
            match frame.await.unwrap() {
                Some(frame) => {
                    let data = frame.unwrap().into_data().unwrap();
                    self.text.push_str(std::str::from_utf8(&data).unwrap());
                }
                None => return None,
            }
        }
    }
}

async fn reader(service: &Service) -> Key {
    service.key("reader", "keyfob:events").await
}

#[tokio::test]
async fn events_are_read_page_by_page() {
    let service = Service::start().await;
    let reader = reader(&service).await;
    let issued = service.manager.issue(Grant::new(Kind::Access).subject("alice")).await.unwrap();
    let id = issued.token.id;
    service.manager.revoke(id, RevokeRequest::reason("user logout")).await.unwrap();
    let (mut types, mut cursor) = (Vec::new(), "start".to_owned());
    loop {
        let path = format!("/v1/events?token={id}&limit=1&after={cursor}");
        let reply = service.get_as(&path, &reader).await;
        let page: EventsPageBody = serde_json::from_slice(&reply.body).unwrap();
        types.extend(page.events.iter().map(|event| event.kind.clone()));
        cursor = page.cursor;
        if !page.more {
            break;
        }
    }
    assert_eq!(types, ["keyfob.token.issued", "keyfob.token.revoked"]);
    let reply = service.get_as("/v1/events?type=keyfob.token.revoked", &reader).await;
    let page: EventsPageBody = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(page.events[0].data["reason"], "user logout");
    let reply = service.get_as("/v1/events?after=latest", &reader).await;
    let page: EventsPageBody = serde_json::from_slice(&reply.body).unwrap();
    assert!(page.events.is_empty() && !page.more);
    for query in ["after=nonsense", "token=x", "limit=0", "observations=yes", "since=now"] {
        assert_eq!(service.get_as(&format!("/v1/events?{query}"), &reader).await.status, 400);
    }
}

#[tokio::test]
async fn events_since_a_time_are_read() {
    let service = Service::start().await;
    let reader = reader(&service).await;
    let id = service.manager.issue(Grant::new(Kind::Access)).await.unwrap().token.id;
    service.manager.revoke(id, ()).await.unwrap();
    let count = async |path: &str| {
        let reply = service.get_as(path, &reader).await;
        let page: EventsPageBody = serde_json::from_slice(&reply.body).unwrap();
        page.events.len()
    };
    assert!(count("/v1/events?after=2020-01-01T00:00:00Z").await >= 2);
    assert_eq!(count("/v1/events?after=9999-01-01T00:00:00Z").await, 0);
    assert_eq!(count("/v1/events?after=9999-01-01T00:00:00Z&observations=true").await, 0);
}

#[tokio::test]
async fn observations_are_selected_as_events_are() {
    let service = Service::start().await;
    let reader = reader(&service).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let issued = service.manager.issue(Grant::new(Kind::Access)).await.unwrap();
        service.manager.revoke(issued.token.id, ()).await.unwrap();
        assert!(service.manager.validate_active(&issued.bearer).await.is_err());
        ids.push(issued.token.id);
    }
    let path = format!("/v1/events?observations=true&token={}&after=2020-01-01T00:00:00Z", ids[0]);
    let seen = async |path: &str| {
        let reply = service.get_as(path, &reader).await;
        let page: EventsPageBody = serde_json::from_slice(&reply.body).unwrap();
        page.events
    };
    // They are written together, a moment later.
    let seen_of_one = timeout(Duration::from_secs(10), async {
        loop {
            let events = seen(&path).await;
            if !events.is_empty() {
                return events;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    for event in seen_of_one.await.unwrap() {
        assert_eq!(event.subject, Some(ids[0].to_string()));
        assert_eq!(event.data["code"], "token_revoked");
    }
    assert!(seen(&format!("{path}&type=keyfob.token.used")).await.is_empty());
}

#[tokio::test]
async fn a_stream_delivers_events_and_resumes_after_the_last_id() {
    let service = Service::start().await;
    let reader = reader(&service).await;
    let mut stream = Sse::open(&service, &reader, "/v1/events", None).await;
    let subject = |n| Grant::new(Kind::Access).subject(format!("user{n}"));
    // The stream starts at the present: the key of the reader is not in it.
    service.bearer(subject(1)).await;
    let (first, event) = stream.next().await.unwrap();
    assert_eq!(event["data"]["token_subject"], "user1");
    service.bearer(subject(2)).await;
    assert_eq!(stream.next().await.unwrap().1["data"]["token_subject"], "user2");
    drop(stream);
    service.bearer(subject(3)).await;
    let mut resumed = Sse::open(&service, &reader, "/v1/events", Some(&first)).await;
    for n in [2, 3] {
        let expected = format!("user{n}");
        assert_eq!(resumed.next().await.unwrap().1["data"]["token_subject"], expected);
    }
}

#[tokio::test]
async fn a_stream_is_filtered() {
    let service = Service::start().await;
    let reader = reader(&service).await;
    let path = "/v1/events?type=keyfob.token.revoked";
    let mut stream = Sse::open(&service, &reader, path, None).await;
    let id = service.manager.issue(Grant::new(Kind::Access)).await.unwrap().token.id;
    service.manager.revoke(id, ()).await.unwrap();
    assert_eq!(stream.next().await.unwrap().1["type"], "keyfob.token.revoked");
}

#[tokio::test]
async fn a_stream_ends_when_the_server_drains() {
    let (service, stop) = Service::stoppable().await;
    let reader = reader(&service).await;
    let mut stream = Sse::open(&service, &reader, "/v1/events", None).await;
    stop.send(()).unwrap();
    assert!(stream.next().await.is_none());
}
