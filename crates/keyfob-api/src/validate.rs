//! What is demanded of a bearer, and the verdict.

use std::net::IpAddr;

use keyfob_core::id::TokenId;
use keyfob_core::names::NameSet;
use keyfob_core::text::{Audience, ClaimName, ClaimText, DeviceId, Issuer, LimitName, Scope};
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::{Kind, SecretUsed, Token};
use keyfob_core::validation::{Consistency, DeviceBinding, ValidationChain};
use serde::{Deserialize, Deserializer, Serialize};

use crate::many::{OneOf, at_most};
use crate::refusal::RefusalBody;
#[cfg(feature = "schema")]
use crate::schema::{Address, KindSchema, Names, ScopeText, Text, TimeText, TokenIdText, TtlText};
use crate::secret::SecretText;
use crate::token::TokenBody;

/// Defines a body with demands on a token. Flattening a shared struct would buffer the body, and would
/// lose the place of an error.
macro_rules! body_with_demands {
    ($(#[$attribute:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, Default, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($own)*
            /// The demands of the server's configuration under this name, in addition to those of this body.
        /// Excludes `issuer`, `audience`, `kind`, `any_scopes` and `clock_skew`: these would widen it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub chain: Option<String>,
            /// The issuers that are accepted.
            #[serde(default, skip_serializing_if = "OneOf::is_empty")]
            #[cfg_attr(feature = "schema", schemars(with = "Option<OneOf<Text<256>>>"))]
            pub issuer: OneOf<Issuer>,
            /// The audiences of which the token must have one.
            #[serde(default, skip_serializing_if = "OneOf::is_empty")]
            #[cfg_attr(feature = "schema", schemars(with = "Option<OneOf<Text<256>>>"))]
            pub audience: OneOf<Audience>,
            /// The scopes that the token must have.
            #[serde(default, skip_serializing_if = "NameSet::is_empty")]
            #[cfg_attr(feature = "schema", schemars(with = "Names<ScopeText>"))]
            pub scopes: NameSet<Scope>,
            /// The scopes of which the token must have one.
            #[serde(default, skip_serializing_if = "NameSet::is_empty")]
            #[cfg_attr(feature = "schema", schemars(with = "Names<ScopeText>"))]
            pub any_scopes: NameSet<Scope>,
            /// The kinds that are accepted.
            #[serde(default, skip_serializing_if = "OneOf::is_empty")]
            #[cfg_attr(feature = "schema", schemars(with = "Option<OneOf<KindSchema>>"))]
            pub kind: OneOf<Kind>,
            /// The device that presents the bearer. The token must be bound to it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[cfg_attr(feature = "schema", schemars(with = "Option<Text<128>>"))]
            pub device_id: Option<DeviceId>,
            /// The thumbprint of the key whose possession the caller has checked (DPoP or certificate).
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub cnf: Option<ProvenKey>,
            /// The address of the client that presents the bearer. Failed attempts count against it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[cfg_attr(feature = "schema", schemars(with = "Option<Address>"))]
            pub ip: Option<IpAddr>,
            /// How much the clocks of the issuer and the server may differ.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[cfg_attr(feature = "schema", schemars(with = "Option<TtlText>"))]
            pub clock_skew: Option<Ttl>,
            /// The token must have been issued within this time.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[cfg_attr(feature = "schema", schemars(with = "Option<TtlText>"))]
            pub max_age: Option<Ttl>,
            /// The claims that the token must have.
            #[serde(
                default,
                skip_serializing_if = "Vec::is_empty",
                deserialize_with = "at_most::<64, _, _>"
            )]
            #[cfg_attr(feature = "schema", schemars(with = "Vec<Text<128>>", length(max = 64)))]
            pub claims: Vec<ClaimName>,
            /// Asks the store, so that every revocation that returned before this request is seen.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            pub strong: bool,
        }

        impl $name {
            /// Returns whether a member would widen a chain that it is added to: where a chain accepts
            /// any one of several values, more values accept more tokens.
            pub fn would_widen(&self) -> bool {
                !(self.issuer.is_empty()
                    && self.audience.is_empty()
                    && self.kind.is_empty()
                    && self.any_scopes.is_empty()
                    && self.clock_skew.is_none())
            }

            /// Adds the demands of this body to `chain`; see [`Self::would_widen`].
            pub fn add_to(&self, mut chain: ValidationChain) -> ValidationChain {
                chain = self.kind.iter().fold(chain, |chain, kind| chain.allow_kind(*kind));
                chain = self.issuer.iter().cloned().fold(chain, ValidationChain::allow_issuer);
                chain = self.audience.iter().cloned().fold(chain, ValidationChain::allow_audience);
                chain = self.scopes.iter().cloned().fold(chain, ValidationChain::require_scope);
                chain =
                    self.any_scopes.iter().cloned().fold(chain, ValidationChain::require_any_scope);
                chain = self.claims.iter().cloned().fold(chain, ValidationChain::require_claim);
                chain = self.clock_skew.into_iter().fold(chain, ValidationChain::clock_skew);
                chain = self.max_age.into_iter().fold(chain, ValidationChain::max_age);
                if self.strong {
                    chain = chain.consistency(Consistency::Strong);
                }
                match self.device_id {
                    Some(_) => chain.device(DeviceBinding::Required),
                    None => chain,
                }
            }
        }
    };
}

body_with_demands! {
    /// The body of `POST /v1/validate`: a bearer, what is demanded of its token, and the limits to
    /// charge.
    ///
    /// A member that is missing demands nothing. Where several issuers, audiences or kinds are given,
    /// any one suffices.
    ValidateBody {
        /// The bearer.
        pub token: SecretText,
        /// The proof with which the bearer was presented (RFC 9449). The server checks it for the request, and that it
        /// was not used before. Excludes `cnf`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub dpop: Option<DpopBody>,
        /// The limits to charge if the bearer is valid, each with its cost.
        #[serde(
            default,
            skip_serializing_if = "Vec::is_empty",
            deserialize_with = "at_most::<8, _, _>"
        )]
        #[cfg_attr(feature = "schema", schemars(length(max = 8)))]
        pub limits: Vec<LimitCharge>,
    }
}

