//! `GET /authz`, as nginx, Traefik, Caddy and HAProxy ask it.

use std::sync::Arc;

use axum::body::Bytes;
use http::Request;
use http_body_util::Full;
use keyfob::token::Confirmation;
use keyfob::{
    Grant, Kind, LimitBy, LimitPolicy, Limits, LocalLimits, MemoryStore, Presentation,
    RevokeRequest, TokenManager, Ttl, ValidationChain,
};
use keyfob_server::Settings;
use keyfob_tower::{SessionCookie, TrustedProxies};

use crate::failing_store::FailingStore;
use crate::support::{Reply, Service};

async fn ask(service: &Service, query: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::get(format!("{}/authz?{query}", service.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let reply = service.send(request.body(Full::<Bytes>::default()).unwrap()).await;
    assert_eq!(reply.headers["cache-control"], "no-store");
    reply
}

async fn ask_as(service: &Service, query: &str, bearer: &str) -> Reply {
    ask(service, query, &[("authorization", &format!("Bearer {bearer}"))]).await
}

fn challenge(reply: &Reply) -> &str {
    reply.headers["www-authenticate"].to_str().unwrap()
}

#[tokio::test]
async fn a_request_that_may_pass_has_its_identity_in_headers() {
    let service = Service::start().await;
    let grant = Grant::new(Kind::Access).subject("zoë\u{200b} %").client("shop").scopes("b a");
    let issued = service.manager.issue(grant.ttl(Ttl::from_hours(1))).await.unwrap();
    let reply = ask_as(&service, "", issued.bearer.expose()).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0));
    let expires = issued.token.expires_at.unwrap().as_secs().to_string();
    for (name, value) in [
        ("x-token-subject", "zo%C3%AB%E2%80%8B%20%25"),
        ("x-token-client", "shop"),
        ("x-token-scope", "a b"),
        ("x-token-id", &issued.token.id.to_string()),
        ("x-token-kind", "access"),
        ("x-token-expires", &expires),
    ] {
        assert_eq!(reply.headers[name], value, "{name}");
    }
}

#[tokio::test]
async fn every_demand_of_the_query_is_checked() {
    let service = Service::start().await;
    let grant = Grant::new(Kind::Access).subject("alice").issuer("i").audience("shop");
    let bearer = service.bearer(grant.scopes("read write").device_id("phone-1")).await;
    let met = "scope=read+write&any_scope=admin+read&audience=shop+bank&issuer=i\
               &kind=access+session&max_age=1h&strong=true&device=phone-1";
    assert_eq!(ask_as(&service, met, &bearer).await.status, 200);
    for (query, status) in [
        ("scope=read+admin", 403),
        ("any_scope=admin+root", 403),
        ("audience=bank", 401),
        ("issuer=j", 401),
        ("kind=session", 401),
        ("claim=plan", 401),
        ("device=phone-2", 401),
    ] {
        let reply = ask_as(&service, query, &bearer).await;
        assert_eq!(reply.status, status, "{query}");
    }
    let reply = ask_as(&service, "scope=read+admin", &bearer).await;
    let expected = "Bearer realm=\"keyfob\", error=\"insufficient_scope\", error_description=\"the \
                    request needs more scope than the token has\", scope=\"admin read\"";
    assert_eq!(challenge(&reply), expected);
}

#[tokio::test]
async fn a_request_without_a_good_token_gets_a_challenge_and_no_reason() {
    let service = Service::start().await;
    let revoked = service.manager.issue(Grant::new(Kind::Access)).await.unwrap();
    service.manager.revoke(revoked.token.id, RevokeRequest::reason("stolen")).await.unwrap();
    let reply = ask(&service, "scope=read", &[]).await;
    assert_eq!((reply.status.as_u16(), challenge(&reply)), (401, "Bearer realm=\"keyfob\""));
    let refused = ask_as(&service, "", revoked.bearer.expose()).await;
    let unknown = ask_as(&service, "", "fob_at_nonsense").await;
    assert_eq!((refused.status.as_u16(), &refused.body), (401, &unknown.body));
    assert!(challenge(&refused).contains("error=\"invalid_token\""));
    // Basic credentials are for the service behind the gateway.
    assert_eq!(ask(&service, "", &[("authorization", "Basic eDp5")]).await.status, 401);
}

