//! Rate limits, and the routes that charge them.

use std::num::NonZeroU32;

use keyfob::limit::OnFailure;
use keyfob::{InvalidValue, LimitBy, LimitPolicy, Rate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text;

/// A rate limit.
///
/// The routes that it names charge it with one permit for each request. Chains and `POST /v1/validate`
/// charge it by its name.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Limit")]
pub struct LimitSection {
    /// What is counted together.
    pub by: LimitSubject,
    /// Permits per period, such as `100/1m` or `10000/30d`.
    #[serde(with = "text")]
    #[schemars(with = "String", regex(pattern = r"^[0-9]+/[0-9a-z ]+$"))]
    pub rate: Rate,
    /// The maximum number of permits in one burst. Default: the permits of one period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<NonZeroU32>,
    /// What happens while the store of the limits does not answer.
    #[serde(default)]
    pub on_failure: LimitFailure,
    /// The operations of the API whose requests charge the limit, such as `introspect`; `*` means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub routes: Vec<String>,
}

/// What a limit counts together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitSubject {
    /// Each token by itself.
    Token,
    /// All tokens of a subject.
    Subject,
    /// All tokens of a client.
    Client,
    /// All requests from a client address, or from a network of IPv6.
    Ip,
    /// Bearers from a client address that were refused. The address is refused until it has waited.
    FailedAttempts,
}

/// What happens while the store of the limits does not answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitFailure {
    /// Requests are admitted and not counted.
    #[default]
    Open,
    /// Requests are refused.
    Closed,
}

/// The word in `routes` that means every route.
pub(super) const ALL_ROUTES: &str = "*";

impl From<LimitSubject> for LimitBy {
    fn from(subject: LimitSubject) -> Self {
        match subject {
            LimitSubject::Token => Self::Token,
            LimitSubject::Subject => Self::Subject,
            LimitSubject::Client => Self::Client,
            LimitSubject::Ip => Self::Ip,
            LimitSubject::FailedAttempts => Self::FailedAttempts,
        }
    }
}

impl LimitSection {
    /// Returns the policy of this name.
    ///
    /// # Errors
    /// If the name is not valid, or the burst could not be counted exactly.
    pub fn policy(&self, name: &str) -> Result<LimitPolicy, InvalidValue> {
        let mut policy = LimitPolicy::new(name, self.by.into(), self.rate)?;
        if let Some(burst) = self.burst {
            policy = policy.burst(burst.get())?;
        }
        Ok(policy.on_failure(match self.on_failure {
            LimitFailure::Open => OnFailure::Open,
            LimitFailure::Closed => OnFailure::Closed,
        }))
    }
}
