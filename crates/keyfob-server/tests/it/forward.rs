//! What an edge sends on, and with which headers.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use keyfob::{Grant, Kind, LimitBy, LimitPolicy, Limits, LocalLimits, MemoryStore, TokenManager};
use keyfob_server::forward::{Forward, ForwardedBody, NotForwarded};
use keyfob_server::{RouteLimit, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::Service;

/// A central server that keeps what it gets.
#[derive(Clone, Debug, Default)]
struct Central(Arc<Mutex<Vec<Request<Bytes>>>>);

#[async_trait]
impl Forward for Central {
    async fn forward(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<ForwardedBody>, NotForwarded> {
        self.0.lock().unwrap().push(request);
        let body = Full::new(Bytes::from_static(b"{\"from\":\"central\"}"));
        let body = body.map_err(|never| match never {}).boxed_unsync();
        let answer = Response::builder().status(202).header("x-of", "central");
        let answer = answer.header("connection", "close, X-Hop").header("x-hop", "1");
        let answer = answer.header("keep-alive", "timeout=5");
        Ok(answer.body(body).unwrap())
    }
}

async fn edge() -> (Central, Service) {
    let central = Central::default();
    let manager = TokenManager::new(MemoryStore::new().unwrap());
    let settings = Settings::new().forward(Arc::new(central.clone()));
    (central, Service::over(manager, settings).await)
}

#[tokio::test]
async fn a_request_is_sent_on_with_its_credentials_and_without_claims_about_its_client() {
    let (central, service) = edge().await;
    let request = Request::post(format!("{}/v1/tokens?a=b", service.url))
        .header("authorization", "Bearer fob_ak_of_somebody")
        .header("content-type", "application/json")
        .header("idempotency-key", "once")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .header("x-forwarded-for", "203.0.113.9")
        .header("forwarded", "for=203.0.113.9")
        .header("ssl-client-cert", "-----BEGIN CERTIFICATE-----")
        .header("cookie", "session=x")
        .body(Full::new(Bytes::from_static(b"{}")))
        .unwrap();
    let reply = service.send(request).await;
    assert_eq!((reply.status.as_u16(), reply.json()["from"].as_str()), (202, Some("central")));
    assert_eq!(reply.headers["x-of"], "central");
    assert!(!reply.headers.contains_key("connection"));
    let sent = central.0.lock().unwrap().pop().unwrap();
    assert_eq!((sent.uri().to_string(), &sent.body()[..]), ("/v1/tokens?a=b".into(), &b"{}"[..]));
    let header = |name: &str| sent.headers().get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("authorization"), Some("Bearer fob_ak_of_somebody"));
    assert_eq!(header("idempotency-key"), Some("once"));
    assert!(header("traceparent").is_some());
    assert_eq!(header("x-forwarded-for"), Some("127.0.0.1"));
    for name in ["forwarded", "ssl-client-cert", "cookie", "host", "content-length"] {
        assert_eq!(header(name), None, "{name}");
    }
}

/// An assertion counts once, so it must not be used up before it is known whether the edge can answer.
#[tokio::test]
async fn a_client_that_signs_is_authenticated_by_the_central_server() {
    let (central, service) = edge().await;
    let form = [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", "a.b.c"),
        ("token", "x"),
    ];
    assert_eq!(service.form("/oauth2/introspect", None, &form).await.status, 202);
    let sent = central.0.lock().unwrap().pop().unwrap();
    assert!(sent.body().starts_with(b"client_assertion_type="), "{:?}", sent.body());
}

#[tokio::test]
async fn checks_and_what_is_about_the_edge_are_answered_by_it() {
    let (central, service) = edge().await;
    let admin = service.admin().await;
    for path in ["/v1/caller", "/v1/doctor", "/healthz", "/openapi.json"] {
        assert_eq!(service.get_as(path, &admin).await.status, 200, "{path}");
    }
    let checked = service.post("/v1/validate", &admin, serde_json::json!({"token": "x"})).await;
    assert_eq!(checked.status, 200);
    let asked = |jwt: &str| serde_json::json!({ "token": jwt });
    assert!(central.0.lock().unwrap().is_empty());
    // The keys for JWTs are at the central server.
    let checked = service.post("/v1/validate", &admin, asked("eyJhbGciOiJub25lIn0.e30.")).await;
    assert_eq!(checked.status, 202);
    let form = [("token", "eyJhbGciOiJub25lIn0.e30.")];
    let introspected = service.form("/oauth2/introspect", Some(&admin.basic()), &form).await;
    assert_eq!(introspected.status, 202);
    let sent = central.0.lock().unwrap();
    assert_eq!(&sent[1].body()[..], b"token=eyJhbGciOiJub25lIn0.e30.");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_not_sent_on() {
    let (central, service) = edge().await;
    let admin = service.admin().await;
    let form = [("token", "x".repeat(40_000))];
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, &**value)).collect();
    let reply = service.form("/oauth2/revoke", Some(&admin.basic()), &form).await;
    assert_eq!(reply.status, 413);
    assert!(central.0.lock().unwrap().is_empty());
}