#[tokio::test]
async fn tokens_that_authenticate_no_request_are_refused_whatever_a_chain_allows() {
    let settings = Settings::new().chain("all".parse().unwrap(), ValidationChain::new());
    let service = Service::with(settings).await;
    let refresh = service.bearer(Grant::new(Kind::Refresh).subject("alice")).await;
    let jkt = Confirmation::Jkt("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap());
    let bound = service.bearer(Grant::new(Kind::Access).confirmation(jkt.clone()).uses(1)).await;
    for bearer in [refresh, bound.clone()] {
        for query in ["", "chain=all"] {
            let reply = ask_as(&service, query, &bearer).await;
            assert_eq!((reply.status.as_u16(), reply.error().1), (401, "invalid_token".into()));
        }
    }
    let proven = Presentation::new(&bound).confirmation(&jkt);
    assert!(service.manager.validate_active(proven).await.is_ok(), "the use is not taken");
}

#[tokio::test]
async fn demands_that_are_not_valid_let_nothing_pass() {
    let chain = ValidationChain::new().allow_audience("shop");
    let service = Service::with(Settings::new().chain("shop".parse().unwrap(), chain)).await;
    let bearer = service.bearer(Grant::new(Kind::Access).audience("shop").scope("read")).await;
    assert_eq!(ask_as(&service, "chain=shop&scope=read", &bearer).await.status, 200);
    assert_eq!(ask_as(&service, "chain=shop&scope=write", &bearer).await.status, 403);
    for query in [
        "scopes=read",
        "scope=",
        "scope",
        "scope=read&scope=read",
        "chain=bank",
        "chain=shop&audience=bank",
        "limit=calls",
        "access_token=x",
        "scope=%ff",
    ] {
        let reply = ask_as(&service, query, &bearer).await;
        assert_eq!(reply.error(), (400, "invalid_demands".into()), "{query}");
        assert!(!reply.headers.keys().any(|name| name.as_str().starts_with("x-token")));
    }
}

#[tokio::test]
async fn one_bearer_token_counts_from_the_header_or_the_named_cookie() {
    let cookie = SessionCookie::new("session").unwrap();
    let service = Service::with(Settings::new().gateway_cookie(cookie)).await;
    let bearer = service.bearer(Grant::new(Kind::Session).subject("alice")).await;
    let (header, cookie) = (format!("Bearer {bearer}"), format!("__Host-session={bearer}"));
    let named = ("cookie", &*cookie);
    assert_eq!(ask(&service, "", &[named]).await.headers["x-token-subject"], "alice");
    let bare = format!("session={bearer}");
    assert_eq!(ask(&service, "", &[("cookie", &bare)]).await.status, 401);
    let twice = format!("{cookie}; {cookie}");
    let forwarded = format!("/page?access_token={bearer}");
    for headers in [
        vec![named, ("authorization", &header)],
        vec![("cookie", &twice)],
        vec![("authorization", &header), ("authorization", &header)],
        vec![("authorization", "Bearer a b")],
        vec![named, ("x-forwarded-uri", &forwarded)],
        vec![named, ("x-original-uri", &forwarded)],
    ] {
        let reply = ask(&service, "", &headers).await;
        assert_eq!(reply.error(), (400, "invalid_request".into()), "{headers:?}");
        assert!(challenge(&reply).contains("error=\"invalid_request\""));
        assert!(!challenge(&reply).contains(&bearer) && !reply.body.ends_with(bearer.as_bytes()));
    }
    let without = Service::start().await;
    assert_eq!(ask(&without, "", &[named]).await.status, 401, "no cookie is configured");
}

#[tokio::test]
async fn the_device_may_be_named_by_a_header_of_the_client() {
    let service = Service::start().await;
    let bearer = service.bearer(Grant::new(Kind::Access).device_id("phone-1")).await;
    let authorization = format!("Bearer {bearer}");
    let from = async |devices: &[&str]| {
        let mut headers = vec![("authorization", &*authorization)];
        headers.extend(devices.iter().map(|device| ("x-device", *device)));
        ask(&service, "device_header=X-Device", &headers).await.status.as_u16()
    };
    assert_eq!(from(&["phone-1"]).await, 200);
    assert_eq!(from(&["phone-2"]).await, 401);
    assert_eq!(from(&[]).await, 401);
    assert_eq!(from(&["phone-1", "phone-1"]).await, 400);
}

fn limits() -> Limits {
    let policy = |name, by| LimitPolicy::new(name, by, "2/1h".parse().unwrap()).unwrap();
    let limits = Limits::new(LocalLimits::new());
    let limits = limits.policy(policy("calls", LimitBy::Subject)).unwrap();
    limits.policy(policy("per-address", LimitBy::Ip)).unwrap()
}

#[tokio::test]
async fn a_limit_that_is_used_up_answers_429_and_when_to_come_back() {
    let manager = TokenManager::builder(MemoryStore::new().unwrap()).limits(limits()).build();
    let service = Service::over(manager, Settings::new()).await;
    let bearer = service.bearer(Grant::new(Kind::Access).subject("alice")).await;
    let reply = ask_as(&service, "limit=calls", &bearer).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["ratelimit"]),
        (200, &"\"calls\";r=1;t=1800".parse().unwrap())
    );
    let reply = ask_as(&service, "limit=calls:2", &bearer).await;
    assert_eq!(reply.status, 429);
    assert!(reply.headers.contains_key("retry-after") && reply.headers.contains_key("ratelimit"));
    assert_eq!(ask_as(&service, "", &bearer).await.status, 200, "no limit is named");
    // The address of the gateway stands for no client.
    let reply = ask_as(&service, "limit=per-address", &bearer).await;
    assert_eq!(reply.error(), (400, "invalid_demands".into()));
}

