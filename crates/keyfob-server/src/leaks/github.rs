//! `POST /leaks/github`: what GitHub's secret scanning found.
//!
//! GitHub signs the body with one of its keys. Without a valid signature nothing is looked at. The answer says which texts
//! are bearers of this service, so that GitHub learns to tell them from others.

use base64ct::{Base64, Encoding as _};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::StatusCode;
use keyfob::values::Reason;
use keyfob::{Leaked, RevokeRequest};
use keyfob_api::{GithubLabel, GithubLeak, GithubVerdict};
use sha2::{Digest as _, Sha256};

use crate::call::Call;
use crate::parameter::Parameter;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};
use crate::v1::input::check_items;

const KEY: &str = "Github-Public-Key-Identifier";
const SIGNATURE: &str = "Github-Public-Key-Signature";

/// The headers that say who has signed the body.
pub(crate) const HEADERS: &[Parameter] = &[
    Parameter::text::<String>(KEY, "The name of the key of GitHub."),
    Parameter::text::<String>(SIGNATURE, "The signature of the body: ECDSA on P-256, in base64."),
];

/// How many texts of one request are looked up at the same time.
const MAX_CONCURRENT: usize = 16;

/// Answers `POST /leaks/github`.
pub(crate) async fn handle(call: Call) -> Answer {
    let Some(keys) = &call.shared.settings.github_keys else {
        let detail = "this service has no keys of GitHub: set leaks.github_keys";
        return Err(Failure::missing("no_github_keys", detail));
    };
    let header = |name| call.parts.headers.get(name).and_then(|value| value.to_str().ok());
    let is_signed = header(KEY).zip(header(SIGNATURE));
    let is_signed = is_signed.is_some_and(|(key, text)| keys.have_signed(key, text, &call.body));
    if !is_signed {
        let detail = "the body is not signed by a key of GitHub that this service knows";
        let failure = Failure::new(StatusCode::UNAUTHORIZED, "invalid_request", detail);
        return Err(Failure { code: "invalid_signature".into(), ..failure });
    }
    let found: Vec<GithubLeak> = keyfob_api::json::parse(&call.body)
        .map_err(|invalid| Failure::bad(invalid.code(), invalid.to_string()))?;
    check_items("texts", found.len())?;
    let call = &call;
    let verdicts = stream::iter(found).map(|leak| verdict(call, leak));
    let verdicts: Vec<_> = verdicts.buffered(MAX_CONCURRENT).try_collect().await?;
    json::ok(&verdicts)
}

async fn verdict(call: &Call, leak: GithubLeak) -> Result<GithubVerdict, Failure> {
    let request = RevokeRequest::reason(reason(&leak)).by("github");
    let found = call.shared.bearer(leak.token.expose().trim());
    let leaked = call.manager().revoke_leaked(&found, request).await?;
    let label = match leaked {
        Leaked::NotOurs => GithubLabel::FalsePositive,
        Leaked::Revoked(token) => {
            tracing::warn!(token = %token.id, "a bearer was found by GitHub, and is revoked");
            GithubLabel::TruePositive
        }
        Leaked::AlreadyRevoked(_) | Leaked::Replaced(_) => GithubLabel::TruePositive,
    };
    let digest = Sha256::digest(leak.token.expose().as_bytes());
    let token_hash = Base64::encode_string(&digest);
    Ok(GithubVerdict { token_hash, token_type: leak.r#type, label })
}

/// Returns the reason to record: where GitHub found it, if that is valid in a reason.
fn reason(leak: &GithubLeak) -> String {
    const FOUND: &str = "leaked: found by GitHub";
    let named = leak.url.as_ref().map(|url| format!("{FOUND}: {url}"));
    named.filter(|text| Reason::new(text).is_ok()).unwrap_or_else(|| FOUND.to_owned())
}
