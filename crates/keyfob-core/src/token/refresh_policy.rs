//! How a family of refresh tokens rotates, as its grant or a whole manager sets it.

use minicbor::{Decode, Encode};

use crate::time::Ttl;

/// How long after its exchange a refresh token still gets the same answer again.
///
/// A client needs it that lost the answer, or that refreshes in two tabs at the same time. During
/// the grace period, a thief with a copy of the token gets the answer too.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct GracePeriod(#[n(0)] Option<Ttl>);

/// What a rotation does with the previous access token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum PreviousAccessToken {
    /// The token stays valid until it expires.
    #[default]
    #[n(0)]
    LeaveToExpire,
    /// The rotation revokes the token before it creates the next, so that the two are never good at
    /// the same time. It takes one more round trip.
    #[n(1)]
    RevokePrevious,
}

/// How a family of refresh tokens rotates.
///
/// ```
/// use keyfob::rotation::{GracePeriod, PreviousAccessToken};
/// use keyfob::{RefreshPolicy, Ttl};
///
/// let policy = RefreshPolicy::new()
///     .with_grace_period(GracePeriod::new(Ttl::from_secs(30)))
///     .with_previous_access_token(PreviousAccessToken::RevokePrevious);
/// assert_eq!(policy.grace_period.length(), Some(Ttl::from_secs(30)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[non_exhaustive]
pub struct RefreshPolicy {
    /// How long a retry gets the same pair.
    #[n(0)]
    pub grace_period: GracePeriod,
    /// What a rotation does with the previous access token.
    #[n(1)]
    pub previous_access_token: PreviousAccessToken,
}

impl RefreshPolicy {
    /// Creates the default policy: a grace period of ten seconds, and previous access tokens stay
    /// good until they expire.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the policy with another grace period.
    #[must_use]
    pub const fn with_grace_period(mut self, grace_period: GracePeriod) -> Self {
        self.grace_period = grace_period;
        self
    }

    /// Returns the policy with another rule for the previous access token.
    #[must_use]
    pub const fn with_previous_access_token(mut self, previous: PreviousAccessToken) -> Self {
        self.previous_access_token = previous;
        self
    }
}

impl GracePeriod {
    /// No grace period: a refresh token is valid exactly once. Then two tabs that refresh at the
    /// same time end each other's login, and so does a client that retries.
    pub const NONE: Self = Self(None);

    /// Creates a grace period of this length.
    pub const fn new(length: Ttl) -> Self {
        Self(Some(length))
    }

    /// Returns the length, or `None` for [`GracePeriod::NONE`].
    pub const fn length(self) -> Option<Ttl> {
        self.0
    }
}

impl Default for GracePeriod {
    /// Returns ten seconds.
    fn default() -> Self {
        Self(Some(Ttl::from_secs(10)))
    }
}