#[tokio::test]
async fn the_address_of_the_client_is_what_a_trusted_gateway_names() {
    let manager = TokenManager::builder(MemoryStore::new().unwrap()).limits(limits()).build();
    let proxies = TrustedProxies::x_forwarded_for(["127.0.0.1"]).unwrap();
    let service = Service::over(manager, Settings::new().trusted_proxies(proxies)).await;
    let bearer = format!("Bearer {}", service.bearer(Grant::new(Kind::Access)).await);
    let from = async |address: &str| {
        let headers = [("authorization", &*bearer), ("x-forwarded-for", address)];
        ask(&service, "limit=per-address", &headers).await.status.as_u16()
    };
    assert_eq!((from("192.0.2.1").await, from("192.0.2.1").await), (200, 200));
    assert_eq!((from("192.0.2.1").await, from("192.0.2.2").await), (429, 200));
    assert_eq!(from("127.0.0.1").await, 200, "a client on the machine of the gateway");
}

#[tokio::test]
async fn a_store_that_is_down_answers_503_and_then_recovers() {
    let store = Arc::new(FailingStore::new());
    let manager = TokenManager::builder(Arc::clone(&store)).build();
    let service = Service::over(manager, Settings::new()).await;
    let bearer = service.bearer(Grant::new(Kind::Access)).await;
    store.set_down(true);
    let reply = ask_as(&service, "strong=true", &bearer).await;
    assert_eq!(reply.error(), (503, "temporarily_unavailable".into()));
    assert_eq!(reply.headers["retry-after"], "1");
    assert!(!reply.body.windows(8).any(|part| part == b"10.9.8.7"));
    store.set_down(false);
    assert_eq!(ask_as(&service, "strong=true", &bearer).await.status, 200);
}
