//! Introspection of many tokens at once (RFC 7662 has it for one).

use keyfob_core::id::TokenId;
use keyfob_core::text::{Audience, ClientId, DeviceId, Issuer, Scope, Subject, Username};
use keyfob_core::token::Kind;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::many::OneOf;
use crate::secret::SecretText;

/// The body of `POST /v1/introspect`: at most 1,000 bearers. The answer is an array in the same order,
/// each member as RFC 7662 section 2.2 has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IntrospectBody {
    /// The bearers.
    #[cfg_attr(feature = "schema", schemars(length(max = 1_000)))]
    pub tokens: Vec<SecretText>,
}

/// The answer about one bearer, as a client reads it (RFC 7662 section 2.2). Times are in seconds since
/// 1970.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[non_exhaustive]
pub struct IntrospectionAnswer {
    /// Whether the bearer is active. If not, there is no other member, and no reason.
    pub active: bool,
    /// The scopes.
    #[serde(default, rename = "scope", deserialize_with = "separated_by_spaces")]
    pub scopes: Vec<Scope>,
    /// The client that the token was issued to.
    pub client_id: Option<ClientId>,
    /// A readable name of the subject.
    pub username: Option<Username>,
    /// When the token expires.
    pub exp: Option<u64>,
    /// When it was issued.
    pub iat: Option<u64>,
    /// When it becomes valid.
    pub nbf: Option<u64>,
    /// The subject.
    pub sub: Option<Subject>,
    /// The services that it is meant for.
    #[serde(default)]
    pub aud: OneOf<Audience>,
    /// The issuer.
    pub iss: Option<Issuer>,
    /// The id.
    pub jti: Option<TokenId>,
    /// The kind.
    pub kind: Option<Kind>,
    /// The device that it is bound to.
    pub device_id: Option<DeviceId>,
    /// All other members: `cnf`, `act`, and the claims of the application.
    #[serde(flatten)]
    pub claims: Map<String, Value>,
}

fn separated_by_spaces<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Scope>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let scopes = text.split(' ').filter(|scope| !scope.is_empty());
    scopes.map(|scope| scope.parse().map_err(serde::de::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_with_the_claims_of_the_application() {
        let text =
            r#"{"active":true,"scope":"a b","aud":"shop","exp":7,"plan":"team","act":{"sub":"x"}}"#;
        let answer: IntrospectionAnswer = serde_json::from_str(text).unwrap();
        assert_eq!((answer.active, answer.exp), (true, Some(7)));
        assert_eq!(answer.scopes, ["a", "b"]);
        assert_eq!(answer.aud.iter().count(), 1);
        assert_eq!(answer.claims.keys().collect::<Vec<_>>(), ["act", "plan"]);
        let inactive: IntrospectionAnswer = serde_json::from_str(r#"{"active":false}"#).unwrap();
        assert_eq!(inactive, IntrospectionAnswer::default());
    }
}
