//! Sessions in a cookie.

use axum::Router;
use axum::routing::get as route;
use keyfob::{Grant, Issued, Kind, Ttl, ValidationChain};
use keyfob_tower::{AuthLayer, Authenticated, CredentialSource, SessionCookie};

use crate::harness::*;

async fn source(auth: Authenticated) -> &'static str {
    match auth.source {
        CredentialSource::Header => "header",
        CredentialSource::Cookie => "cookie",
    }
}

fn cookie() -> SessionCookie {
    SessionCookie::new("session").unwrap()
}

fn app(bench: &Bench) -> Router {
    let chain = ValidationChain::new().allow_kind(Kind::Session);
    let auth = AuthLayer::new(bench.manager.clone(), chain).unwrap().cookie(cookie());
    let logout = || async { (cookie().remove(), "bye") };
    Router::new().route("/", route(source)).route("/logout", route(logout)).layer(auth)
}

async fn session(bench: &Bench, grant: Grant) -> (Issued, String) {
    let issued = bench.issue(grant).await;
    let pair = format!("__Host-session={}", issued.bearer.expose());
    (issued, pair)
}

fn grant() -> Grant {
    Grant::new(Kind::Session).subject("user123").ttl(Ttl::from_hours(1))
}

#[tokio::test]
async fn a_session_is_taken_from_the_named_cookie_or_from_the_header_and_never_from_both() {
    let bench = bench();
    let address = serve(app(&bench)).await;
    let (issued, pair) = session(&bench, grant()).await;
    let among = format!("theme=dark; {pair}; lang=en");
    assert_eq!(get(address, "/", &[("cookie", &among)]).await.body, "cookie");
    let header = bearer(&issued);
    assert_eq!(get(address, "/", &[("authorization", &header)]).await.body, "header");
    for headers in [
        [("cookie", pair.as_str()), ("authorization", header.as_str())],
        [("cookie", pair.as_str()), ("cookie", pair.as_str())],
    ] {
        let answer = get(address, "/", &headers).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["code"], "invalid_request");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let other = pair.replace("__Host-session", "session");
    assert_eq!(get(address, "/", &[("cookie", &other)]).await.status, 401);
}

#[tokio::test]
async fn a_layer_without_a_cookie_ignores_cookies() {
    let bench = bench();
    let auth = AuthLayer::new(bench.manager.clone(), ValidationChain::new()).unwrap();
    let address = serve(Router::new().route("/", route(source)).layer(auth)).await;
    let (issued, pair) = session(&bench, grant()).await;
    assert_eq!(get(address, "/", &[("cookie", &pair)]).await.status, 401);
    let headers = [("cookie", pair.as_str()), ("authorization", &bearer(&issued))];
    assert_eq!(get(address, "/", &headers).await.body, "header");
}

#[tokio::test]
async fn max_age_is_the_earlier_of_the_end_and_the_idle_end() {
    let bench = bench();
    let now = bench.manager.now();
    let text = |issued: &Issued| {
        let set = cookie().set(&issued.bearer, &issued.token, now);
        assert!(!format!("{set:?}").contains(issued.bearer.expose()));
        set.header().to_str().unwrap().to_owned()
    };
    let (issued, pair) = session(&bench, grant()).await;
    let expected = "; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=3600";
    assert_eq!(text(&issued), format!("{pair}{expected}"));
    let (issued, _) = session(&bench, grant().idle_timeout(Ttl::from_mins(10))).await;
    assert!(text(&issued).ends_with("; Max-Age=600"));
    let (issued, _) =
        session(&bench, Grant::new(Kind::Session).subject("user123").never_expires()).await;
    assert!(text(&issued).ends_with("; SameSite=Lax"), "the cookie ends with the browser session");
}

#[tokio::test]
async fn the_cookie_of_a_session_with_an_idle_timeout_is_renewed() {
    let bench = bench();
    let address = serve(app(&bench)).await;
    let (_, idle) = session(&bench, grant().idle_timeout(Ttl::from_mins(10))).await;
    bench.clock.advance(Ttl::from_mins(5));
    let answer = get(address, "/", &[("cookie", &idle)]).await;
    let set = answer.header("set-cookie");
    assert!(set.starts_with(&idle) && set.ends_with("; Max-Age=600"), "{set}");
    let removed = get(address, "/logout", &[("cookie", &idle)]).await;
    let all: Vec<_> = removed.headers.get_all("set-cookie").iter().collect();
    assert_eq!(all.len(), 1, "the cookie of the handler is used");
    assert!(removed.header("set-cookie").ends_with("Max-Age=0"));
    let (issued, other) = session(&bench, grant()).await;
    assert_eq!(get(address, "/", &[("cookie", &other)]).await.header("set-cookie"), "");
    let by_header = get(address, "/", &[("authorization", &bearer(&issued))]).await;
    assert_eq!(by_header.header("set-cookie"), "");
}
