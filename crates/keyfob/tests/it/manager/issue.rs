//! Issuing and minting.

use futures_util::StreamExt;
use keyfob::values::InvalidReason;
use keyfob::{Error, Grant, Kind, RevokeRequest, Subject, TokenState, Ttl};

use super::{bench, session};

#[tokio::test]
async fn a_token_reads_back_as_granted() {
    #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    struct Plan {
        tier: String,
    }

    let bench = bench();
    let plan = Plan { tier: "team".into() };
    let grant = session("user123")
        .issuer("example-service")
        .audience("example-app")
        .device_id("device123")
        .ip("192.0.2.7".parse().unwrap())
        .app("shop")
        .label("environment", "production")
        .tag("mobile")
        .username("Jane")
        .claims(&plan)
        .idle_timeout(Ttl::from_mins(30))
        .absolute_lifetime(Ttl::from_days(2))
        .uses(3);
    let issued = bench.manager.issue(grant).await.unwrap();
    let read = bench.manager.get(issued.token.id).await.unwrap();
    assert_eq!(read, issued.token);
    assert_eq!(read.claims_as::<Plan>().unwrap().private, plan);
    assert_eq!(read.claims_as::<Vec<u8>>().unwrap_err().code(), "claims_mismatch");
    assert_eq!(read.family.map(|family| family.root()), Some(read.id));
}

