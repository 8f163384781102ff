//! Requests that are not as they should be: the standard's error, never a 500.

use http::Method;

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
