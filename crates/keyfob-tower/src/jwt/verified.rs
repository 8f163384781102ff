//! Tokens that were accepted.

use keyfob::Timestamp;
use keyfob::token::Confirmation;
use keyfob_jwt::access_token::{AccessToken, AccessTokenPolicy, Audiences, Refused as NotValid};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::refused::Refused;

/// A token that was accepted, and what it says.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// Its id.
    pub id: Option<String>,
    /// The subject or, where there is none, the client.
    pub subject: Option<String>,
    /// The client that it was issued to.
    pub client: Option<String>,
    /// The services that it is for.
    pub audiences: Vec<String>,
    /// The scopes, separated by spaces.
    pub scope: String,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// The key that it is bound to. The caller has proven it.
    pub confirmation: Option<Confirmation>,
    /// The parties that act for the subject (RFC 8693 section 4.1).
    pub actor: Option<Value>,
    /// The other claims: in a JWT those of the application.
    pub claims: Map<String, Value>,
    /// By what it was decided that the token was not revoked.
    pub decided_by: DecidedBy,
}

/// By what it was decided that a token was not revoked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DecidedBy {
    /// A status list.
    StatusList,
    /// The issuer, when it was asked.
    Introspection,
}

impl Verified {
    /// Returns whether it has a scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|name| name == scope)
    }
}

impl From<&AccessToken> for Verified {
    fn from(token: &AccessToken) -> Self {
        Self {
            id: Some(token.jti.clone()),
            subject: Some(token.sub.clone()),
            client: Some(token.client_id.clone()),
            audiences: token.aud.names().to_vec(),
            scope: token.scope.clone().unwrap_or_default(),
            expires_at: Some(Timestamp::from_secs(token.exp)),
            confirmation: token.cnf.clone(),
            actor: token.act.clone(),
            claims: token.private.clone(),
            decided_by: DecidedBy::StatusList,
        }
    }
}

/// An answer to introspection (RFC 7662 section 2.2).
#[derive(Deserialize)]
struct Answer {
    active: bool,
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audiences>,
    exp: Option<u64>,
    jti: Option<String>,
    client_id: Option<String>,
    scope: Option<String>,
    cnf: Option<Confirmation>,
    act: Option<Value>,
    #[serde(flatten)]
    claims: Map<String, Value>,
}

/// The longest answer that is read.
const MAX_ANSWER: usize = 64 * 1024;

/// Reads an answer to introspection. The issuer decides whether the token is active; whether it is for this service is
/// checked here.
pub(super) fn of_answer(
    body: &[u8],
    policy: &AccessTokenPolicy<'_>,
    now: Timestamp,
) -> Result<Verified, Refused> {
    if body.len() > MAX_ANSWER {
        return Err(Refused::NoAnswer);
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| Refused::NoAnswer)?;
    if !answer.active {
        return Err(Refused::Inactive);
    }
    if answer.iss.is_some_and(|issuer| issuer != policy.issuer) {
        return Err(NotValid::Issuer.into());
    }
    let audiences = answer.aud.map(|aud| aud.names().to_vec()).unwrap_or_default();
    if policy.audience.is_some_and(|wanted| !audiences.iter().any(|name| name == wanted)) {
        return Err(NotValid::Audience.into());
    }
    // The issuer has looked at it. Nevertheless an answer that contradicts itself does not count.
    let expires_at = answer.exp.map(Timestamp::from_secs);
    if expires_at.is_some_and(|end| now >= end + policy.clock_skew) {
        return Err(NotValid::Expired.into());
    }
    Ok(Verified {
        id: answer.jti,
        subject: answer.sub,
        client: answer.client_id,
        audiences,
        scope: answer.scope.unwrap_or_default(),
        expires_at,
        confirmation: answer.cnf,
        actor: answer.act,
        claims: answer.claims,
        decided_by: DecidedBy::Introspection,
    })
}

#[cfg(test)]
mod tests {
    use keyfob::Ttl;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_counts_if_it_is_active_and_for_this_service() {
        let policy = AccessTokenPolicy {
            issuer: "https://tokens.example",
            audience: Some("orders"),
            clock_skew: Ttl::from_secs(5),
        };
        let read = |answer: Value| {
            let body = serde_json::to_vec(&answer).unwrap();
            of_answer(&body, &policy, Timestamp::from_secs(100))
        };
        let accepted = read(json!({
            "active": true, "iss": "https://tokens.example", "aud": ["orders", "shop"],
            "scope": "read write", "exp": 96, "tenant": "acme",
        }));
        let accepted = accepted.unwrap();
        assert!(accepted.has_scope("write") && !accepted.has_scope("rea"));
        assert_eq!(accepted.claims["tenant"], "acme");
        assert_eq!(accepted.decided_by, DecidedBy::Introspection);
        let refused = [
            (json!({ "active": false }), Refused::Inactive),
            (json!({ "active": "true" }), Refused::NoAnswer),
            (json!({ "aud": "orders" }), Refused::NoAnswer),
            (json!({ "active": true }), NotValid::Audience.into()),
            (json!({ "active": true, "aud": "shop" }), NotValid::Audience.into()),
            (json!({ "active": true, "aud": "orders", "iss": "x" }), NotValid::Issuer.into()),
            (json!({ "active": true, "aud": "orders", "exp": 95 }), NotValid::Expired.into()),
            (
                json!({ "active": true, "aud": "orders", "cnf": { "other": "x" } }),
                Refused::NoAnswer,
            ),
        ];
        for (answer, why) in refused {
            assert_eq!(read(answer.clone()), Err(why), "{answer}");
        }
    }
}
