//! The client address behind proxies.

use axum::Router;
use axum::routing::get as route;
use keyfob::ValidationChain;
use keyfob_tower::{AuthLayer, Authenticated, TrustedProxies};

use crate::harness::*;

async fn address_of(auth: Authenticated) -> String {
    auth.client_address.map(|address| address.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn only_a_trusted_proxy_names_the_client() {
    let bench = bench();
    let token = bearer(&bench.access().await);
    let cases = [
        (TrustedProxies::none(), "127.0.0.1"),
        (TrustedProxies::x_forwarded_for(["10.0.0.0/8"]).unwrap(), "127.0.0.1"),
        (TrustedProxies::x_forwarded_for(["127.0.0.1", "10.0.0.0/8"]).unwrap(), "192.0.2.7"),
        (TrustedProxies::forwarded(["127.0.0.1"]).unwrap(), "2001:db8::7"),
    ];
    for (proxies, expected) in cases {
        let auth = AuthLayer::new(bench.manager.clone(), ValidationChain::new())
            .unwrap()
            .trusted_proxies(proxies);
        let address = serve(Router::new().route("/", route(address_of)).layer(auth)).await;
        let headers = [
            ("authorization", token.as_str()),
            ("x-forwarded-for", "6.6.6.6, 192.0.2.7, 10.0.0.2"),
            ("forwarded", "for=6.6.6.6, for=\"[2001:db8::7]:4711\""),
        ];
        assert_eq!(get(address, "/", &headers).await.body, expected);
    }
}
