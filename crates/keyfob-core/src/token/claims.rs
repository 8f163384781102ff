//! Claims: statements of a token beyond its other fields.
//!
//! The claims of RFC 7519 section 4.1 that keyfob acts on (`iss`, `sub`, `aud`, `exp`, `nbf`,
//! `iat`, `jti`) are fields of the token itself. The other registered claims that it knows are
//! [`RegisteredClaims`]. The claims of an application are a type of that application.
//!
//! ```
//! use keyfob::token::PrivateClaims;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, PartialEq, Debug)]
//! struct Plan {
//!     tier: String,
//!     seats: u32,
//! }
//!
//! let stored = PrivateClaims::write(&Plan { tier: "team".into(), seats: 12 })?;
//! assert_eq!(stored.read::<Plan>()?, Plan { tier: "team".into(), seats: 12 });
//! // A type that does not fit is an error that names the claim, not a panic.
//! #[derive(Deserialize, Debug)]
//! struct Tier {
//!     tier: u32,
//! }
//! let mismatch = stored.read::<Tier>().unwrap_err();
//! assert!(mismatch.to_string().contains("/tier does not fit"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use minicbor::{Decode, Encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::claims_json::{self, Members};
use super::claims_place;
use super::empty_claims::EmptyClaims;
use super::{ActorChain, ClientKey, MayIssue};
use crate::field::Field;
use crate::invalid::{InvalidReason, InvalidValue};
use crate::names::NameSet;
use crate::text::{AuthenticationContext, AuthenticationMethod, ClaimName, ClaimText, Username};
use crate::time::Timestamp;

/// The claims of a token beyond its other fields. `T` is the type of the application's own claims.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Claims<T = NoClaims> {
    /// The registered claims.
    pub registered: RegisteredClaims,
    /// The application's own claims.
    pub private: T,
}

/// The registered claims that are not fields of the token itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[non_exhaustive]
pub struct RegisteredClaims {
    /// A human-readable name of the subject (`username`, RFC 7662 section 2.2).
    #[n(0)]
    pub username: Option<Username>,
    /// When the subject was authenticated (`auth_time`, OpenID Connect Core section 2).
    #[n(1)]
    pub auth_time: Option<Timestamp>,
    /// How strongly the subject was authenticated (`acr`, OpenID Connect Core section 2).
    #[n(2)]
    pub authentication_context: Option<AuthenticationContext>,
    /// How the subject was authenticated (`amr`, RFC 8176).
    #[n(3)]
    pub authentication_methods: NameSet<AuthenticationMethod>,
    /// The key that the presenter has to prove possession of (`cnf`, RFC 7800).
    #[n(4)]
    pub confirmation: Option<Confirmation>,
    /// The parties that act for the subject (`act`, RFC 8693 section 4.1).
    #[n(5)]
    pub actors: Option<ActorChain>,
    /// What the holder of an API key may hand out to others (`may_issue`, a claim of keyfob).
    #[n(6)]
    pub may_issue: Option<MayIssue>,
    /// The key by which the client of an API key authenticates, instead of by a secret (RFC 7523 section 2.2).
    #[n(7)]
    pub client_key: Option<ClientKey>,
}

/// The key that the presenter of a token has to prove possession of (RFC 7800).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Confirmation {
    /// The SHA-256 thumbprint of a DPoP key, in base64url (`jkt`, RFC 9449 section 6.1).
    #[n(0)]
    Jkt(#[n(0)] ClaimText),
    /// The SHA-256 thumbprint of a client certificate, in base64url (RFC 8705 section 3.1).
    #[n(1)]
    #[serde(rename = "x5t#S256")]
    CertificateThumbprint(#[n(0)] ClaimText),
}

impl Confirmation {
    /// Returns the confirmation by a certificate with this encoding in DER (RFC 8705 section 3.1).
    pub fn of_certificate(der: &[u8]) -> Self {
        Self::of_certificate_digest(&Sha256::digest(der).into())
    }

    /// Returns the confirmation by a certificate whose DER has this SHA-256 digest.
    pub fn of_certificate_digest(digest: &[u8; 32]) -> Self {
        Self::CertificateThumbprint(ClaimText::of_digest(digest))
    }

    /// Returns the thumbprint of the key.
    pub fn thumbprint(&self) -> &ClaimText {
        match self {
            Self::Jkt(thumbprint) | Self::CertificateThumbprint(thumbprint) => thumbprint,
        }
    }
}

/// The type of an application without claims of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct NoClaims {}

/// An application's own claims as they are stored: one JSON object of at most
/// [`PrivateClaims::MAX_BYTES`] bytes. The name of a registered claim cannot be a member.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateClaims(Box<str>);

/// The error for claims that do not read as the type that the caller asked for. It names the claim that does
/// not fit or is missing, and quotes no value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the token's claims do not read as {expected}: {problem}")]
pub struct ClaimsMismatch {
    expected: &'static str,
    problem: String,
}

impl ClaimsMismatch {
    /// Returns the stable code of the error.
    pub fn code(&self) -> &'static str {
        "claims_mismatch"
    }
}

