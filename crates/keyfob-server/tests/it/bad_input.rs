//! Requests that are not as they should be: the standard's error, never a 500.

use http::Method;
use keyfob_server::access::demand::Demand;
use keyfob_server::routes::route::{Tag, Takes};
use keyfob_server::routes::table::routes;

use crate::support::{FORM, Service};

const PATH: &str = "/oauth2/introspect";

#[tokio::test]
async fn bodies_that_are_malformed_are_refused() {
    let service = Service::start().await;
    let key = service.key("gateway", "keyfob:introspect").await.basic();
    let large = format!("token={}", "x".repeat(10 * 1024 * 1024));
    for (content_type, body, status) in [
        (FORM, &b"token=a&token=b"[..], 400),
        (FORM, b"token=%ff", 400),
        (FORM, b"\xff=1", 400),
        (FORM, b"", 400),
        (FORM, b"token=", 400),
        (FORM, large.as_bytes(), 413),
        ("application/json", b"{\"token\":\"a\"}", 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("text/plain", b"token=a", 415),
    ] {
        let reply = service.raw(Method::POST, PATH, Some(&key), content_type, body.to_vec()).await;
        assert_eq!(reply.error(), (status, "invalid_request".into()), "{content_type}");
        assert_eq!(reply.headers["cache-control"], "no-store");
    }
    let charset = format!("{FORM}; charset=UTF-8");
    let reply = service.raw(Method::POST, PATH, Some(&key), &charset, "token=a").await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn credentials_that_are_ambiguous_are_refused() {
    let service = Service::start().await;
    let key = service.key("app", "keyfob:introspect").await;
    let form = [("token", "x"), ("client_id", "app"), ("client_secret", &*key.bearer)];
    assert_eq!(service.form(PATH, None, &form).await.status, 200);
    let reply = service.form(PATH, Some(&key.basic()), &form).await;
    assert_eq!(reply.error(), (400, "invalid_request".into()));
    for header in ["Basic", "Basic !!!", "Bearer", "Digest x", "\u{0080}"] {
        let reply = service.form(PATH, Some(header), &[("token", "x")]).await;
        assert_eq!(reply.error(), (400, "invalid_request".into()), "{header}");
    }
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_have_a_problem_document() {
    let service = Service::start().await;
    for path in ["/", "/oauth2", "/oauth2/token%00", "/v2/tokens/%ff", "/..%2f..%2fetc/passwd"] {
        let reply = service.get(path, None).await;
        assert_eq!(reply.error(), (404, "not_found".into()), "{path}");
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        let id = reply.json()["request_id"].as_str().unwrap().to_owned();
        assert_eq!(id.len(), 32);
    }
    let reply = service.get(PATH, None).await;
    assert_eq!(reply.error(), (405, "method_not_allowed".into()));
    assert_eq!(reply.headers["allow"], "POST");
}

/// Bodies that are no JSON, or JSON of a form that no route takes.
fn bad_bodies() -> Vec<(&'static str, Vec<u8>)> {
    let nested =
        |open: &str, close: &str| (open.repeat(50_000) + &close.repeat(50_000)).into_bytes();
    vec![
        ("nothing", Vec::new()),
        ("no JSON", b"{".to_vec()),
        ("not UTF-8", b"{\"token\":\"\xff\"}".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("a lone surrogate", br#"{"token":"\ud800"}"#.to_vec()),
        ("two values", b"{} {}".to_vec()),
        ("a scalar", b"7".to_vec()),
        ("null", b"null".to_vec()),
        ("a large number", br#"{"token":1e999999}"#.to_vec()),
        ("a repeated member", br#"{"token":"a","token":"b"}"#.to_vec()),
        ("an unknown member", br#"{"hunter2":1}"#.to_vec()),
        ("deep arrays", nested("[", "]")),
        ("deep objects", nested(r#"{"claims":"#, "}")),
        ("deep claims", nested(r#"{"claims":{"a":[[["#, "]]]}}")),
        ("an array of scalars", b"[1,2,3]".to_vec()),
        ("an array that is too long", format!("[{}]", vec!["{}"; 1_001].join(",")).into_bytes()),
        ("a body that is too long", vec![b' '; 5 * 1024 * 1024]),
    ]
}

/// What is in a member that the route does not know.
const IGNORED: [&str; 4] =
    ["a lone surrogate", "a large number", "a repeated member", "an unknown member"];

#[tokio::test]
async fn every_route_that_takes_json_refuses_what_is_no_body_of_it() {
    let service = Service::start().await;
    let key = service.admin().await.bearer();
    let token =
        service.manager.issue(keyfob::Grant::new(keyfob::Kind::ApiKey)).await.unwrap().token;
    for route in routes().iter().filter(|route| matches!(route.takes, Takes::Json { .. })) {
        // A body without a signature is not read at all: `leaks` has the test.
        if route.demand == Demand::Signature {
            continue;
        }
        // Without sealing there are no keys to speak of, whatever the body is.
        if cfg!(not(feature = "seal")) && route.path.starts_with("/v1/keys/") {
            continue;
        }
        let path = route.path.replace("{id}", &token.id.to_string());
        let path = path.replace("{stream}", "wh-00000000000000000000");
        for (what, body) in bad_bodies() {
            // The standards may have more members than this version knows.
            if route.tag == Tag::Signals && IGNORED.contains(&what) {
                continue;
            }
            let method = route.method.clone();
            let reply = service.raw(method, &path, Some(&key), "application/json", body).await;
            let status = reply.status.as_u16();
            assert!([400, 413].contains(&status), "{route:?}: {what}: {status}");
            assert_eq!(reply.headers["content-type"], "application/problem+json");
            assert!(!String::from_utf8_lossy(&reply.body).contains("999999"), "{what}");
        }
    }
}

#[tokio::test]
async fn every_query_that_is_not_valid_is_refused() {
    let service = Service::start().await;
    let key = service.admin().await.bearer();
    let long = "x".repeat(8 * 1024);
    let queries = [
        ("/v1/tokens", "limit=0"),
        ("/v1/tokens", "limit=99999999999999999999999"),
        ("/v1/tokens", "limit=%31%00"),
        ("/v1/tokens", "order=NEWEST"),
        ("/v1/tokens", "cursor=n-0-0-0-tok_00000000000000000000000000-"),
        (
            "/v1/tokens",
            "cursor=x-ffffffff-ffffffffffffffff-ffffffffffffffff-tok_7zzzzzzzzzzzzzzzzzzzzzzzzz",
        ),
        ("/v1/tokens", "filter=%ff"),
        ("/v1/tokens", "filter=subject:"),
        ("/v1/tokens", "filter=subject:$who"),
        ("/v1/tokens", "filter=&bind.=x"),
        ("/v1/tokens", "filter=&bind.who"),
        ("/v1/tokens", "filter=a&filter=b"),
        ("/v1/tokens", "filter=((((((((((((((((("),
        ("/v1/tokens/count", "limit=1"),
        ("/v1/events", "after="),
        ("/v1/events", "after=0.0.0-0.0.0"),
        ("/v1/events", "token=tok_"),
        ("/v1/events", "observations=1"),
        ("/v1/limits", "ip=999.1.1.1"),
        ("/v1/limits", "subject="),
        ("/v1/stats", "x"),
    ];
    for (path, query) in queries {
        let reply = service.get(&format!("{path}?{query}"), Some(&key)).await;
        assert_eq!(reply.status, 400, "{path}?{query}");
        assert_eq!(reply.headers["content-type"], "application/problem+json");
    }
    let reply = service.get(&format!("/v1/tokens?filter=subject:{long}"), Some(&key)).await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn every_id_that_is_no_id_is_refused() {
    let service = Service::start().await;
    let key = service.admin().await.bearer();
    for id in ["x", "tok_", "%00", "tok_%30%00", "%ff", "..%2f..", "tok_8zzzzzzzzzzzzzzzzzzzzzzzzz"]
    {
        for route in routes().iter().filter(|route| route.path.contains("{id}")) {
            let path = route.path.replace("{id}", id);
            let body = if route.takes == Takes::Nothing { "" } else { "{}" };
            let method = route.method.clone();
            let reply = service.raw(method, &path, Some(&key), "application/json", body).await;
            assert!(reply.status.is_client_error(), "{route:?}: {id}: {}", reply.status);
            assert_eq!(
                reply.headers["content-type"], "application/problem+json",
                "{route:?}: {id}"
            );
        }
    }
}