/// A central server that never answers.
#[derive(Debug)]
struct Silent(tokio::sync::Notify);

#[async_trait]
impl Forward for Silent {
    async fn forward(&self, _: Request<Bytes>) -> Result<Response<ForwardedBody>, NotForwarded> {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_silent_central_server_takes_a_quarter_of_all_requests_at_most() {
    let central = Arc::new(Silent(tokio::sync::Notify::new()));
    let mut settings = Settings::new().forward(Arc::clone(&central) as Arc<dyn Forward>);
    settings.bounds.max_requests = 4;
    let manager = TokenManager::new(MemoryStore::new().unwrap());
    let service = Arc::new(Service::over(manager, settings).await);
    let admin = service.admin().await;
    let (waiting, key) = (Arc::clone(&service), admin.bearer());
    let waiting = tokio::spawn(async move { waiting.get("/v1/tokens", Some(&key)).await.status });
    central.0.notified().await;
    let refused = service.get_as("/v1/tokens", &admin).await;
    assert_eq!(refused.error(), (503, "overloaded".to_owned()));
    assert_eq!(refused.headers["retry-after"], "1");
    let jwt = [("token", "eyJhbGciOiJub25lIn0.e30.")];
    let refused = service.form("/oauth2/introspect", Some(&admin.basic()), &jwt).await;
    assert_eq!(refused.status, 503);
    assert_eq!(service.get_as("/v1/caller", &admin).await.status, 200);
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test]
async fn nobody_sends_a_body_without_credentials() {
    let (central, service) = edge().await;
    for (authorization, status) in
        [("", "401"), ("authorization: Basic !\r\n", "400"), ("authorization: Digest x\r\n", "400")]
    {
        let address = service.url.strip_prefix("http://").unwrap();
        let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /v1/tokens HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             content-length: 9\r\n{authorization}\r\n"
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).await.unwrap();
        assert_eq!(std::str::from_utf8(&answer).unwrap(), format!("HTTP/1.1 {status}"));
    }
    assert!(central.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_batch_is_sent_on_before_it_has_an_effect() {
    let (central, service) = edge().await;
    let admin = service.admin().await;
    let refresh = service.bearer(Grant::new(Kind::Refresh).client("app")).await;
    for other in ["eyJhbGciOiJub25lIn0.e30.", &refresh] {
        let once = service.bearer(Grant::new(Kind::Access).uses(1)).await;
        let batch = serde_json::json!([{ "token": once }, { "token": other }]);
        assert_eq!(service.post("/v1/validate", &admin, batch.clone()).await.status, 202);
        let sent = central.0.lock().unwrap().pop().unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(sent.body()).unwrap(), batch);
        let left = service.post("/v1/validate", &admin, serde_json::json!({"token": once})).await;
        assert_eq!(left.json()["ok"], true, "{other}");
        let several = serde_json::json!({ "tokens": ["x", other] });
        assert_eq!(service.post("/v1/introspect", &admin, several).await.status, 202);
        let one = serde_json::json!({ "token": other });
        assert_eq!(service.post("/v1/explain", &admin, one).await.status, 202);
    }
}

#[tokio::test]
async fn the_central_server_alone_charges_for_requests_that_are_sent_on() {
    let central = Central::default();
    let by_address = LimitPolicy::new("calls", LimitBy::Ip, "2/1h".parse().unwrap()).unwrap();
    let by_client = LimitPolicy::new("client", LimitBy::Client, "2/1h".parse().unwrap()).unwrap();
    let limits = Limits::new(LocalLimits::new()).policy(by_address).unwrap();
    let limits = limits.policy(by_client).unwrap();
    let manager = TokenManager::builder(MemoryStore::new().unwrap()).limits(limits).build();
    let mut settings = Settings::new().forward(Arc::new(central.clone()));
    for operation in ["issueTokens", "introspect", "validateTokens"] {
        for (name, by) in [("calls", LimitBy::Ip), ("client", LimitBy::Client)] {
            settings.route_limits.push(RouteLimit { operation, name: name.parse().unwrap(), by });
        }
    }
    let service = Service::over(manager, settings).await;
    let admin = service.admin().await;
    let jwt = "eyJhbGciOiJub25lIn0.e30.";
    for _ in 0..3 {
        let issued = service.post("/v1/tokens", &admin, serde_json::json!({})).await;
        let form = [("token", jwt)];
        let introspected = service.form("/oauth2/introspect", Some(&admin.basic()), &form).await;
        let one = serde_json::json!({ "token": jwt });
        let validated = service.post("/v1/validate", &admin, one).await;
        for reply in [issued, introspected, validated] {
            assert_eq!((reply.status.as_u16(), reply.headers.get("ratelimit")), (202, None));
        }
    }
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let one = serde_json::json!({ "token": "x" });
        let reply = service.post("/v1/validate", &admin, one).await;
        assert!(reply.headers.contains_key("ratelimit"));
        statuses.push(reply.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
    let nobody = service.form("/oauth2/introspect", None, &[("token", "x")]).await;
    assert_eq!(nobody.status, 429, "wrong credentials are charged too");
}

#[tokio::test]
async fn a_request_that_was_here_before_is_not_sent_on_again() {
    let (central, service) = edge().await;
    let admin = service.admin().await;
    let ask = async |via: &[&str]| {
        let request = Request::get(format!("{}/v1/tokens", service.url));
        let request = request.header("authorization", admin.bearer());
        let request = via.iter().fold(request, |request, via| request.header("via", *via));
        let reply = service.send(request.body(Full::default()).unwrap()).await;
        let sent = central.0.lock().unwrap().pop();
        let sent = sent.map(|sent| sent.headers().get_all("via").iter().cloned().collect());
        (reply, sent.unwrap_or_else(Vec::new))
    };
    let (reply, sent) = ask(&["1.0 fred, 1.1 p.example.net"]).await;
    assert_eq!((reply.status.as_u16(), sent.len()), (202, 2));
    let own = sent[1].to_str().unwrap();
    assert!(own.starts_with("1.1 keyfob-"), "{own}");
    let (reply, sent) = ask(&["1.0 fred", &format!("{own}, 2 keyfob-b")]).await;
    assert_eq!((reply.error(), sent.len()), ((508, "forwarding_loop".to_owned()), 0));
    let hops = |count| vec!["1.1 keyfob-c"; count].join(", ");
    assert_eq!(ask(&[&hops(7)]).await.0.status, 202);
    assert_eq!(ask(&[&hops(8)]).await.0.status, 508);
    let caller = Request::get(format!("{}/v1/caller", service.url)).header("via", own);
    let caller = caller.header("authorization", admin.bearer()).body(Full::default()).unwrap();
    assert_eq!(service.send(caller).await.status, 200, "it can be answered here");
}

#[tokio::test]
async fn a_header_is_sent_on_once_and_none_of_the_connection_comes_back() {
    let (central, service) = edge().await;
    let admin = service.admin().await;
    let request = Request::get(format!("{}/v1/events", service.url));
    let request = request.header("authorization", admin.bearer()).header("last-event-id", "7");
    let reply = service.send(request.body(Full::default()).unwrap()).await;
    for name in ["connection", "keep-alive", "x-hop"] {
        assert!(!reply.headers.contains_key(name), "{name}");
    }
    let sent = central.0.lock().unwrap().pop().unwrap();
    assert_eq!(sent.headers().get_all("last-event-id").iter().count(), 1);
}
