//! The names of the fields that an error can be about.

use std::fmt;

/// The field that an [`InvalidValue`](crate::InvalidValue), a
/// [`Refusal`](crate::rules::validation::Refusal) or a
/// [`RefreshRefused`](crate::rules::rotation::RefreshRefused) is about, for callers that branch on
/// it.
///
/// ```
/// use keyfob::Scope;
/// use keyfob::values::Field;
///
/// let invalid = Scope::new("two words").unwrap_err();
/// assert_eq!(invalid.field(), Field::Scope);
/// assert_eq!(invalid.field().as_str(), "scope");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Field {
    // The parts of a token.
    /// The kind of a token.
    Kind,
    /// The state of a token.
    State,
    /// The id of a token.
    TokenId,
    /// The start of a token id.
    TokenIdPrefix,
    /// The subject.
    Subject,
    /// The issuer.
    Issuer,
    /// An audience, or the set of them.
    Audience,
    /// A scope, or the set of them.
    Scope,
    /// The client.
    Client,
    /// The end of a token's life.
    Expiry,
    /// The start of a token's life.
    NotBefore,
    /// The number of uses.
    Uses,
    /// The refresh policy.
    RefreshPolicy,
    /// The generation of a secret.
    Generation,
    /// The token that another one comes from.
    Parent,
    /// The tokens that a token descends from.
    Ancestors,
    /// The actors of the `act` claim.
    Actors,
    /// What the holder of an API key may hand out to others (`may_issue`).
    MayIssue,
    /// The key by which a client authenticates.
    ClientKey,
    /// The key that the presenter has to prove possession of (`cnf`).
    Confirmation,
    /// The human-readable name of the subject.
    Username,
    /// How strongly the subject was authenticated (`acr`).
    AuthenticationContext,
    /// A way in which the subject was authenticated (`amr`), or the set of them.
    AuthenticationMethod,
    /// The application's own claims.
    Claims,
    /// One claim.
    Claim,
    /// The name of a claim.
    ClaimName,

    // The metadata of a token.
    /// The identifier of a device.
    DeviceId,
    /// The `User-Agent`.
    UserAgent,
    /// The client address.
    IpAddress,
    /// The platform of a device.
    Platform,
    /// The version of a platform or of an application.
    Version,
    /// The application.
    App,
    /// A label, or the set of them.
    Label,
    /// The key of a label.
    LabelKey,
    /// The value of a label.
    LabelValue,
    /// A tag, or the set of them.
    Tag,

    // What a call is about.
    /// Who does something.
    Actor,
    /// Why something is done.
    Reason,
    /// A point in time.
    Time,
    /// A length of time.
    Duration,
    /// A filter.
    Filter,
    /// The name that a filter's value is bound to.
    Binding,
    /// The cursor of a page.
    Cursor,
    /// The name of a status list.
    StatusList,
    /// The form of a JWT.
    Jwt,
    /// An idempotency key.
    IdempotencyKey,
    /// The maximum number of tokens in a page.
    PageLimit,
    /// The stamp of a login.
    Login,
    /// The number of sessions of a subject.
    Sessions,

    // The settings of a service.
    /// The word that bearer tokens start with.
    BearerPrefix,
    /// The version of a sealing key.
    KeyVersion,
    /// The number of lanes.
    LaneCount,
    /// The token manager.
    TokenManager,
    /// The name of a limit.
    LimitName,
    /// The limits.
    Limits,
    /// The number of permits that a request takes.
    Cost,
    /// The number of permits that may be taken in one go.
    Burst,
    /// The rate of a limit.
    Rate,
    /// The length of a lease.
    Lease,
    /// The number of leading bits of an IPv6 address that are counted as one address.
    Ipv6Prefix,
}

impl Field {
    /// Returns the stable code of the field, such as `device_id`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::State => "state",
            Self::TokenId => "token_id",
            Self::TokenIdPrefix => "token_id_prefix",
            Self::Subject => "subject",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Scope => "scope",
            Self::Client => "client",
            Self::Expiry => "expiry",
            Self::NotBefore => "not_before",
            Self::Uses => "uses",
            Self::RefreshPolicy => "refresh_policy",
            Self::Generation => "generation",
            Self::Parent => "parent",
            Self::Ancestors => "ancestors",
            Self::Actors => "actors",
            Self::MayIssue => "may_issue",
            Self::ClientKey => "client_key",
            Self::Confirmation => "confirmation",
            Self::Username => "username",
            Self::AuthenticationContext => "authentication_context",
            Self::AuthenticationMethod => "authentication_method",
            Self::Claims => "claims",
            Self::Claim => "claim",
            Self::ClaimName => "claim_name",
            Self::DeviceId => "device_id",
            Self::UserAgent => "user_agent",
            Self::IpAddress => "ip",
            Self::Platform => "platform",
            Self::Version => "version",
            Self::App => "app",
            Self::Label => "label",
            Self::LabelKey => "label_key",
            Self::LabelValue => "label_value",
            Self::Tag => "tag",
            Self::Actor => "actor",
            Self::Reason => "reason",
            Self::Time => "time",
            Self::Duration => "duration",
            Self::Filter => "filter",
            Self::Binding => "binding",
            Self::Cursor => "cursor",
            Self::StatusList => "status_list",
            Self::Jwt => "jwt",
            Self::IdempotencyKey => "idempotency key",
            Self::PageLimit => "page_limit",
            Self::Login => "login",
            Self::Sessions => "sessions",
            Self::BearerPrefix => "bearer_prefix",
            Self::KeyVersion => "key_version",
            Self::LaneCount => "lane_count",
            Self::TokenManager => "token_manager",
            Self::LimitName => "limit_name",
            Self::Limits => "limits",
            Self::Cost => "cost",
            Self::Burst => "burst",
            Self::Rate => "rate",
            Self::Lease => "lease",
            Self::Ipv6Prefix => "ipv6_prefix",
        }
    }

    /// Returns the name of the field in a sentence.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::TokenId => "token id",
            Self::TokenIdPrefix => "token id prefix",
            Self::NotBefore => "not-before",
            Self::RefreshPolicy => "refresh policy",
            Self::Ancestors => "line of ancestors",
            Self::Actors => "chain of actors",
            Self::MayIssue => "may_issue claim",
            Self::ClientKey => "client key",
            Self::Confirmation => "confirmation key",
            Self::AuthenticationContext => "authentication context",
            Self::AuthenticationMethod => "authentication method",
            Self::ClaimName => "claim name",
            Self::DeviceId => "device id",
            Self::UserAgent => "user agent",
            Self::IpAddress => "ip address",
            Self::LabelKey => "label key",
            Self::LabelValue => "label value",
            Self::BearerPrefix => "bearer prefix",
            Self::KeyVersion => "key version",
            Self::LaneCount => "lane count",
            Self::TokenManager => "token manager",
            Self::LimitName => "limit name",
            Self::PageLimit => "page limit",
            Self::Ipv6Prefix => "ipv6 prefix",
            one_word => one_word.as_str(),
        }
    }

    /// Returns the name of all values of the field together, in a sentence.
    pub(crate) const fn set_name(self) -> &'static str {
        match self {
            Self::Audience => "audience set",
            Self::Scope => "scope set",
            Self::Tag => "tag set",
            Self::Label => "labels",
            Self::AuthenticationMethod => "set of authentication methods",
            single => single.name(),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
