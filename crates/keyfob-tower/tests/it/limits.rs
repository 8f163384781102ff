//! Rate limits: the verdict in the handler, the fields in every response, and 429.

use axum::Router;
use axum::routing::get as route;
use keyfob::{LimitBy, LimitPolicy, Ttl, ValidationChain};
use keyfob_tower::{AuthLayer, Authenticated};

use crate::harness::*;

async fn left(auth: Authenticated) -> String {
    let left = auth.limits.as_ref().and_then(|verdict| verdict.decided_by());
    left.map_or("unlimited".to_owned(), |status| status.remaining.to_string())
}

fn policy(name: &str, by: LimitBy, rate: &str) -> LimitPolicy {
    LimitPolicy::new(name, by, rate.parse().unwrap()).unwrap()
}

#[tokio::test]
async fn a_response_says_what_is_left_and_429_when_to_come_back() {
    let calls = policy("calls", LimitBy::Subject, "60/1m").burst(2).unwrap();
    let quota = LimitPolicy::quota("month", LimitBy::Token, 100, Ttl::from_days(30)).unwrap();
    let bench = limited([calls, quota]);
    let auth = AuthLayer::new(bench.manager.clone(), ValidationChain::new()).unwrap();
    let free = Router::new().route("/free", route(left)).layer(auth.clone().without_limits());
    let dear = Router::new().route("/both", route(left)).layer(auth.clone().cost(2));
    let wrong = Router::new().route("/wrong", route(left)).layer(auth.clone().cost(3));
    let app = Router::new().route("/", route(left)).layer(auth);
    let address = serve(app.merge(free).merge(dear).merge(wrong)).await;
    let token = bearer(&bench.access().await);
    let ask = |path: &'static str| {
        let token = token.clone();
        async move { get(address, path, &[("authorization", &token)]).await }
    };
    let first = ask("/").await;
    assert_eq!((first.status.as_u16(), first.body.as_str()), (200, "1"));
    assert_eq!(
        first.header("ratelimit-policy"),
        r#""calls";q=60;w=60;burst=2, "month";q=100;w=2592000"#
    );
    assert_eq!(first.header("ratelimit"), r#""calls";r=1;t=1, "month";r=99;t=25920"#);
    assert_eq!(ask("/").await.body, "0");
    let refused = ask("/").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("cache-control"), "no-store");
    assert!(refused.header("ratelimit").starts_with(r#""calls";r=0;t=2"#));
    assert!(refused.headers.contains_key("ratelimit-policy"));
    assert!(!refused.headers.contains_key("www-authenticate"));
    assert_eq!(refused.json()["code"], "temporarily_unavailable");
    let free = ask("/free").await;
    assert_eq!((free.status.as_u16(), free.body.as_str()), (200, "unlimited"));
    assert!(!free.headers.contains_key("ratelimit"));
    bench.clock.advance(Ttl::from_secs(2));
    assert_eq!(ask("/both").await.body, "0");
    assert_eq!(ask("/wrong").await.status, 500, "a cost above the burst is never admitted");
}

#[tokio::test]
async fn an_address_with_too_many_failed_attempts_has_to_wait() {
    let bench = limited([policy("guesses", LimitBy::FailedAttempts, "3/1m")]);
    let auth = AuthLayer::new(bench.manager.clone(), ValidationChain::new()).unwrap();
    let address = serve(Router::new().route("/", route(left)).layer(auth)).await;
    let good = bearer(&bench.access().await);
    for _ in 0..3 {
        let guess = bearer(&crate::harness::bench().access().await);
        assert_eq!(get(address, "/", &[("authorization", &guess)]).await.status, 401);
    }
    let answer = get(address, "/", &[("authorization", &good)]).await;
    assert_eq!(answer.status, 429);
    assert_ne!(answer.header("retry-after"), "");
    assert_eq!(answer.header("cache-control"), "no-store");
    bench.clock.advance(Ttl::from_mins(2));
    assert_eq!(get(address, "/", &[("authorization", &good)]).await.status, 200);
}
