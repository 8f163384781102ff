//! Streams and polls, against a real server. What they say is tested in `keyfob-server`.

use keyfob_client::api::signals::{
    ChangeStreamBody, CreateStreamBody, PollBody, StreamStatus, StreamStatusBody,
    StreamSubjectBody, VerifyStreamBody,
};

use crate::support::Service;

#[tokio::test]
async fn a_stream_is_created_polled_changed_and_deleted() {
    let service = Service::transmitting().await;
    let client = service.client();
    let stream = client.create_stream(&CreateStreamBody::default()).await.unwrap();
    let stream_id = stream.stream_id.clone();
    let id = &*stream_id;
    assert_eq!(client.streams().await.unwrap()[0].stream_id, id);
    let description = Some("orders".to_owned());
    let stream_id = stream_id.clone();
    let mut changes = ChangeStreamBody { stream_id, description, ..ChangeStreamBody::default() };
    let changed = client.update_stream(&changes).await.unwrap();
    assert_eq!(changed.description.as_deref(), Some("orders"));
    (changes.delivery, changes.description) = (Some(changed.delivery), None);
    assert_eq!(client.replace_stream(&changes).await.unwrap().description, None);
    let verify = VerifyStreamBody { stream_id: id.to_owned(), state: Some("x".to_owned()) };
    client.verify_stream(&verify).await.unwrap();
    let too_soon = client.verify_stream(&verify).await.unwrap_err();
    assert_eq!(too_soon.code(), "verified_too_soon");
    let mut poll = PollBody { return_immediately: true, ..PollBody::default() };
    let answer = client.poll_stream(id, &poll).await.unwrap();
    let [(jti, _)] = &answer.sets.0[..] else { panic!("{answer:?}") };
    poll.ack.push(jti.clone());
    assert_eq!(client.poll_stream(id, &poll).await.unwrap().sets.0, []);
    let subject = serde_json::json!({ "format": "opaque", "id": "x" });
    let subject = subject.as_object().unwrap().clone();
    let subject = StreamSubjectBody { stream_id: id.to_owned(), subject };
    client.remove_stream_subject(&subject).await.unwrap();
    client.add_stream_subject(&subject).await.unwrap();
    let (stream_id, status) = (id.to_owned(), StreamStatus::Paused);
    let paused = StreamStatusBody { stream_id, status, reason: Some("later".to_owned()) };
    assert_eq!(client.set_stream_status(&paused).await.unwrap(), paused);
    assert_eq!(client.stream_status(id).await.unwrap(), paused);
    client.delete_stream(id).await.unwrap();
    assert_eq!(client.stream(id).await.unwrap_err().code(), "stream_not_found");
}
