//! A token as introspection shows it (RFC 7662 section 2.2).

use std::fmt;

use keyfob::Kind;
use keyfob::cache::ActiveToken;
use keyfob::store::StoreError;
use keyfob::token::Confirmation;
use keyfob::token::{PrivateClaims, RegisteredClaims};
use keyfob_api::OneOf;
use keyfob_api::schema::{ConfirmationSchema, KindSchema, Object, TokenIdText};
use schemars::JsonSchema;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// An active token as introspection shows it. Claims of the application are members of their own. It reads the
/// token where it is: most tokens are written without a copy.
#[derive(Debug)]
pub(crate) struct ClaimsView<'a> {
    token: &'a ActiveToken<'a>,
    registered: RegisteredClaims,
    /// The claims of the application, if there are any.
    private: Option<PrivateClaims>,
}

/// The members that the token's own fields fill. A claim of the application never takes their place.
const OWN_MEMBERS: [&str; 13] = [
    "active",
    "scope",
    "client_id",
    "token_type",
    "exp",
    "iat",
    "nbf",
    "sub",
    "aud",
    "iss",
    "jti",
    "kind",
    "device_id",
];

/// An answer of introspection (RFC 7662 section 2.2). A token that is not active has `active` alone. An
/// active token also has the claims of its application, as members of their own.
#[derive(JsonSchema)]
#[schemars(rename = "IntrospectionResponse")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct IntrospectionSchema {
    /// Whether the token is active.
    active: bool,
    /// The scopes, separated by spaces.
    #[schemars(skip_serializing_if = "is_missing")]
    scope: String,
    /// The client that the token was issued to.
    #[schemars(skip_serializing_if = "is_missing")]
    client_id: String,
    /// `Bearer`, unless it is a refresh token.
    #[schemars(skip_serializing_if = "is_missing")]
    token_type: String,
    /// When the token expires, in seconds since 1970. Missing: it does not expire.
    #[schemars(skip_serializing_if = "is_missing")]
    exp: u64,
    /// When the token was issued, in seconds since 1970.
    #[schemars(skip_serializing_if = "is_missing")]
    iat: u64,
    /// When the token becomes valid, in seconds since 1970.
    #[schemars(skip_serializing_if = "is_missing")]
    nbf: u64,
    /// The subject.
    #[schemars(skip_serializing_if = "is_missing")]
    sub: String,
    /// The services that the token is meant for.
    #[schemars(skip_serializing_if = "is_missing")]
    #[schemars(with = "OneOf<String>")]
    aud: (),
    /// The issuer.
    #[schemars(skip_serializing_if = "is_missing")]
    iss: String,
    /// The id of the token.
    #[schemars(skip_serializing_if = "is_missing")]
    #[schemars(with = "TokenIdText")]
    jti: (),
    /// The kind of the token.
    #[schemars(skip_serializing_if = "is_missing")]
    #[schemars(with = "KindSchema")]
    kind: (),
    /// The device that the token is bound to.
    #[schemars(skip_serializing_if = "is_missing")]
    device_id: String,
    /// A readable name of the subject.
    #[schemars(skip_serializing_if = "is_missing")]
    username: String,
    /// The key whose possession the presenter must prove (RFC 7800).
    #[schemars(skip_serializing_if = "is_missing")]
    #[schemars(with = "ConfirmationSchema")]
    cnf: (),
    /// The parties that act for the subject (RFC 8693 section 4.1).
    #[schemars(skip_serializing_if = "is_missing")]
    #[schemars(with = "Object")]
    act: (),
}

/// The JSON of an object without members.
const NO_CLAIMS: &str = "{}";

impl<'a> ClaimsView<'a> {
    /// Reads what has to be decoded.
    ///
    /// # Errors
    /// If the token cannot be read.
    pub(crate) fn of(token: &'a ActiveToken<'a>) -> Result<Self, StoreError> {
        let private = match token.claims_json() {
            NO_CLAIMS => None,
            _ => Some(token.to_token()?.claims.private),
        };
        Ok(Self { token, registered: token.registered_claims()?, private })
    }
}

impl Serialize for ClaimsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let token = self.token;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("active", &true)?;
        if token.scopes().next().is_some() {
            map.serialize_entry("scope", &Scopes(token))?;
        }
        optional(&mut map, "client_id", &token.client())?;
        if token.kind() != Kind::Refresh {
            map.serialize_entry("token_type", token_type(self.registered.bound_to().as_deref()))?;
        }
        optional(&mut map, "exp", &token.expires_at().map(|at| at.as_secs()))?;
        map.serialize_entry("iat", &token.issued_at().as_secs())?;
        optional(&mut map, "nbf", &token.not_before().map(|at| at.as_secs()))?;
        optional(&mut map, "sub", &token.subject())?;
        if token.audiences().next().is_some() {
            map.serialize_entry("aud", &OneOrMany(token))?;
        }
        optional(&mut map, "iss", &token.issuer())?;
        map.serialize_entry("jti", &token.id())?;
        map.serialize_entry("kind", &token.kind())?;
        optional(&mut map, "device_id", &token.device())?;
        self.claims(&mut map)?;
        map.end()
    }
}

impl ClaimsView<'_> {
    fn claims<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let registered = &self.registered;
        optional(map, "username", &registered.username)?;
        optional(map, "auth_time", &registered.auth_time.map(|at| at.as_secs()))?;
        optional(map, "acr", &registered.authentication_context)?;
        if !registered.authentication_methods.is_empty() {
            map.serialize_entry("amr", &registered.authentication_methods)?;
        }
        optional(map, "cnf", &registered.bound_to().as_deref())?;
        optional(map, "act", &registered.actors)?;
        for (name, value) in self.private.iter().flat_map(PrivateClaims::members) {
            if !OWN_MEMBERS.contains(&&*name) {
                map.serialize_entry(&name, value)?;
            }
        }
        Ok(())
    }
}

/// Returns how a token is presented (RFC 6749 section 7.1, RFC 9449 section 5).
pub(super) fn token_type(bound_to: Option<&Confirmation>) -> &'static str {
    match bound_to {
        Some(Confirmation::Jkt(_)) => "DPoP",
        _ => "Bearer",
    }
}

fn optional<M: SerializeMap, T: Serialize>(
    map: &mut M,
    name: &'static str,
    value: &Option<T>,
) -> Result<(), M::Error> {
    value.as_ref().map_or(Ok(()), |value| map.serialize_entry(name, value))
}

/// The scopes, separated by spaces.
struct Scopes<'a>(&'a ActiveToken<'a>);

impl fmt::Display for Scopes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.scopes().enumerate().try_for_each(|(place, scope)| {
            f.write_str(if place == 0 { "" } else { " " })?;
            f.write_str(scope)
        })
    }
}

impl Serialize for Scopes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One audience as a text, several as an array (RFC 7519 section 4.1.3).
struct OneOrMany<'a>(&'a ActiveToken<'a>);

impl Serialize for OneOrMany<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut names = self.0.audiences();
        match (names.next(), names.next()) {
            (Some(one), None) => one.serialize(serializer),
            _ => serializer.collect_seq(self.0.audiences()),
        }
    }
}
