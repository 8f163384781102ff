//! A JWT that is checked offline, with its status list, beside the opaque path (J1).

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Result, ensure};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use keyfob::clock::{Clock, SystemClock};
use keyfob::{Timestamp, Ttl};
use keyfob_jwt::access_token::AccessToken;
use keyfob_jwt::key_set::KeySet;
use keyfob_jwt::signing::{SigningAlgorithm, SigningKey};
use keyfob_jwt::status_list::{StatusList, StatusListToken};
use keyfob_tower::jwt::{Fetch, FetchFailed, JwtVerifier};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::contender::Contender;
use crate::measure::{Series, cpu_each, rounds};
use crate::report::{Figure, Report};
use crate::size::Size;

const TOKENS: u32 = 1_000;
const ISSUER: &str = "https://tokens.example";
const AUDIENCE: &str = "https://api.example";
const LIST: &str = "https://tokens.example/status-lists/a";

/// The documents of an issuer, without a network.
#[derive(Clone, Debug)]
struct Issuer(Arc<HashMap<&'static str, Vec<u8>>>);

#[async_trait::async_trait]
impl Fetch for Issuer {
    async fn fetch(&self, uri: &str) -> Result<Vec<u8>, FetchFailed> {
        let document = self.0.get(uri).cloned();
        document.ok_or_else(|| FetchFailed(format!("there is no document at {uri}")))
    }
}

/// Tokens, keyfob's verifier of them, and the bare verification of the same by a library.
struct Jwts {
    texts: Vec<String>,
    verifier: JwtVerifier,
    /// It remembers no token.
    forgetful: JwtVerifier,
    key: DecodingKey,
    validation: Validation,
}

impl Jwts {
    fn new(algorithm: SigningAlgorithm, bare: Algorithm) -> Result<Self> {
        let signing = SigningKey::derive(&[1; 32], algorithm)?;
        let now = SystemClock.now();
        let texts = (0..TOKENS).map(|number| Ok(token(number, now)?.sign(&signing)?));
        let keys = serde_json::to_vec(&KeySet::new([signing.public().clone()]))?;
        let list = StatusListToken {
            uri: LIST.into(),
            issued_at: now,
            expires_at: Some(now + Ttl::from_hours(24)),
            ttl: Some(Ttl::from_hours(12)),
            // The size that keyfob serve uses.
            list: StatusList::new(131_072),
        };
        let jwk: Value = serde_json::from_slice(&keys)?;
        let jwk = jwk.pointer("/keys/0").cloned().unwrap_or_default();
        let mut validation = Validation::new(bare);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        let documents = HashMap::from([
            ("https://tokens.example/.well-known/jwks.json", keys),
            (LIST, list.sign(&signing)?.into_bytes()),
        ]);
        let verifier = JwtVerifier::new(ISSUER, AUDIENCE, Issuer(Arc::new(documents)))?;
        Ok(Self {
            texts: texts.collect::<Result<_>>()?,
            forgetful: verifier.clone().max_remembered(0),
            verifier,
            key: DecodingKey::from_jwk(&serde_json::from_value(jwk)?)?,
            validation,
        })
    }

    /// Returns nanoseconds of each check by keyfob: signature, claims and status.
    fn check(&self, runtime: &Runtime, by: &JwtVerifier, count: usize) -> Result<f64> {
        let mut accepted = 0;
        let nanos = cpu_each(count, || {
            runtime.block_on(async {
                for text in self.texts.iter().cycle().take(count) {
                    accepted += usize::from(by.verify(text).await.is_ok());
                }
            });
        });
        ensure!(accepted == count, "{accepted} of {count} were accepted");
        Ok(nanos)
    }

    /// Returns nanoseconds of each check by the library: signature and claims.
    fn check_bare(&self, count: usize) -> Result<f64> {
        let mut accepted = 0;
        let nanos = cpu_each(count, || {
            for text in self.texts.iter().cycle().take(count) {
                let read = jsonwebtoken::decode::<AccessToken>(text, &self.key, &self.validation);
                accepted += usize::from(read.is_ok());
            }
        });
        ensure!(accepted == count, "the library accepts {accepted} of {count}");
        Ok(nanos)
    }
}

fn token(number: u32, now: Timestamp) -> Result<AccessToken> {
    let now = now.as_millis() / 1_000;
    Ok(serde_json::from_value(json!({
        "iss": ISSUER, "sub": format!("user-{number:07}"), "aud": AUDIENCE, "iat": now,
        "exp": now + 86_400, "jti": format!("{number:032x}"), "client_id": "client-07",
        "scope": "read write", "status": { "status_list": { "idx": number, "uri": LIST } },
    }))?)
}

pub(crate) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let opaque = Contender::new(runtime, TOKENS.into())?;
    let eddsa = Jwts::new(SigningAlgorithm::EdDsa, Algorithm::EdDSA)?;
    let es256 = Jwts::new(SigningAlgorithm::Es256, Algorithm::ES256)?;
    let (many, few) = (size.operations(200_000), size.operations(4_000));
    let [checked, eddsa_first, eddsa_bare, es256_first, es256_bare, again] = rounds(
        size.rounds(9),
        [
            &mut || opaque.check(runtime, many),
            &mut || eddsa.check(runtime, &eddsa.forgetful, few),
            &mut || eddsa.check_bare(few),
            &mut || es256.check(runtime, &es256.forgetful, few),
            &mut || es256.check_bare(few),
            &mut || es256.check(runtime, &es256.verifier, many),
        ],
    )?;
    let mut add = |name: &str, ours: &Series, bare: &Series| {
        let what = format!("a JWT checked offline for the first time, {name}, with its status");
        let figure = Figure::of("J1", what, ours, "ns");
        report.add(figure.beside("jsonwebtoken: signature and claims", ours, bare));
    };
    add("EdDSA", &eddsa_first, &eddsa_bare);
    add("ES256", &es256_first, &es256_bare);
    let mut add = |what: &str, ours: &Series| {
        let figure = Figure::of("J1", what, ours, "ns");
        report.add(figure.beside("an opaque token in the cache", ours, &checked));
    };
    add("the first check of a JWT beside an opaque token, ES256", &es256_first);
    add("a JWT checked again beside an opaque token", &again);
    Ok(())
}
