//! A token as JSON, and a token with its bearer.

use keyfob_core::id::{FamilyId, TokenId};
use keyfob_core::names::NameSet;
use keyfob_core::text::{Actor, Audience, ClientId, Issuer, Reason, Scope, Subject};
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::{
    ClientKey, Kind, Metadata, RecordIntegrity, Revocation, Token, TokenState,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::refusal::RefusalBody;
#[cfg(feature = "schema")]
use crate::schema::{
    KindSchema, MetadataSchema, Names, Object, ScopeText, StateSchema, Text, TimeText, TokenIdText,
    TtlText,
};
use crate::secret::SecretText;

/// A token with its state at the time of the answer: the JSON of `Token::view`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TokenBody {
    /// The public id.
    #[cfg_attr(feature = "schema", schemars(with = "TokenIdText"))]
    pub id: TokenId,
    /// The kind.
    #[cfg_attr(feature = "schema", schemars(with = "KindSchema"))]
    pub kind: Kind,
    /// The state when the answer was made.
    #[cfg_attr(feature = "schema", schemars(with = "StateSchema"))]
    pub state: TokenState,
    /// The subject that the token speaks for.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub subject: Option<Subject>,
    /// The issuer.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub issuer: Option<Issuer>,
    /// The services that the token is meant for.
    #[cfg_attr(feature = "schema", schemars(with = "Names<Text<256>>"))]
    pub audience: NameSet<Audience>,
    /// The scopes that the token allows.
    #[cfg_attr(feature = "schema", schemars(with = "Names<ScopeText>"))]
    pub scopes: NameSet<Scope>,
    /// The client that the token was issued to.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub client: Option<ClientId>,
    /// When the token was issued.
    #[cfg_attr(feature = "schema", schemars(with = "TimeText"))]
    pub issued_at: Timestamp,
    /// When the token becomes valid. Null: when it was issued.
    #[cfg_attr(feature = "schema", schemars(with = "Option<TimeText>"))]
    pub not_before: Option<Timestamp>,
    /// When the token expires. Null: never.
    #[cfg_attr(feature = "schema", schemars(with = "Option<TimeText>"))]
    pub expires_at: Option<Timestamp>,
    /// After how long without a use the token expires.
    #[cfg_attr(feature = "schema", schemars(with = "Option<TtlText>"))]
    pub idle_timeout: Option<Ttl>,
    /// When the token expires at the latest, whatever renews it.
    #[cfg_attr(feature = "schema", schemars(with = "Option<TimeText>"))]
    pub absolute_expiry: Option<Timestamp>,
    /// When the token was last used.
    #[cfg_attr(feature = "schema", schemars(with = "Option<TimeText>"))]
    pub last_used: Option<Timestamp>,
    /// The family: all tokens that were minted from the same refresh token or session.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<64>>"))]
    pub family: Option<FamilyId>,
    /// The tokens that this one descends from, the oldest first. Left out if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<TokenIdText>"))]
    pub ancestors: Vec<TokenId>,
    /// Until when the secret before the newest one of a rotated API key is valid. Left out if there is
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<TimeText>"))]
    pub older_secret_until: Option<Timestamp>,
    /// How many uses are left. Null: any number.
    pub uses_left: Option<u32>,
    /// The device, the application, labels and tags.
    #[cfg_attr(feature = "schema", schemars(with = "MetadataSchema"))]
    pub metadata: Metadata,
    /// The claims: registered ones, then those of the application.
    #[cfg_attr(feature = "schema", schemars(with = "Object"))]
    pub claims: Box<RawValue>,
    /// The place of a JWT in a status list. Left out for an opaque token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<StatusPlaceBody>,
    /// The public key by which the client of an API key authenticates, as a JWK. Left out where it has a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::ClientKeySchema>"))]
    pub client_key: Option<ClientKey>,
    /// The revocation, if the token was revoked.
    pub revocation: Option<RevocationBody>,
    /// `epochs_lost` if the store lost data that may have revoked the token. Such a token is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrity: Option<String>,
}

