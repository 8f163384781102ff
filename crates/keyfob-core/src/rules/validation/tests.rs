//! The chain's checks, one by one and in their order.

use super::*;
use crate::text::DeviceId;
use crate::time::{Timestamp, Ttl};
use crate::token::sample::{START, token};
use crate::token::{
    Confirmation, Kind, PrivateClaims, RecordIntegrity, Revocation, RevocationScope, Token,
};

async fn check(chain: &ValidationChain, token: &Token, now: Timestamp) -> Result<(), String> {
    chain
        .evaluate(token, PresentedBy::default(), now)
        .await
        .map_err(|refusal| refusal.code().to_owned())
}

/// Checks the result for several tokens, each of which is the sample with one change.
async fn codes(chain: ValidationChain, changes: &[fn(&mut Token)]) -> Vec<String> {
    let mut codes = Vec::new();
    for change in changes {
        let mut token = token();
        change(&mut token);
        codes.push(check(&chain, &token, START).await.err().unwrap_or_default());
    }
    codes
}

fn revoke(token: &mut Token) {
    let revocation =
        Revocation { at: START, reason: None, by: None, through: RevocationScope::Token };
    token.revocation = Some(revocation);
}

#[tokio::test]
async fn a_chain_without_demands_takes_an_active_token_and_no_other() {
    let refused = codes(
        ValidationChain::new(),
        &[
            |_| {},
            revoke,
            |token| token.uses_left = Some(0),
            |token| token.expires_at = Some(START),
            |token| token.not_before = Some(START + Ttl::from_secs(1)),
            |token| token.integrity = RecordIntegrity::EpochsLost,
        ],
    )
    .await;
    let expected = [
        "",
        "token_revoked",
        "token_exhausted",
        "token_expired",
        "token_not_yet_valid",
        "token_damaged",
    ];
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn empty_never_means_any() {
    let issuer = ValidationChain::new().allow_issuer("example-service");
    assert_eq!(codes(issuer, &[|_| {}, |token| token.issuer = None]).await, ["", "invalid_issuer"]);
    let audience = ValidationChain::new().allow_audience("example-app");
    let without: &[fn(&mut Token)] = &[|_| {}, |token| token.audiences = Default::default()];
    assert_eq!(codes(audience, without).await, ["", "invalid_audience"]);
    let scope = ValidationChain::new().require_scope("read");
    let without: &[fn(&mut Token)] = &[|_| {}, |token| token.scopes = Default::default()];
    assert_eq!(codes(scope, without).await, ["", "insufficient_scope"]);
}

#[tokio::test]
async fn each_named_requirement_must_match() {
    let kept: &[fn(&mut Token)] = &[|_| {}];
    for (chain, code) in [
        (ValidationChain::new().allow_kind(Kind::Session), "invalid_kind"),
        (ValidationChain::new().allow_kind(Kind::Session).allow_kind(Kind::Access), ""),
        (ValidationChain::new().allow_issuer("other"), "invalid_issuer"),
        (ValidationChain::new().allow_issuer("other").allow_issuer("example-service"), ""),
        (ValidationChain::new().allow_audience("other"), "invalid_audience"),
        (ValidationChain::new().require_scope("read").require_scope("write"), "insufficient_scope"),
        (ValidationChain::new().require_any_scope("read").require_any_scope("write"), ""),
        (ValidationChain::new().require_any_scope("write"), "insufficient_scope"),
        (ValidationChain::new().require_claim("tenant"), "missing_claim"),
        (ValidationChain::new().device(DeviceBinding::Required), "device_mismatch"),
    ] {
        assert_eq!(codes(chain, kept).await, [code]);
    }
}

#[tokio::test]
async fn skew_applies_to_both_ends_alike() {
    let chain = ValidationChain::new().clock_skew(Ttl::from_mins(1));
    let mut token = token();
    token.not_before = Some(START);
    let end = token.expires_at.unwrap();
    let a_minute_before = START.saturating_sub(Ttl::from_mins(1));
    assert_eq!(check(&chain, &token, a_minute_before).await, Ok(()));
    assert!(
        check(&chain, &token, a_minute_before.saturating_sub(Ttl::from_secs(1))).await.is_err()
    );
    let just_within = Timestamp::from_millis((end + Ttl::from_mins(1)).as_millis() - 1);
    assert_eq!(check(&chain, &token, just_within).await, Ok(()));
    assert!(check(&chain, &token, end + Ttl::from_mins(1)).await.is_err());
}

#[tokio::test]
async fn age_counts_from_issue() {
    let chain = ValidationChain::new().max_age(Ttl::from_mins(5));
    assert_eq!(check(&chain, &token(), START + Ttl::from_mins(5)).await, Ok(()));
    let late = check(&chain, &token(), START + Ttl::from_secs(301)).await;
    assert_eq!(late, Err("token_too_old".to_owned()));
}

#[tokio::test]
async fn a_claim_may_be_registered_or_the_applications() {
    let chain = ValidationChain::new().require_claim("tenant").require_claim("username");
    let mut token = token();
    token.claims.private = PrivateClaims::from_json(r#"{"tenant":"acme"}"#).unwrap();
    assert_eq!(check(&chain, &token, START).await, Err("missing_claim".to_owned()));
    token.claims.registered.username = Some("Jane".try_into().unwrap());
    assert_eq!(check(&chain, &token, START).await, Ok(()));
}

#[tokio::test]
async fn a_bound_token_is_valid_only_from_its_device() {
    let chain = ValidationChain::new().device(DeviceBinding::IfBound);
    let bound = token();
    let device = DeviceId::new("device123").unwrap();
    let other = DeviceId::new("device456").unwrap();
    let from = |device| PresentedBy { device: Some(device), key: None };
    assert!(chain.evaluate(&bound, from(&device), START).await.is_ok());
    assert_eq!(chain.evaluate(&bound, from(&other), START).await, Err(Refusal::Device));
    assert_eq!(chain.evaluate(&bound, PresentedBy::default(), START).await, Err(Refusal::Device));
    let mut free = token();
    free.metadata.device.id = None;
    assert!(chain.evaluate(&free, PresentedBy::default(), START).await.is_ok());
    let required = ValidationChain::new().device(DeviceBinding::Required);
    assert_eq!(required.evaluate(&free, from(&device), START).await, Err(Refusal::Device));
}

#[tokio::test]
async fn check_returns_the_first_failure_and_check_all_returns_all() {
    let chain = ValidationChain::new()
        .rule(|_: &Token, _| Err(Denied::new("tenant_suspended", "the tenant is suspended")))
        .require_scope("write")
        .allow_audience("other")
        .allow_issuer("other")
        .allow_kind(Kind::Session);
    let mut token = token();
    revoke(&mut token);
    assert_eq!(check(&chain, &token, START).await, Err("token_revoked".to_owned()));
    let all = chain.evaluate_all(&token, PresentedBy::default(), START).await;
    let codes: Vec<&str> = all.iter().map(Refusal::code).collect();
    let expected = [
        "token_revoked",
        "invalid_kind",
        "invalid_issuer",
        "invalid_audience",
        "insufficient_scope",
        "tenant_suspended",
    ];
    assert_eq!(codes, expected);
}

#[tokio::test]
async fn a_rule_may_wait() {
    struct Slow;

    #[async_trait::async_trait]
    impl Rule for Slow {
        async fn check(&self, _: &Token, _: Timestamp) -> Result<(), Denied> {
            tokio::task::yield_now().await;
            Err(Denied::new("slow", "no"))
        }
    }

    let chain = ValidationChain::new().rule(Slow);
    assert_eq!(check(&chain, &token(), START).await, Err("slow".to_owned()));
}

#[test]
fn an_invalid_chain_reports_its_error() {
    assert!(ValidationChain::new().allow_issuer("").check().is_err());
    assert!(ValidationChain::new().require_scope("two words").check().is_err());
}

#[tokio::test]
async fn an_invalid_chain_refuses_every_token() {
    let chain = ValidationChain::new().allow_issuer("").require_scope("admin");
    assert_eq!(check(&chain, &token(), START).await, Err("invalid_chain".to_owned()));
    let all = chain.evaluate_all(&token(), PresentedBy::default(), START).await;
    assert_eq!(all.first().map(Refusal::code), Some("invalid_chain"));
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_needs_a_proof_of_that_key() {
    let key = |text: &str| Confirmation::Jkt(text.try_into().unwrap());
    let (own, other) = (key("own"), key("other"));
    let certificate = Confirmation::CertificateThumbprint("own".try_into().unwrap());
    let mut bound = token();
    bound.claims.registered.confirmation = Some(own.clone());
    let free = token();
    let with = |key| PresentedBy { device: None, key: Some(key) };
    let code = async |binding, token: &Token, by| {
        let chain = ValidationChain::new().key(binding);
        chain.evaluate(token, by, START).await.err()
    };
    let refused = Some(Refusal::Confirmation);
    let default = KeyBinding::default();
    for by in [PresentedBy::default(), with(&other), with(&certificate)] {
        assert_eq!(code(default, &bound, by).await, refused);
        assert_eq!(code(KeyBinding::Required, &bound, by).await, refused);
        assert_eq!(code(KeyBinding::Required, &free, by).await, refused);
        assert_eq!(code(KeyBinding::Unchecked, &bound, by).await, None);
        assert_eq!(code(default, &free, by).await, None);
    }
    assert_eq!(code(default, &bound, with(&own)).await, None);
    assert_eq!(code(KeyBinding::Required, &bound, with(&own)).await, None);
}

#[tokio::test]
async fn a_kind_that_is_refused_is_refused_whatever_was_allowed() {
    let chains = [
        ValidationChain::new(),
        ValidationChain::new().allow_kind(Kind::Refresh).allow_kind(Kind::Access),
    ];
    for chain in chains {
        let chain = chain.refuse_kind(Kind::Refresh);
        let changes: [fn(&mut Token); 2] =
            [|token| token.kind = Kind::Refresh, |token| token.kind = Kind::Access];
        assert_eq!(codes(chain, &changes).await, ["invalid_kind", ""]);
    }
    let nothing = ValidationChain::new().allow_kind(Kind::Refresh).refuse_kind(Kind::Refresh);
    assert!(nothing.check().is_err());
}
