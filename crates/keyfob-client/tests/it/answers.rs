//! Errors: what the server said, what is known without an answer, and no secret in any text.

use std::time::Duration;

use keyfob::TokenId;
use keyfob_client::api::GrantSpec;
use keyfob_client::{Client, Error, ErrorClass, ListQuery, RetryPolicy};

use crate::support::{Prepare, Prepared, Service, builder, key};

#[tokio::test]
async fn an_error_has_the_code_the_class_and_the_id_of_the_request() {
    let service = Service::start().await;
    let client = service.client();
    let unknown: TokenId = "tok_00d1h88n000000000000000001".parse().unwrap();
    let error = client.get(unknown).await.unwrap_err();
    assert_eq!((error.code(), error.class()), ("token_not_found", ErrorClass::NotFound));
    assert!(error.request_id().is_some_and(|id| id.len() == 32));
    assert!(error.to_string().contains("not found"), "{error}");

    let error = client.list(&ListQuery::new("subjct:a")).await.unwrap_err();
    assert_eq!((error.code(), error.class()), ("invalid_filter", ErrorClass::InvalidRequest));

    let reader = key(&service.manager, "keyfob:read").await;
    let reader = builder(service.address).bearer(reader).build().unwrap();
    let error = reader.issue(&GrantSpec::default()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.class()),
        ("insufficient_scope", ErrorClass::InsufficientScope)
    );

    let nobody = builder(service.address).build().unwrap();
    let error = nobody.stats().await.unwrap_err();
    assert_eq!((error.code(), error.class()), ("unauthenticated", ErrorClass::InvalidToken));
}

#[tokio::test]
async fn texts_do_not_contain_the_key() {
    let service = Service::start().await;
    let client = builder(service.address).bearer("fob_ak_hunter2").build().unwrap();
    let error = client.stats().await.unwrap_err();
    assert_eq!(error.code(), "invalid_client");
    for text in [format!("{error} {error:?}"), format!("{client:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    let builder = Client::builder("http://127.0.0.1:1").bearer("hunter2 x");
    assert!(!format!("{builder:?}").contains("hunter2"));
    assert!(!builder.build().unwrap_err().to_string().contains("hunter2"));
}

#[tokio::test]
async fn an_answer_of_another_server_is_named_so() {
    let html = Prepared::start(&[Prepare::Answer(200, "", "<html>hunter2")]).await;
    let error = html.client().stats().await.unwrap_err();
    assert_eq!(error.code(), "unexpected_answer");
    assert!(!error.to_string().contains("hunter2"), "{error}");

    let gateway = Prepared::start(&[Prepare::Answer(404, "", "<html>")]).await;
    let error = gateway.client().stats().await.unwrap_err();
    assert_eq!((error.code(), error.class()), ("unexpected_answer", ErrorClass::NotFound));
}

#[tokio::test]
async fn a_server_that_is_away_or_silent_is_unavailable() {
    let away = Client::builder("http://127.0.0.1:1").retry(RetryPolicy::never()).build().unwrap();
    let error = away.stats().await.unwrap_err();
    assert_eq!((error.code(), error.class()), ("server_unreachable", ErrorClass::Unavailable));
    assert!(!error.is_outcome_unknown());
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");

    let silent = Prepared::start(&[Prepare::Silence]).await;
    let client = builder(silent.address).timeout(Duration::from_millis(100));
    let error = client.build().unwrap().issue(&GrantSpec::default()).await.unwrap_err();
    assert_eq!((error.code(), error.is_outcome_unknown()), ("no_answer", true));
    assert!(matches!(error, Error::Transport(_)));
}