impl TokenBody {
    /// Returns a token with its state at `now`. It is written as `Token::view` writes it.
    pub fn of(token: &Token, now: Timestamp) -> Self {
        let claims = serde_json::value::to_raw_value(&token.claims);
        Self {
            id: token.id,
            kind: token.kind,
            state: token.state(now),
            subject: token.subject.clone(),
            issuer: token.issuer.clone(),
            audience: token.audiences.clone(),
            scopes: token.scopes.clone(),
            client: token.client.clone(),
            issued_at: token.issued_at,
            not_before: token.not_before,
            expires_at: token.expires_at,
            idle_timeout: token.idle_timeout,
            absolute_expiry: token.absolute_expiry,
            last_used: token.last_used,
            family: token.family,
            ancestors: token.parents().to_vec(),
            older_secret_until: token.older_secret_until.filter(|until| now < *until),
            uses_left: token.uses_left,
            metadata: token.metadata.clone(),
            // Claims are an object of texts and JSON, which can be written in any case.
            claims: claims.unwrap_or_else(|_| RawValue::NULL.to_owned()),
            jwt: token
                .jwt
                .map(|form| StatusPlaceBody { list: form.list.to_string(), index: form.index }),
            client_key: token.claims.registered.client_key.clone(),
            revocation: token.revocation.as_ref().map(RevocationBody::from),
            integrity: (token.integrity == RecordIntegrity::EpochsLost)
                .then(|| "epochs_lost".to_owned()),
        }
    }
}

/// The place of a token in a status list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct StatusPlaceBody {
    /// The list: what follows `/status-lists/`.
    pub list: String,
    /// The index in the list.
    pub index: u32,
}

/// The revocation of a token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RevocationBody {
    /// When the token was revoked.
    #[cfg_attr(feature = "schema", schemars(with = "TimeText"))]
    pub at: Timestamp,
    /// The reason, if one was given.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub reason: Option<Reason>,
    /// Who revoked it, if that was given.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub by: Option<Actor>,
    /// What was revoked: `token`, `ancestor`, `subject`, `client` or `all`.
    pub through: String,
}

impl From<&Revocation> for RevocationBody {
    fn from(revocation: &Revocation) -> Self {
        Self {
            at: revocation.at,
            reason: revocation.reason.clone(),
            by: revocation.by.clone(),
            through: revocation.through.as_str().to_owned(),
        }
    }
}

/// A token with its bearer: the answer to issuing, deriving and rotating, and the object of
/// `keyfob issue --json`. No other body contains the bearer.
///
/// `T` is the token as it is written: a [`TokenBody`], or a view of a token.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IssuedBody<T = TokenBody> {
    /// The token.
    #[serde(flatten)]
    pub token: T,
    /// The bearer. It is shown once.
    pub bearer: SecretText,
}

impl<T> IssuedBody<T> {
    /// Creates the body of a token with its bearer.
    pub fn new(token: T, bearer: &str) -> Self {
        Self { token, bearer: SecretText::new(bearer) }
    }
}

/// One member of the answer to many grants: the token that was issued, or why it was not.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum IssueOutcome<T = TokenBody> {
    /// The token with its bearer.
    Issued(Box<IssuedBody<T>>),
    /// Why it was not issued.
    Failed {
        /// The error.
        error: RefusalBody,
    },
}

impl<'de> Deserialize<'de> for IssueOutcome {
    /// An untagged enum would buffer the object, and lose its raw claims.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Failed {
            error: Option<RefusalBody>,
        }
        let object = <&RawValue>::deserialize(deserializer)?.get();
        let Failed { error } = serde_json::from_str(object).map_err(serde::de::Error::custom)?;
        match error {
            Some(error) => Ok(Self::Failed { error }),
            None => serde_json::from_str(object)
                .map(|issued| Self::Issued(Box::new(issued)))
                .map_err(serde::de::Error::custom),
        }
    }
}

impl<'de> Deserialize<'de> for IssuedBody {
    /// Reads the object twice: serde cannot keep the raw claims of a flattened token.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Bearer {
            bearer: SecretText,
        }
        let object = <&RawValue>::deserialize(deserializer)?.get();
        let Bearer { bearer } = serde_json::from_str(object).map_err(serde::de::Error::custom)?;
        let token = serde_json::from_str(object).map_err(serde::de::Error::custom)?;
        Ok(Self { token, bearer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::token::sample;

    #[test]
    fn the_body_of_a_token_is_its_view() {
        let token = sample::token();
        let view = serde_json::to_string(&token.view(token.issued_at)).unwrap();
        let body: TokenBody = serde_json::from_str(&view).unwrap();
        assert_eq!(serde_json::to_string(&body).unwrap(), view);
        let body = TokenBody::of(&token, token.issued_at);
        assert_eq!(serde_json::to_string(&body).unwrap(), view);
    }

    #[test]
    fn an_issued_token_is_read_as_it_is_written() {
        let token = sample::token();
        let body = IssuedBody::new(token.view(token.issued_at), "hunter2");
        let written = serde_json::to_string(&body).unwrap();
        let read: IssuedBody = serde_json::from_str(&written).unwrap();
        assert_eq!(read.bearer.expose(), "hunter2");
        assert!(!format!("{read:?}").contains("hunter2"));
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
        let many: Vec<IssuedBody> = serde_json::from_str(&format!("[{written}]")).unwrap();
        assert_eq!(many.len(), 1);
    }
}
