//! Verdicts: validate, explain, introspect.

use keyfob::{
    Grant, Kind, LimitBy, LimitPolicy, Limits, LocalLimits, MemoryStore, RevokeRequest,
    TokenManager, ValidationChain,
};
use keyfob_api::{ExplainAnswer, ValidateAnswer};
use keyfob_server::Settings;
use keyfob_server::chains::NamedChain;
use serde_json::{Value, json};

use crate::support::{Key, Reply, Service};

const PATH: &str = "/v1/validate";

fn verdict(reply: &Reply) -> ValidateAnswer {
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_slice(&reply.body).unwrap()
}

async fn gateway(service: &Service) -> Key {
    service.key("gateway", "keyfob:introspect").await
}

#[tokio::test]
async fn a_bearer_token_is_valid_if_it_meets_every_demand() {
    let service = Service::start().await;
    let gateway = gateway(&service).await;
    let grant = Grant::new(Kind::Access).subject("alice").issuer("i").audience("shop");
    let bearer = service.bearer(grant.scopes("read write").device_id("phone-1")).await;
    let met = json!({"token": bearer, "issuer": "i", "audience": ["shop", "bank"], "kind": "access",
                     "scopes": ["read"], "any_scopes": ["admin", "write"], "device_id": "phone-1",
                     "max_age": "1h", "strong": true, "ip": "192.0.2.7"});
    let answer = verdict(&service.post(PATH, &gateway, met.clone()).await);
    assert!(answer.ok);
    assert_eq!(answer.token.unwrap().subject.unwrap(), "alice");
    for (name, value, code) in [
        ("issuer", json!("other"), "invalid_issuer"),
        ("audience", json!("bank"), "invalid_audience"),
        ("kind", json!(["session", "api-key"]), "invalid_kind"),
        ("scopes", json!(["admin"]), "insufficient_scope"),
        ("any_scopes", json!(["admin"]), "insufficient_scope"),
        ("device_id", json!("phone-2"), "device_mismatch"),
        ("claims", json!(["plan"]), "missing_claim"),
        ("token", json!("nonsense"), "token_malformed"),
    ] {
        let mut demands = met.clone();
        demands[name] = value;
        let answer = verdict(&service.post(PATH, &gateway, demands).await);
        assert_eq!((answer.ok, answer.code.as_deref()), (false, Some(code)), "{name}");
        assert!(answer.token.is_none() && answer.message.is_some());
    }
}

#[tokio::test]
async fn many_are_answered_in_order() {
    let service = Service::start().await;
    let gateway = gateway(&service).await;
    let good = service.bearer(Grant::new(Kind::Access)).await;
    let many: Vec<_> =
        (0..1_000).map(|n| json!({"token": if n % 2 == 0 { &good } else { "x" }})).collect();
    let reply = service.post(PATH, &gateway, json!(many)).await;
    let answers: Vec<ValidateAnswer> = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(answers.len(), 1_000);
    assert!(answers.iter().enumerate().all(|(n, answer)| answer.ok == (n % 2 == 0)));
    let too_many = vec![json!({"token": "x"}); 1_001];
    assert_eq!(service.post(PATH, &gateway, json!(too_many)).await.status, 400);
    let reply = service.post(PATH, &gateway, json!([{"token": "x", "scope": "read"}])).await;
    assert_eq!(reply.error(), (400, "invalid_json".into()), "a mistyped demand is not ignored");
}

#[tokio::test]
async fn a_caller_with_an_audience_learns_nothing_of_other_tokens_and_uses_none_up() {
    let service = Service::start().await;
    let grant = Grant::new(Kind::ApiKey).client("shop").audience("shop");
    let confined = service.key_of(grant.scope("keyfob:introspect")).await;
    let other = service.manager.issue(Grant::new(Kind::Access).audience("bank").uses(1)).await;
    let other = other.unwrap();
    let own = service.bearer(Grant::new(Kind::Access).audience("shop")).await;
    for demands in [json!({}), json!({"audience": "bank"}), json!({"audience": ["bank", "shop"]})] {
        let mut body = demands.clone();
        body["token"] = json!(other.bearer.expose());
        let answer = verdict(&service.post(PATH, &confined, body).await);
        assert!(!answer.ok, "{demands}");
        let mut body = demands.clone();
        body["token"] = json!(own);
        let answer = verdict(&service.post(PATH, &confined, body).await);
        assert_eq!(answer.ok, demands["audience"] != "bank", "{demands}");
    }
    assert_eq!(service.manager.get(other.token.id).await.unwrap().uses_left, Some(1));
}

