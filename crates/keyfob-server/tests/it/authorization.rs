//! Every route of the table, as callers try it who may not.

use http::Method;
use keyfob::{Grant, Kind, RevokeRequest};
use keyfob_server::access::demand::Demand;
use keyfob_server::routes::route::{Route, Takes};
use keyfob_server::routes::table::routes;

use crate::support::{FORM, Key, Reply, Service};

/// Calls a route with an empty body of the right type.
async fn call(service: &Service, route: &Route, authorization: Option<&str>) -> Reply {
    let path = route.path.replace("{id}", "tok_00000000000000000000000000");
    let path = path.replace("{webhook}", "wh-00000000000000000000").replace("{letter}", "op-1");
    let path = path.replace("{stream}", "wh-00000000000000000000");
    if route.method == Method::GET {
        return service.get(&path, authorization).await;
    }
    let (content_type, body) = match route.takes {
        Takes::Form => (FORM, ""),
        Takes::Json { .. } | Takes::Nothing => ("application/json", "{}"),
    };
    service.raw(route.method.clone(), &path, authorization, content_type, body).await
}

fn guarded() -> impl Iterator<Item = Route> {
    routes().into_iter().filter(|route| route.demand.asks_for_credentials())
}

#[tokio::test]
async fn without_credentials_every_guarded_route_answers_401_with_a_challenge() {
    let service = Service::start().await;
    for route in guarded() {
        let reply = call(&service, &route, None).await;
        assert_eq!(reply.status, 401, "{route:?}");
        assert!(reply.headers.contains_key("www-authenticate"), "{route:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_revoked_or_of_another_client_opens_nothing() {
    let service = Service::start().await;
    let grant = Grant::new(Kind::ApiKey).client("app").scope("keyfob:admin");
    let revoked = service.manager.issue(grant.clone()).await.unwrap();
    service.manager.revoke(revoked.token.id, RevokeRequest::reason("stolen")).await.unwrap();
    let revoked = Key { client: "app".into(), bearer: revoked.bearer.expose().into() };
    let good = service.key_of(grant).await;
    let misnamed = Key { client: "other".into(), ..good.clone() };
    let session = service.bearer(Grant::new(Kind::Session).scope("keyfob:admin")).await;
    for route in guarded() {
        for authorization in
            [revoked.basic(), revoked.bearer(), misnamed.basic(), format!("Bearer {session}")]
        {
            let reply = call(&service, &route, Some(&authorization)).await;
            assert_eq!(reply.status, 401, "{route:?}");
            assert!(reply.headers.contains_key("www-authenticate"), "{route:?}");
        }
    }
}

#[tokio::test]
async fn a_key_without_the_scope_is_refused_with_the_scope_that_it_needs() {
    let service = Service::start().await;
    let key = service.key("app", "read").await;
    for route in guarded() {
        let reply = call(&service, &route, Some(&key.bearer())).await;
        match route.demand {
            Demand::Scope(_) => {
                assert_eq!(reply.status, 403, "{route:?}");
                assert!(reply.headers.contains_key("www-authenticate"), "{route:?}");
            }
            // The handler refuses a key that has no use for a session.
            _ if route.operation == "openSession" => assert_eq!(reply.status, 403),
            _ => assert!(![401, 403].contains(&reply.status.as_u16()), "{route:?}"),
        }
    }
}

#[tokio::test]
async fn a_token_that_was_derived_from_a_key_calls_with_its_scopes() {
    let service = Service::start().await;
    let key = service.key("app", "keyfob:introspect").await;
    let form = [("grant_type", "client_credentials"), ("scope", "keyfob:introspect")];
    let reply = service.form("/oauth2/token", Some(&key.basic()), &form).await;
    let bearer = reply.json()["access_token"].as_str().unwrap().to_owned();
    let form = [("token", "nonsense")];
    let authorization = format!("Bearer {bearer}");
    let reply = service.form("/oauth2/introspect", Some(&authorization), &form).await;
    assert_eq!(reply.json()["active"], false);
    // As a client secret it is not accepted.
    let misused = Key { client: "app".into(), bearer };
    let reply = service.form("/oauth2/introspect", Some(&misused.basic()), &form).await;
    assert_eq!(reply.error(), (401, "invalid_client".into()));
}