/// The stored form of no claims.
const NO_CLAIMS: &str = "{}";

/// Names with a meaning for every reader of a token (RFC 7519, 7662, 7800, 8693, 8176).
const REGISTERED: [&str; 19] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "active",
    "scope",
    "client_id",
    "username",
    "token_type",
    "cnf",
    "act",
    "may_act",
    "may_issue",
    "auth_time",
    "acr",
    "amr",
];

impl PrivateClaims {
    /// The maximum length of an application's claims as JSON, in bytes.
    pub const MAX_BYTES: usize = 8 * 1024;

    /// Returns an object without claims.
    pub fn none() -> Self {
        Self(NO_CLAIMS.into())
    }

    /// Serializes an application's claims.
    ///
    /// # Errors
    /// If they are not an object, are too large, or have a registered claim's name.
    pub fn write<T: Serialize + ?Sized>(claims: &T) -> Result<Self, InvalidValue> {
        let expected = "a value that serializes to a JSON object";
        let malformed = |_| InvalidValue::new(Field::Claims, InvalidReason::Malformed { expected });
        Self::from_json(serde_json::to_string(claims).map_err(malformed)?)
    }

    /// Takes an application's claims as JSON text.
    ///
    /// # Errors
    /// If the text is not an object, is too large or has a registered claim's name; if, at any
    /// depth, it repeats a name or has a number that is neither a 64-bit integer nor a finite double,
    /// since readers of JSON disagree on their meaning; or if it is nested too deeply.
    pub fn from_json(json: impl Into<String>) -> Result<Self, InvalidValue> {
        let claims = Self::from_stored_json(json)?;
        // The same text was parsed before.
        claims_json::check(&serde_json::from_str(&claims.0).unwrap_or_default())?;
        Ok(claims)
    }

    /// Takes the claims of a stored record. It accepts what earlier versions stored: only the names of
    /// the claims themselves are checked, and nothing below them.
    ///
    /// # Errors
    /// If the text is not an object, is too large, has a claim twice, or has a registered claim's
    /// name.
    pub fn from_stored_json(json: impl Into<String>) -> Result<Self, InvalidValue> {
        let json = json.into();
        if json.len() > Self::MAX_BYTES {
            return Err(InvalidValue::new(
                Field::Claims,
                InvalidReason::TooLong { max: Self::MAX_BYTES },
            ));
        }
        let expected = "one JSON object";
        let members: Members<'_> = serde_json::from_str(&json)
            .map_err(|_| InvalidValue::new(Field::Claims, InvalidReason::Malformed { expected }))?;
        let mut names: Vec<&str> = members.0.iter().map(|(name, _)| &**name).collect();
        if names.iter().any(|name| REGISTERED.contains(name)) {
            let rule = "a registered claim has a field of its own: use that";
            return Err(InvalidValue::new(Field::Claims, InvalidReason::Contradiction { rule }));
        }
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(InvalidValue::new(Field::Claim, InvalidReason::Duplicate));
        }
        Ok(Self(json.into_boxed_str()))
    }

    /// Reads the claims as a `T`. Without any claims, an `Option` reads as `None`.
    ///
    /// # Errors
    /// If the claims do not read as a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ClaimsMismatch> {
        Self::read_json(&self.0)
    }

    /// Reads the JSON text of stored claims as a `T`, as [`PrivateClaims::read`] does.
    ///
    /// # Errors
    /// If the claims do not read as a `T`.
    pub fn read_json<T: DeserializeOwned>(json: &str) -> Result<T, ClaimsMismatch> {
        let expected = std::any::type_name::<T>();
        if json == NO_CLAIMS {
            let mismatch = |_| ClaimsMismatch { expected, problem: "there are none".into() };
            return T::deserialize(EmptyClaims).map_err(mismatch);
        }
        serde_json::from_str(json).map_err(|error| {
            let problem = claims_place::describe(json, &error);
            ClaimsMismatch { expected, problem }
        })
    }

    /// Returns the JSON text.
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// Returns whether there is a claim of this name whose value is not null.
    pub fn has(&self, name: &ClaimName) -> bool {
        self.members().any(|(member, value)| member == name.as_str() && value.get() != "null")
    }

    /// Returns the claims, each with its JSON.
    pub fn members(&self) -> impl Iterator<Item = (String, &RawValue)> {
        // `from_json` has parsed the same text before.
        let members: Members<'_> = serde_json::from_str(&self.0).unwrap_or_default();
        members.0.into_iter().map(|(name, value)| (name.into_owned(), value))
    }
}

impl Default for PrivateClaims {
    fn default() -> Self {
        Self::none()
    }
}

impl std::fmt::Debug for PrivateClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Claims may contain personal data, which does not belong in a log.
        write!(f, "PrivateClaims({} bytes)", self.0.len())
    }
}