body_with_demands! {
    /// The body of `POST /v1/explain`: a bearer or the id of a token, and what is demanded of it.
    ExplainBody {
        /// The bearer. Excludes `id`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub token: Option<SecretText>,
        /// The id of the token. Excludes `token`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<TokenIdText>"))]
        pub id: Option<TokenId>,
    }
}

/// A proof of possession, and the request that it came with (RFC 9449).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DpopBody {
    /// The value of the header `DPoP`.
    #[cfg_attr(feature = "schema", schemars(with = "Text<8192>"))]
    pub proof: String,
    /// The method of the request.
    #[cfg_attr(feature = "schema", schemars(with = "Text<32>"))]
    pub method: String,
    /// The URL of the request, as the client sees it.
    #[cfg_attr(feature = "schema", schemars(with = "Text<2048>"))]
    pub url: String,
}

/// The key whose possession the caller of a validation has checked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ProvenKey {
    /// The thumbprint of a DPoP key (RFC 9449 section 6.1).
    #[serde(rename = "jkt")]
    Jkt(#[cfg_attr(feature = "schema", schemars(with = "Text<256>"))] ClaimText),
    /// The thumbprint of a client certificate (RFC 8705 section 3.1).
    #[serde(rename = "x5t#S256")]
    CertificateThumbprint(#[cfg_attr(feature = "schema", schemars(with = "Text<256>"))] ClaimText),
}

/// A limit to charge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LimitCharge {
    /// The name of a limit in the server's configuration.
    #[cfg_attr(feature = "schema", schemars(with = "Text<64>"))]
    pub name: LimitName,
    /// The cost in permits. Default: 1.
    #[serde(default = "one", deserialize_with = "at_least_one")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 4_294_967_295u32)))]
    pub cost: u32,
}

fn one() -> u32 {
    1
}

/// Reads a cost. A limit that is charged nothing would admit every request.
fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        0 => Err(serde::de::Error::custom("the cost is 0: charge at least 1")),
        cost => Ok(cost),
    }
}

/// The verdict on a bearer. `ok` says which members are there.
///
/// `T` is the token as it is written: a [`TokenBody`], or a view of a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ValidateAnswer<T = TokenBody> {
    /// Whether the bearer is valid, its token meets every demand, and the limits admit it.
    pub ok: bool,
    /// The token, if `ok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<T>,
    /// Which secret of an API key the bearer has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretBody>,
    /// The stable code of the refusal, if not `ok`: that of the library, or `limited`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The refusal in words, for a log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When to come back, in milliseconds, if a limit or too many failed attempts refuse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The nonce for the next proof, if proofs need one. Send it to the client in the header `DPoP-Nonce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_nonce: Option<String>,
    /// The status of the limits that were named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitStatusBody>,
}

impl<T> ValidateAnswer<T> {
    /// Creates the verdict "valid".
    pub fn valid(token: T) -> Self {
        Self {
            ok: true,
            token: Some(token),
            secret: None,
            code: None,
            message: None,
            retry_after_ms: None,
            dpop_nonce: None,
            limits: Vec::new(),
        }
    }

    /// Sets which secret the bearer has. Only an API key has more than one.
    #[must_use]
    pub fn by_secret(self, secret: Option<SecretBody>) -> Self {
        Self { secret, ..self }
    }

    /// Creates a refusal.
    pub fn refused(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            ok: false,
            token: None,
            secret: None,
            code: Some(code.into()),
            message: Some(message.into()),
            retry_after_ms: None,
            dpop_nonce: None,
            limits: Vec::new(),
        }
    }
}

/// Which of the secrets of an API key a bearer has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SecretBody {
    /// Whether it is the newest one, or the one before.
    pub used: WhichSecret,
    /// When it ends, if it is the older one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<TimeText>"))]
    pub until: Option<Timestamp>,
}

/// One of the two secrets that an API key has during an overlap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WhichSecret {
    /// The newest secret.
    Newest,
    /// The secret before the newest.
    Older,
}

impl SecretBody {
    /// Returns the secret by which a token was found; `None` unless it is an API key.
    pub fn of(token: &Token) -> Option<Self> {
        let (used, until) = match token.secret {
            SecretUsed::Newest => (WhichSecret::Newest, None),
            SecretUsed::Older { until } => (WhichSecret::Older, Some(until)),
        };
        (token.kind == Kind::ApiKey).then_some(Self { used, until })
    }
}

/// The status of a limit. Times are in milliseconds; 0 means no wait.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LimitStatusBody {
    /// The name of the limit.
    pub policy: String,
    /// What it counts by: `token`, `subject`, `client`, `ip` or `failed-attempts`.
    pub by: String,
    /// The maximum number of permits in one step.
    pub limit: u32,
    /// How many permits are left.
    pub remaining: u32,
    /// How long until all permits are available again.
    pub reset_after_ms: u64,
    /// How long until the request fits.
    pub retry_after_ms: u64,
}

/// The answer to `POST /v1/explain`: the token in whatever state, and every demand that it does not
/// meet.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExplainAnswer<T = TokenBody> {
    /// Whether the token meets every demand.
    pub ok: bool,
    /// The token, unless the bearer is malformed or unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<T>,
    /// Which secret of an API key the bearer has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretBody>,
    /// Every demand that is not met, in the order in which they are checked.
    pub refusals: Vec<RefusalBody>,
}
