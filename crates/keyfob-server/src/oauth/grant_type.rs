//! The grant types that this service knows.

/// A grant type that this service knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GrantType {
    RefreshToken,
    ClientCredentials,
    TokenExchange,
}

impl GrantType {
    pub(crate) const ALL: [Self; 3] =
        [Self::RefreshToken, Self::ClientCredentials, Self::TokenExchange];

    /// Returns the value of the parameter `grant_type`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }
}