impl RegisteredClaims {
    /// Returns whether there is a claim of this name.
    pub fn has(&self, name: &ClaimName) -> bool {
        match name.as_str() {
            "username" => self.username.is_some(),
            "auth_time" => self.auth_time.is_some(),
            "acr" => self.authentication_context.is_some(),
            "amr" => !self.authentication_methods.is_empty(),
            "cnf" => self.confirmation.is_some(),
            "act" => self.actors.is_some(),
            "may_issue" => self.may_issue.is_some(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_one_bounded_object_without_registered_names() {
        for json in ["", "[]", "1", "{", "{} {}", r#"{"sub":"x"}"#, r#"{"a":1,"a":2}"#] {
            assert!(PrivateClaims::from_json(json).is_err(), "{json}");
        }
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(PrivateClaims::MAX_BYTES));
        assert!(PrivateClaims::from_json(large).is_err());
        assert!(PrivateClaims::from_json(r#"{"\u0061":1}"#).is_ok());
    }

    #[test]
    fn claims_that_readers_disagree_on_are_not_taken_but_stay_readable() {
        let json = r#"{"n":{"a":1,"a":2},"m":1e999}"#;
        assert!(PrivateClaims::from_json(json).is_err());
        assert_eq!(PrivateClaims::from_stored_json(json).unwrap().as_json(), json);
        let huge: &RawValue = serde_json::from_str("1e999").unwrap();
        let written = std::collections::BTreeMap::from([("n", huge)]);
        assert!(PrivateClaims::write(&written).is_err());
    }

    #[test]
    fn a_mismatch_does_not_quote_the_claims() {
        let claims = PrivateClaims::from_json(r#"{"n":"hunter2"}"#).unwrap();
        #[derive(Deserialize, Debug)]
        struct Number {
            #[expect(dead_code, reason = "only its type matters")]
            n: u32,
        }
        let refused = claims.read::<Number>().unwrap_err();
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
    }

    #[test]
    fn a_mismatch_names_the_claim() {
        #[derive(Deserialize, Debug)]
        #[expect(dead_code, reason = "only the types matter")]
        struct Plan {
            tier: String,
            seats: u8,
            limits: Option<Limits>,
        }
        #[derive(Deserialize, Debug)]
        #[expect(dead_code, reason = "only the types matter")]
        struct Limits {
            rate: u8,
        }
        for (json, place) in [
            (r#"{"tier":7,"seats":1}"#, "/tier does not fit, at line 1 column"),
            (r#"{"seats":1,"tier":7}"#, "/tier does not fit"),
            (r#"{"tier":"team","seats":-1}"#, "/seats does not fit"),
            (r#"{"tier":"team","seats":256,"other":1}"#, "/seats does not fit"),
            (
                "{\n  \"tier\": \"team\",\n  \"seats\": \"many\"\n}",
                "/seats does not fit, at line 3",
            ),
            (r#"{"tier":"team","seats":[1,2],"other":1}"#, "/seats does not fit"),
            (r#"{"tier":"team"}"#, "/seats is missing"),
            (r#"{"seats":1}"#, "/tier is missing"),
            (r#"{"tier":"team","seats":1,"limits":{"rate":"x"}}"#, "/limits does not fit"),
            (r#"{"tier":"team","seats":1,"limits":{"a":1}}"#, "/rate is missing in /limits"),
            (r#"{"tier":"team","seats":1,"limits":5,"b":1}"#, "/limits does not fit"),
        ] {
            let mismatch = PrivateClaims::from_json(json).unwrap().read::<Plan>().unwrap_err();
            assert!(mismatch.to_string().contains(place), "{json}: {mismatch}");
        }
    }

    #[test]
    fn no_claims_read_as_none_and_as_every_type_that_needs_none() {
        #[derive(Deserialize, PartialEq, Debug)]
        struct Plan {
            tier: String,
        }
        #[derive(Deserialize, PartialEq, Debug, Default)]
        #[serde(default)]
        struct Flags {
            beta: bool,
        }
        #[derive(Deserialize, PartialEq, Debug)]
        struct Wrapper(Flags);

        let none = PrivateClaims::none();
        assert_eq!(none.read::<Option<Plan>>(), Ok(None));
        assert_eq!(none.read::<Option<Flags>>(), Ok(None));
        assert_eq!(none.read::<Flags>(), Ok(Flags::default()));
        assert_eq!(none.read::<Wrapper>(), Ok(Wrapper(Flags::default())));
        assert_eq!(none.read::<NoClaims>(), Ok(NoClaims {}));
        assert_eq!(none.read::<serde_json::Value>(), Ok(serde_json::json!({})));
        let refused = none.read::<Plan>().unwrap_err();
        assert!(refused.to_string().ends_with("there are none"), "{refused}");

        let some = PrivateClaims::from_json(r#"{"tier":"team"}"#).unwrap();
        assert_eq!(some.read::<Option<Plan>>(), Ok(Some(Plan { tier: "team".into() })));
        assert!(some.read::<Option<Vec<u8>>>().is_err());
    }
}