#[tokio::test]
async fn a_refresh_token_is_not_taken_for_an_access_token() {
    let service = Service::start().await;
    let gateway = gateway(&service).await;
    let bearer = service.bearer(Grant::new(Kind::Refresh).client("app")).await;
    let answer = verdict(&service.post(PATH, &gateway, json!({"token": bearer})).await);
    assert_eq!(answer.code.as_deref(), Some("invalid_kind"));
    let named = json!({"token": bearer, "kind": "refresh"});
    assert!(verdict(&service.post(PATH, &gateway, named).await).ok);
}

#[tokio::test]
async fn a_chain_of_the_settings_is_demanded_by_name_and_never_widened() {
    let chain = ValidationChain::new().allow_audience("shop").require_scope("read");
    let service = Service::with(Settings::new().chain("shop".parse().unwrap(), chain)).await;
    let gateway = gateway(&service).await;
    let bearer = service.bearer(Grant::new(Kind::Access).audience("shop").scopes("read")).await;
    let wanted = |more: Value| {
        let mut body = json!({"token": bearer, "chain": "shop"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    assert!(verdict(&service.post(PATH, &gateway, wanted(json!({}))).await).ok);
    let more = wanted(json!({"scopes": ["write"]}));
    assert!(!verdict(&service.post(PATH, &gateway, more).await).ok);
    let reply = service.post(PATH, &gateway, wanted(json!({"audience": "bank"}))).await;
    assert_eq!(reply.error(), (400, "chain_widened".into()));
    let reply = service.post(PATH, &gateway, json!({"token": bearer, "chain": "bank"})).await;
    assert_eq!(reply.error(), (400, "unknown_chain".into()));
}

#[tokio::test]
async fn limits_are_charged_by_name_in_the_same_call() {
    let policy = |name: &str, rate: &str| {
        LimitPolicy::new(name, LimitBy::Subject, rate.parse().unwrap()).unwrap()
    };
    let limits = Limits::new(LocalLimits::new());
    let limits = limits.policy(policy("calls", "10/1h")).unwrap();
    let limits = limits.policy(policy("reports", "2/1h")).unwrap();
    let builder = TokenManager::builder(MemoryStore::new().unwrap()).limits(limits);
    let service = Service::over(builder.build(), Settings::new()).await;
    let gateway = gateway(&service).await;
    let bearer = service.bearer(Grant::new(Kind::Access).subject("alice")).await;
    let ask = |limits: Value| {
        let body = json!({"token": bearer, "limits": limits});
        service.post(PATH, &gateway, body)
    };
    let answer = verdict(&ask(json!([{"name": "calls", "cost": 4}, {"name": "reports"}])).await);
    assert!(answer.ok);
    let left: Vec<_> = answer.limits.iter().map(|l| (l.policy.as_str(), l.remaining)).collect();
    assert_eq!(left, [("calls", 6), ("reports", 1)]);
    // One that refuses charges none.
    let answer =
        verdict(&ask(json!([{"name": "calls", "cost": 6}, {"name": "reports", "cost": 2}])).await);
    assert_eq!((answer.ok, answer.code.as_deref()), (false, Some("limited")));
    assert!(answer.retry_after_ms.unwrap() > 0 && answer.token.is_none());
    assert!(verdict(&ask(json!([{"name": "calls", "cost": 6}])).await).ok);
    for (limits, code) in [
        (json!([{"name": "other"}]), "invalid_value"),
        (json!([{"name": "calls"}, {"name": "calls"}]), "invalid_value"),
        (json!([{"name": "calls", "cost": 0}]), "invalid_json"),
        (json!([{"name": "calls", "cost": 11}]), "cost_above_burst"),
    ] {
        assert_eq!(ask(limits.clone()).await.error(), (400, code.into()), "{limits}");
    }
    let reader = service.key("reader", "keyfob:read").await;
    let reply = service.get_as("/v1/limits?subject=alice", &reader).await.json();
    assert_eq!(
        reply["policies"][1],
        json!({"name": "reports", "by": "subject", "rate": "2/1h", "burst": 2})
    );
    assert_eq!(reply["status"][0]["remaining"], 0);
}

#[tokio::test]
async fn explaining_says_everything_that_is_wrong() {
    let service = Service::start().await;
    let reader = service.key("reader", "keyfob:read").await;
    let issued = service.manager.issue(Grant::new(Kind::Access).subject("alice").uses(3)).await;
    let issued = issued.unwrap();
    service.manager.revoke(issued.token.id, RevokeRequest::reason("stolen")).await.unwrap();
    let demands = json!({"scopes": ["read"], "audience": "shop"});
    for (name, value) in [("id", json!(issued.token.id)), ("token", json!(issued.bearer.expose()))]
    {
        let mut body = demands.clone();
        body[name] = value;
        let reply = service.post("/v1/explain", &reader, body).await;
        let answer: ExplainAnswer = serde_json::from_slice(&reply.body).unwrap();
        let codes: Vec<_> = answer.refusals.iter().map(|refusal| &*refusal.code).collect();
        assert_eq!(codes, ["token_revoked", "invalid_audience", "insufficient_scope"]);
        assert_eq!(answer.token.unwrap().revocation.unwrap().reason.unwrap(), "stolen");
    }
    let reply = service.post("/v1/explain", &reader, json!({"token": "x"})).await;
    assert_eq!(reply.json()["refusals"][0]["code"], "token_malformed");
    for body in [json!({}), json!({"id": issued.token.id, "token": "x"})] {
        let reply = service.post("/v1/explain", &reader, body).await;
        assert_eq!(reply.error(), (400, "token_or_id".into()));
    }
}

#[tokio::test]
async fn many_tokens_are_introspected_in_order() {
    let service = Service::start().await;
    let gateway = gateway(&service).await;
    let good = service.bearer(Grant::new(Kind::Access).subject("alice")).await;
    let body = json!({"tokens": ["nonsense", good]});
    let reply = service.post("/v1/introspect", &gateway, body).await.json();
    assert_eq!(reply[0], json!({"active": false}));
    assert_eq!((&reply[1]["active"], &reply[1]["sub"]), (&json!(true), &json!("alice")));
    let body = json!({"tokens": vec!["x"; 1_001]});
    let reply = service.post("/v1/introspect", &gateway, body).await;
    assert_eq!(reply.error(), (400, "too_many_items".into()));
}

#[tokio::test]
async fn a_chain_charges_its_limits_together_with_those_of_the_request() {
    let calls = LimitPolicy::new("calls", LimitBy::Subject, "10/1h".parse().unwrap()).unwrap();
    let limits = Limits::new(LocalLimits::new()).policy(calls).unwrap();
    let builder = TokenManager::builder(MemoryStore::new().unwrap()).limits(limits);
    let chain = NamedChain { limits: vec![("calls".parse().unwrap(), 3)], ..Default::default() };
    let settings = Settings::new().chain("shop".parse().unwrap(), chain);
    let service = Service::over(builder.build(), settings).await;
    let gateway = gateway(&service).await;
    let bearer = service.bearer(Grant::new(Kind::Access).subject("alice")).await;
    let ask = |limits: Value| {
        let body = json!({"token": bearer, "chain": "shop", "limits": limits});
        service.post(PATH, &gateway, body)
    };
    assert_eq!(verdict(&ask(json!([])).await).limits[0].remaining, 7);
    let both = verdict(&ask(json!([{"name": "calls", "cost": 2}])).await);
    assert_eq!((both.limits.len(), both.limits[0].remaining), (1, 2));
    assert_eq!(verdict(&ask(json!([])).await).code.as_deref(), Some("limited"));
}
