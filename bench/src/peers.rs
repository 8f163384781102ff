//! Comparison with other Rust libraries in the same loop: signed tokens and in-memory sessions
//! (V4).

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, Result};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rcgen::PublicKeyData;
use sa_token_core::{SaTokenConfig, SaTokenManager};
use sa_token_storage_memory::MemoryStorage;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tower_sessions::cookie::time::{Duration, OffsetDateTime};
use tower_sessions::session::{Id, Record};
use tower_sessions::{MemoryStore, SessionStore};

use crate::measure::{Series, cpu_each, rounds};
use crate::report::{Figure, Report};
use crate::size::Size;
use crate::target::Target;

/// The number of tokens per library. They fit into the processor's cache.
const TOKENS: usize = 1_000;
const ISSUER: &str = "https://id.example.com";
const AUDIENCE: &str = "https://api.example.com";

#[derive(Clone, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    scope: String,
    iat: u64,
    exp: u64,
    jti: String,
}

/// Signed tokens, their verification key and their validation rules.
struct SignedTokens {
    key: DecodingKey,
    validation: Validation,
    texts: Vec<String>,
}

impl SignedTokens {
    fn new(algorithm: Algorithm, sign: &EncodingKey, key: DecodingKey) -> Result<Self> {
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        let claims = |number: usize| Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: format!("user-{number:07}"),
            client_id: format!("client-{:02}", number % 50),
            scope: "read write".to_owned(),
            iat: 1_790_000_000,
            exp: 4_000_000_000,
            jti: format!("{number:032x}"),
        };
        let header = Header::new(algorithm);
        let texts = (0..TOKENS).map(|number| jsonwebtoken::encode(&header, &claims(number), sign));
        Ok(Self { key, validation, texts: texts.collect::<Result<_, _>>()? })
    }

    fn verify(&self, count: usize) -> Result<f64> {
        let mut verified = 0;
        let nanos = cpu_each(count, || {
            for text in self.texts.iter().cycle().take(count) {
                let read = jsonwebtoken::decode::<Claims>(text, &self.key, &self.validation);
                verified += usize::from(black_box(read).is_ok());
            }
        });
        ensure_all_accepted(verified, count)?;
        Ok(nanos)
    }
}

fn ensure_all_accepted(accepted: usize, count: usize) -> Result<()> {
    anyhow::ensure!(accepted == count, "{accepted} of {count} were accepted");
    Ok(())
}

fn hs256() -> Result<SignedTokens> {
    let secret = b"a secret of thirty-two bytes, ok";
    let (sign, key) = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
    SignedTokens::new(Algorithm::HS256, &sign, key)
}

fn es256() -> Result<SignedTokens> {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let sign = EncodingKey::from_ec_der(&pair.serialize_der());
    SignedTokens::new(Algorithm::ES256, &sign, DecodingKey::from_ec_der(pair.der_bytes()))
}

fn eddsa() -> Result<SignedTokens> {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
    let sign = EncodingKey::from_ed_der(&pair.serialize_der());
    SignedTokens::new(Algorithm::EdDSA, &sign, DecodingKey::from_ed_der(pair.der_bytes()))
}

pub(crate) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    let ours = crate::contender::Contender::new(runtime, TOKENS as u64)?;
    let (secret, curve, edwards) = (hs256()?, es256()?, eddsa()?);

    let sa_token = SaTokenManager::new(Arc::new(MemoryStorage::new()), SaTokenConfig::default());
    let logins: Vec<_> = runtime.block_on(async {
        let mut logins = Vec::new();
        for number in 0..TOKENS {
            logins.push(sa_token.login(format!("user-{number:07}")).await?);
        }
        anyhow::Ok(logins)
    })?;

    let sessions = MemoryStore::default();
    let ids: Vec<Id> = runtime.block_on(async {
        let mut ids = Vec::new();
        for number in 0..TOKENS {
            let data = HashMap::from([
                ("subject".to_owned(), format!("user-{number:07}").into()),
                ("client".to_owned(), format!("client-{:02}", number % 50).into()),
                ("scope".to_owned(), "read write".into()),
            ]);
            let expiry_date = OffsetDateTime::now_utc() + Duration::days(30);
            let mut record = Record { id: Id::default(), data, expiry_date };
            sessions.create(&mut record).await?;
            ids.push(record.id);
        }
        anyhow::Ok(ids)
    })?;

    let (keyfob_ops, hs256_ops, signature_ops) =
        (size.operations(200_000), size.operations(20_000), size.operations(2_000));
    let [ours_ns, secret, curve, edwards, sa_token, sessions] = rounds(
        size.rounds(9),
        [
            &mut || ours.check(runtime, keyfob_ops),
            &mut || secret.verify(hs256_ops),
            &mut || curve.verify(signature_ops),
            &mut || edwards.verify(signature_ops),
            &mut || {
                let mut accepted = 0;
                let nanos = cpu_each(hs256_ops, || {
                    runtime.block_on(async {
                        for login in logins.iter().cycle().take(hs256_ops) {
                            accepted += usize::from(sa_token.is_valid(login).await);
                        }
                    });
                });
                ensure_all_accepted(accepted, hs256_ops)?;
                Ok(nanos)
            },
            &mut || {
                let mut accepted = 0;
                let nanos = cpu_each(keyfob_ops, || {
                    runtime.block_on(async {
                        for id in ids.iter().cycle().take(keyfob_ops) {
                            let record = sessions.load(black_box(id)).await;
                            accepted += usize::from(record.is_ok_and(|record| record.is_some()));
                        }
                    });
                });
                ensure_all_accepted(accepted, keyfob_ops)?;
                Ok(nanos)
            },
        ],
    )?;
    let mut add = |peer: &'static str, series: &Series, target: Option<f64>| {
        let what = format!("cached check, times faster than {peer}");
        let figure = Figure::of("V4", what, &ours_ns, "ns").ahead_of(peer, &ours_ns, series);
        report.add(match target {
            Some(target) => figure.against(Target::ratio_at_least(target)),
            None => figure,
        });
    };
    add("jsonwebtoken HS256", &secret, Some(20.0));
    add("jsonwebtoken ES256", &curve, None);
    add("jsonwebtoken EdDSA", &edwards, Some(250.0));
    add("sa-token-core is_valid", &sa_token, Some(12.0));
    add("tower-sessions memory load", &sessions, Some(2.5));
    let length = hs256()?.texts.first().context("no token")?.len();
    report.note(format!("the signed tokens have {length} characters or more, and eight claims"));
    Ok(())
}
