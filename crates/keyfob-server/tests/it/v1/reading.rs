//! Reading tokens: one, pages, numbers, histories.

use keyfob::{Grant, Kind};
use keyfob_api::{CountBody, HistoryBody, TokenBody, TokenPageBody};

use crate::support::Service;

#[tokio::test]
async fn a_token_is_read_as_the_command_line_shows_it() {
    let service = Service::start().await;
    let reader = service.key("reader", "keyfob:read").await;
    let grant = Grant::new(Kind::Session).subject("alice").tag("beta");
    let token = service.manager.issue(grant).await.unwrap().token;
    let reply = service.get_as(&format!("/v1/tokens/{}", token.id), &reader).await;
    assert_eq!(reply.status, 200);
    let expected = serde_json::to_vec(&token.view(service.manager.now())).unwrap();
    assert_eq!(reply.body, expected);
    assert!(serde_json::from_slice::<TokenBody>(&reply.body).is_ok());

    let reply = service.get_as(&format!("/v1/tokens/{}/history", token.id), &reader).await;
    let history: HistoryBody = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(history.changes[0].what, "issued");
}

#[tokio::test]
async fn an_id_that_is_unknown_or_no_id_is_answered_with_a_problem() {
    let service = Service::start().await;
    let reader = service.key("reader", "keyfob:read").await;
    let unknown = "/v1/tokens/tok_00000000000000000000000000";
    assert_eq!(service.get_as(unknown, &reader).await.error(), (404, "token_not_found".into()));
    for path in ["/v1/tokens/x", "/v1/tokens/%00", "/v1/tokens/%ff", "/v1/tokens/tok_0/history"] {
        let reply = service.get_as(path, &reader).await;
        assert_eq!(reply.error(), (400, "invalid_value".into()), "{path}");
        assert_eq!(reply.headers["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn pages_are_followed_by_cursor_and_counted() {
    let service = Service::start().await;
    let reader = service.key("reader", "keyfob:read").await;
    for _ in 0..5 {
        service.bearer(Grant::new(Kind::Access).subject("alice, bob")).await;
    }
    service.bearer(Grant::new(Kind::Access).subject("carol")).await;
    let path = "/v1/tokens?filter=subject:$who+kind:access&bind.who=alice,+bob&limit=2";
    let (mut found, mut cursor) = (0, String::new());
    for expected in [2, 2, 1] {
        let reply = service.get_as(&format!("{path}{cursor}"), &reader).await;
        let page: TokenPageBody = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(page.tokens.len(), expected);
        found += page.tokens.len();
        cursor = page.next.map(|next| format!("&cursor={next}")).unwrap_or_default();
    }
    assert_eq!((found, &*cursor), (5, ""));
    let path = "/v1/tokens/count?filter=subject:$who&bind.who=alice,+bob";
    let reply = service.get_as(path, &reader).await;
    assert_eq!(serde_json::from_slice::<CountBody>(&reply.body).unwrap().count, 5);
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused() {
    let service = Service::start().await;
    let reader = service.key("reader", "keyfob:read").await;
    for (query, code) in [
        ("filter=sbject:alice", "invalid_filter"),
        ("filter=subject:$who", "invalid_filter"),
        ("cursor=nonsense", "invalid_value"),
        ("limit=0", "invalid_parameter"),
        ("limit=1001", "invalid_parameter"),
        ("limit=x", "invalid_parameter"),
        ("order=oldest", "invalid_parameter"),
        ("max_time=soon", "invalid_value"),
        ("fliter=kind:access", "unknown_parameter"),
        ("limit=1&limit=2", "invalid_query"),
        ("filter=%ff", "invalid_query"),
        ("access_token=x", "unknown_parameter"),
    ] {
        let reply = service.get_as(&format!("/v1/tokens?{query}"), &reader).await;
        assert_eq!(reply.error(), (400, code.into()), "{query}");
    }
}

#[tokio::test]
async fn a_cursor_of_another_filter_is_refused() {
    let service = Service::start().await;
    let reader = service.key("reader", "keyfob:read").await;
    for _ in 0..2 {
        service.bearer(Grant::new(Kind::Access).subject("alice")).await;
    }
    let reply = service.get_as("/v1/tokens?filter=subject:alice&limit=1", &reader).await;
    let page: TokenPageBody = serde_json::from_slice(&reply.body).unwrap();
    let path = format!("/v1/tokens?filter=subject:bob&cursor={}", page.next.unwrap());
    assert_eq!(service.get_as(&path, &reader).await.error(), (400, "invalid_value".into()));
}

#[tokio::test]
async fn a_caller_with_an_audience_reads_only_tokens_that_are_meant_for_it() {
    let service = Service::start().await;
    let grant = Grant::new(Kind::ApiKey).client("shop").audience("shop");
    let confined = service.key_of(grant.scopes("keyfob:read keyfob:events keyfob:issue")).await;
    let own = Grant::new(Kind::Access).subject("alice").audience("shop");
    let own = service.manager.issue(own).await.unwrap().token.id;
    let other = Grant::new(Kind::Access).subject("alice").audience("bank");
    let other = service.manager.issue(other).await.unwrap().token.id;
    let open = service.manager.issue(Grant::new(Kind::Access).subject("alice")).await;
    let open = open.unwrap().token.id;
    assert_eq!(service.get_as(&format!("/v1/tokens/{own}"), &confined).await.status, 200);
    for id in [other, open] {
        for path in [format!("/v1/tokens/{id}"), format!("/v1/tokens/{id}/history")] {
            let reply = service.get_as(&path, &confined).await;
            assert_eq!(reply.error(), (404, "token_not_found".into()));
        }
        let body = serde_json::json!({"tags": ["x"]});
        let path = format!("/v1/tokens/{id}");
        let reply = service.json(http::Method::PATCH, &path, &confined, body).await;
        assert_eq!(reply.error(), (404, "token_not_found".into()));
        let reply = service.post("/v1/explain", &confined, serde_json::json!({"id": id})).await;
        assert_eq!(reply.error(), (404, "token_not_found".into()));
    }
    let reply = service.get_as("/v1/tokens?filter=subject:alice", &confined).await;
    let page: TokenPageBody = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(page.tokens.iter().map(|token| token.id).collect::<Vec<_>>(), [own]);
    let reply = service.get_as("/v1/tokens/count?filter=subject:alice", &confined).await;
    assert_eq!(serde_json::from_slice::<CountBody>(&reply.body).unwrap().count, 1);
    for path in ["/v1/stats", "/v1/events"] {
        let reply = service.get_as(path, &confined).await;
        assert_eq!(reply.error(), (403, "confined_to_audiences".into()));
    }
}
