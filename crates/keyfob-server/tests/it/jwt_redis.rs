//! Status lists of two servers over one Redis with several lanes.

use std::collections::BTreeSet;
use std::sync::Arc;

use keyfob::{Grant, Kind, RevokeRequest, TokenId, TokenManager};
use keyfob_jwt::access_token::AccessToken;
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::redis::{RedisServer, fresh_namespace, server};
use serde_json::json;

use crate::jwt::*;
use crate::support::Service;

const LANES: u16 = 8;

async fn service(redis: &RedisServer, namespace: &str) -> Service {
    let url = format!("{}?namespace={namespace}&lanes={LANES}", redis.url());
    let store = RedisStore::open(url.parse::<RedisConfig>().unwrap()).await.unwrap();
    Service::over(TokenManager::new(Arc::new(store)), settings()).await
}

fn id(token: &AccessToken) -> TokenId {
    token.jti.parse().unwrap()
}

/// Returns which of these tokens a server says are revoked.
async fn revoked(service: &Service, tokens: &[AccessToken]) -> BTreeSet<String> {
    let list = list(service, &tokens[0]).await.list;
    let is_revoked = |token: &&AccessToken| {
        let place = &token.status.as_ref().unwrap().status_list;
        list.is_revoked(place.idx).unwrap()
    };
    tokens.iter().filter(is_revoked).map(|token| token.jti.clone()).collect()
}

#[tokio::test]
async fn a_revocation_in_any_lane_is_in_the_lists_of_every_server_within_the_bound() {
    let namespace = fresh_namespace();
    let (first, second) =
        (service(server(), &namespace).await, service(server(), &namespace).await);
    let admin = first.admin().await;
    let mut tokens = Vec::new();
    for number in 0..48 {
        let (subject, client) = (format!("s{}", number % 6), format!("c{}", number % 4));
        let body =
            json!({ "subject": subject, "client": client, "audience": [ORDERS], "format": "jwt" });
        tokens.push(issue(&first, &admin, body).await.1);
    }
    let lanes: BTreeSet<_> = tokens.iter().map(|token| id(token).lane()).collect();
    assert!(lanes.len() > 1, "the tokens are in one lane: {lanes:?}");
    let uris: BTreeSet<_> =
        tokens.iter().map(|token| &token.status.as_ref().unwrap().status_list.uri).collect();
    assert_eq!(uris.len(), 1, "one process fills one list");
    let mut expected = BTreeSet::new();
    assert_eq!(revoked(&first, &tokens).await, expected);
    assert_eq!(revoked(&second, &tokens).await, expected);

    let because = || RevokeRequest::reason("test");
    for step in ["single", "subject", "client", "all"] {
        let is_in = |number: usize| match step {
            "single" => number < 5,
            "subject" => number % 6 == 5,
            "client" => number % 4 == 2,
            _ => true,
        };
        // The server that revokes is not the one that is asked first.
        match step {
            "single" => {
                for token in &tokens[..5] {
                    second.manager.revoke(id(token), because()).await.unwrap();
                }
            }
            "subject" => {
                first.manager.revoke_subject(&"s5".parse().unwrap(), because()).await.unwrap();
            }
            "client" => {
                second.manager.revoke_client(&"c2".parse().unwrap(), because()).await.unwrap();
            }
            _ => {
                first.manager.revoke_all(because()).await.unwrap();
            }
        }
        let now = tokens.iter().enumerate().filter(|(number, _)| is_in(*number));
        expected.extend(now.map(|(_, token)| token.jti.clone()));
        after_the_bound().await;
        assert_eq!(revoked(&second, &tokens).await, expected, "{step}");
        assert_eq!(revoked(&first, &tokens).await, expected, "{step}");
    }
    // A server that starts now reads the same from the index.
    assert_eq!(revoked(&service(server(), &namespace).await, &tokens).await, expected);
}

#[tokio::test]
async fn no_list_is_served_while_redis_does_not_answer() {
    let redis = RedisServer::start().unwrap();
    let namespace = fresh_namespace();
    let url = format!("{}?namespace={namespace}&lanes={LANES}&response_timeout=300ms", redis.url());
    let store = RedisStore::open(url.parse::<RedisConfig>().unwrap()).await.unwrap();
    let service = Service::over(TokenManager::new(Arc::new(store)), settings()).await;
    let admin = service.admin().await;
    let (_, token) = issue(&service, &admin, grant()).await;
    assert_eq!(list(&service, &token).await.list.revoked(), 0);
    let path = token.status.as_ref().unwrap().status_list.uri.strip_prefix(ISSUER).unwrap();
    redis.pause().unwrap();
    after_the_bound().await;
    assert_eq!(service.get(path, None).await.status, 503);
    redis.resume().unwrap();
    let mut begun = 0;
    while service.get(path, None).await.status != 200 {
        begun += 1;
        assert!(begun < 100, "the list is not served again");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_session_that_ends_takes_its_jwts_with_it_in_every_lane() {
    let namespace = fresh_namespace();
    let (first, second) =
        (service(server(), &namespace).await, service(server(), &namespace).await);
    let key = Grant::new(Kind::ApiKey).client("shop").audience(ORDERS);
    let key = first.key_of(key).await;
    let session = Grant::new(Kind::Session).subject("alice").client("web").audience(ORDERS);
    let session = first.manager.issue(session).await.unwrap();
    let mut tokens = Vec::new();
    for _ in 0..6 {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", session.bearer.expose()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("audience", ORDERS),
        ];
        let reply = first.form("/oauth2/token", Some(&key.basic()), &form).await;
        let keys = keys(&first).await;
        let jwt = text(&reply, "access_token");
        tokens.push(keyfob_jwt::access_token::open(&jwt, &keys).unwrap().0);
    }
    assert!(revoked(&second, &tokens).await.is_empty());
    second.manager.revoke(session.token.id, "logout").await.unwrap();
    after_the_bound().await;
    for service in [&first, &second] {
        assert_eq!(revoked(service, &tokens).await.len(), tokens.len());
    }
}