#[tokio::test]
async fn an_invalid_grant_is_refused_with_the_rule() {
    let bench = bench();
    let now = bench.manager.now();
    let day = Ttl::from_days(1);
    for (grant, what) in [
        (session(""), "subject"),
        (session("a\u{7}"), "subject"),
        (session("x").tag("t".repeat(65)), "tag"),
        (session("x").label("k", "1").label("k", "2"), "label"),
        (session("x").uses(0), "uses"),
        (session("x").expires_at(now), "expiry"),
        (session("x").expires_at(now.saturating_sub(day)), "expiry"),
        (session("x").not_before(now + day + day).ttl(day), "not-before"),
        (session("x").claims(&["no", "object"]), "claims"),
    ] {
        match bench.manager.issue(grant).await {
            Err(Error::Invalid(invalid)) => assert_eq!(invalid.what(), what),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn many_are_issued_in_the_order_of_the_grants() {
    let bench = bench();
    let grants = (0..500).map(|n| session(&format!("user{n}")));
    let issued: Vec<_> = bench.manager.issue_many(grants).collect().await;
    for (n, issued) in issued.into_iter().enumerate() {
        let subject = issued.unwrap().token.subject.unwrap();
        assert_eq!(subject.as_str(), format!("user{n}"));
    }
}

#[tokio::test]
async fn a_minted_token_is_no_wider_and_no_longer_than_its_parent() {
    let bench = bench();
    let parent = bench.manager.issue(session("user123").ttl(Ttl::from_hours(1))).await.unwrap();
    let mint = |grant| bench.manager.mint(parent.token.id, grant);
    let child = mint(Grant::new(Kind::Access).scope("read").ttl(Ttl::from_days(9))).await.unwrap();
    assert_eq!(child.token.expires_at, parent.token.expires_at);
    assert_eq!(child.token.subject, parent.token.subject);
    assert_eq!(child.token.family, parent.token.family);
    assert_eq!(child.token.id.lane(), parent.token.id.lane());
    for (grant, what) in [
        (Grant::new(Kind::Access).scope("admin"), "scope set"),
        (Grant::new(Kind::Access).subject("other"), "subject"),
        (Grant::new(Kind::Access).client("other"), "client"),
        (Grant::new(Kind::Access).issuer("other"), "issuer"),
        // The parent has no audience: empty does not mean any.
        (Grant::new(Kind::Access).audience("billing"), "audience set"),
    ] {
        match mint(grant).await {
            Err(Error::Invalid(invalid)) => assert_eq!(invalid.what(), what),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_minted_token_takes_over_what_the_documentation_says() {
    let bench = bench();
    let grant = Grant::new(Kind::Session)
        .subject("user123")
        .client("web")
        .issuer("login")
        .scopes("read write")
        .audience("mail")
        .audience("calendar")
        .device_id("phone")
        .tag("beta");
    let grant = grant.claims(&serde_json::json!({"plan": "team"}));
    let parent = bench.manager.issue(grant).await.unwrap().token;
    let mint = async |grant| bench.manager.mint(parent.id, grant).await.unwrap().token;
    let child = mint(Grant::new(Kind::Access)).await;
    assert_eq!(
        (child.id.lane(), &child.family, &child.subject, &child.client, &child.issuer),
        (parent.id.lane(), &parent.family, &parent.subject, &parent.client, &parent.issuer)
    );
    assert_eq!(child.audiences, parent.audiences);
    assert!(child.scopes.is_empty(), "{:?}", child.scopes);
    assert_eq!(child.metadata, keyfob::Metadata::default());
    assert_eq!(child.claims.private.as_json(), "{}");
    let narrower = mint(Grant::new(Kind::Access).audience("mail").scope("read")).await;
    assert_eq!((narrower.audiences.len(), narrower.scopes.len()), (1, 1));
}

#[tokio::test]
async fn a_line_of_descent_ends_after_eight() {
    let bench = bench();
    let mut id = bench.manager.issue(session("user123")).await.unwrap().token.id;
    for _ in 0..8 {
        id = bench.manager.mint(id, Grant::new(Kind::Access)).await.unwrap().token.id;
    }
    match bench.manager.mint(id, Grant::new(Kind::Access)).await {
        Err(Error::Invalid(invalid)) => {
            assert_eq!(invalid.reason(), &InvalidReason::TooMany { max: 8 });
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nothing_is_minted_from_an_ended_token() {
    let bench = bench();
    let parent = bench.manager.issue(session("user123")).await.unwrap();
    bench.manager.revoke(parent.token.id, RevokeRequest::default()).await.unwrap();
    match bench.manager.mint(parent.token.id, Grant::new(Kind::Access)).await {
        Err(Error::Ended { state, .. }) => assert_eq!(state, TokenState::Revoked),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_login_that_began_before_a_revoke_all_is_refused() {
    let bench = bench();
    let subject = Subject::new("user123").unwrap();
    let seen = bench.manager.begin_login(&subject).await.unwrap();
    bench.manager.revoke_subject(&subject, RevokeRequest::reason("stolen laptop")).await.unwrap();
    let late = bench.manager.issue(session("user123").login(seen)).await;
    assert_eq!(late.unwrap_err().code(), "superseded");
    // This also holds if the login takes so long that the epoch may be forgotten.
    bench.clock.advance(Ttl::from_mins(29));
    assert_eq!(
        bench.manager.issue(session("user123").login(seen)).await.unwrap_err().code(),
        "superseded"
    );
    let slow = bench.manager.begin_login(&Subject::new("user9").unwrap()).await.unwrap();
    bench.clock.advance(Ttl::from_mins(31));
    let late = bench.manager.issue(session("user9").login(slow)).await;
    assert_eq!(late.unwrap_err().code(), "superseded");
    // The stamp of another subject does not help: its lane has its own sequence.
    let other = (0..).map(|n| Subject::new(format!("other{n}")).unwrap());
    let mut refused = 0;
    for other in other.take(20) {
        let stamp = bench.manager.begin_login(&other).await.unwrap();
        // In the same lane both subjects have the same sequence.
        if let Err(error) = bench.manager.issue(session("user123").login(stamp)).await {
            assert_eq!(error.code(), "invalid_value");
            refused += 1;
        }
    }
    assert!(refused > 10, "most subjects have another lane: {refused}");
    // A login that begins after the revoke-all succeeds, and so does an earlier login of another
    // subject.
    let seen_after = bench.manager.begin_login(&subject).await.unwrap();
    let issued = bench.manager.issue(session("user123").login(seen_after)).await.unwrap();
    assert!(bench.manager.validate_active(&issued.bearer).await.is_ok());
}
