//! Following events over connections that break.

use keyfob::{Grant, Kind};
use keyfob_client::{EventStream, EventsQuery, StreamedEvent};

use crate::support::Service;

async fn next(stream: &mut EventStream) -> (String, String) {
    match stream.next().await.unwrap() {
        StreamedEvent::Event(event) => (event.subject.unwrap(), event.cursor.unwrap()),
        StreamedEvent::Trimmed => panic!("nothing was deleted"),
    }
}

async fn issue(service: &Service) -> String {
    service.issue(Grant::new(Kind::Access).subject("alice")).await.token.id.to_string()
}

#[tokio::test]
async fn events_arrive_once_and_in_order_whatever_breaks() {
    let service = Service::start().await;
    let proxy = service.proxy().await;
    let client = service.client_at(proxy.address());
    let mut stream = client.follow_events(EventsQuery::new().after("latest")).await.unwrap();
    let mut issued = Vec::new();
    let mut read = Vec::new();
    for round in 0..12 {
        issued.push(issue(&service).await);
        issued.push(issue(&service).await);
        read.push(next(&mut stream).await.0);
        // In between, half of the events of the round are not read yet.
        if round % 3 == 1 {
            proxy.cut();
        }
        read.push(next(&mut stream).await.0);
    }
    assert_eq!(read, issued);
}

#[tokio::test]
async fn latest_means_when_the_stream_was_asked_for() {
    let service = Service::start().await;
    issue(&service).await;
    let query = EventsQuery::new().after("latest");
    let mut stream = service.client().follow_events(query).await.unwrap();
    // The stream has not connected yet.
    let issued = issue(&service).await;
    assert_eq!(next(&mut stream).await.0, issued);
}

#[tokio::test]
async fn another_stream_continues_at_the_cursor() {
    let service = Service::start().await;
    let client = service.client();
    let ids = [issue(&service).await, issue(&service).await];
    let query = EventsQuery::new().kind("keyfob.token.issued");
    let mut stream = client.follow_events(query.clone()).await.unwrap();
    next(&mut stream).await; // the admin key
    let (first, cursor) = next(&mut stream).await;
    assert_eq!((&first, &cursor), (&ids[0], &stream.cursor().to_owned()));
    let mut again = client.follow_events(query.after(cursor)).await.unwrap();
    assert_eq!(next(&mut again).await.0, ids[1]);
}

#[tokio::test]
async fn a_refusal_ends_the_stream_with_its_error() {
    let service = Service::start().await;
    let reader = crate::support::key(&service.manager, "keyfob:read").await;
    let client = crate::support::builder(service.address).bearer(reader).build().unwrap();
    let mut stream = client.follow_events(EventsQuery::new()).await.unwrap();
    assert_eq!(stream.next().await.unwrap_err().code(), "insufficient_scope");
}
