//! Rate limits: those of a server, and one that a request names by its rate.

use std::net::IpAddr;

use keyfob_core::id::TokenId;
use keyfob_core::text::{ClientId, LimitName, Subject};
use keyfob_core::time::Ttl;
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use crate::schema::{Address, RateText, Text, TokenIdText, TtlText};
use crate::validate::LimitStatusBody;

/// The answer to `GET /v1/limits`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LimitsBody {
    /// The limits of the server.
    pub policies: Vec<LimitPolicyBody>,
    /// The status of the limits that count what the request names. Nothing was charged.
    pub status: Vec<LimitStatusBody>,
}

/// A limit of the server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LimitPolicyBody {
    /// The name.
    pub name: String,
    /// What it counts by: `token`, `subject`, `client`, `ip` or `failed-attempts`.
    pub by: String,
    /// The rate, such as `100/1m`.
    pub rate: String,
    /// The maximum number of permits in one step.
    pub burst: u32,
}

/// A limit that a request names by its rate. The name identifies the counter, with what it counts by.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NamedLimit {
    /// The name of the limit.
    #[cfg_attr(feature = "schema", schemars(with = "Text<64>"))]
    pub name: LimitName,
    /// Permits per period, such as `100/1m` or `10000/30d`.
    #[cfg_attr(feature = "schema", schemars(with = "RateText"))]
    pub rate: String,
    /// The maximum number of permits in one burst. Default: the permits of one period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// How many leading bits of an IPv6 address count as one address: 32 to 64. Default: 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 32, max = 64)))]
    pub ipv6_prefix: Option<u8>,
    /// What is counted.
    pub counted: CountedBody,
}

/// What a limit counts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CountedBody {
    /// Calls of a token.
    Token(#[cfg_attr(feature = "schema", schemars(with = "TokenIdText"))] TokenId),
    /// Calls of a subject.
    Subject(#[cfg_attr(feature = "schema", schemars(with = "Text<256>"))] Subject),
    /// Calls of a client.
    Client(#[cfg_attr(feature = "schema", schemars(with = "Text<256>"))] ClientId),
    /// Calls from a client address.
    Ip(#[cfg_attr(feature = "schema", schemars(with = "Address"))] IpAddr),
    /// Failed validations from a client address. They have a status only.
    FailedAttempts(#[cfg_attr(feature = "schema", schemars(with = "Address"))] IpAddr),
}

/// The body of `POST /v1/limits/test`: a limit, and how it is charged.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TestLimitBody {
    /// The limit.
    pub limit: NamedLimit,
    /// The number of permits that each call costs. Default: 1.
    #[serde(default = "one")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub cost: u32,
    /// The number of calls, at most 1,000. Default: 1.
    #[serde(default = "one")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1000)))]
    pub times: u32,
    /// Takes permits in batches that are valid for this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<TtlText>"))]
    pub lease: Option<Ttl>,
}

fn one() -> u32 {
    1
}

/// The answer to `POST /v1/limits/test`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LimitVerdictsBody {
    /// The verdict on each call, in order.
    pub verdicts: Vec<LimitVerdictBody>,
}

/// The verdict of a limit on one call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LimitVerdictBody {
    /// Whether the call is admitted. If so, the limit was charged.
    pub admitted: bool,
    /// Whether it was admitted without being counted: the store of the limits did not answer.
    pub uncounted: bool,
    /// The status of the limit, if it was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<LimitStatusBody>,
}
