//! What a route demands of its caller.

use super::scope::ManagementScope;

/// What a route demands of its caller. It is data, so that tests can walk all routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Demand {
    /// Nothing: everybody may ask.
    Public,
    /// The request is about the bearer token that it carries. The route answers whether it is valid.
    Presented,
    /// A signature of the body by somebody whose public key the settings name. The handler checks it.
    Signature,
    /// A client that authenticates. The request is about the client itself.
    Caller,
    /// A client that authenticates. It acts on its own tokens; with the scope, on all.
    Client {
        /// The scope for tokens of others.
        others: ManagementScope,
    },
    /// A client that authenticates, or a public client that names itself. What it may do follows from
    /// the grant that it presents.
    TokenEndpoint,
    /// A caller that has the scope.
    Scope(ManagementScope),
}

impl Demand {
    /// Returns whether a request has to have the credentials of a client.
    pub const fn asks_for_credentials(self) -> bool {
        !matches!(self, Self::Public | Self::Presented | Self::Signature)
    }

    /// Returns the scope that a caller needs in any case.
    pub const fn scope(self) -> Option<ManagementScope> {
        match self {
            Self::Scope(scope) => Some(scope),
            Self::Public
            | Self::Presented
            | Self::Signature
            | Self::Caller
            | Self::Client { .. }
            | Self::TokenEndpoint => None,
        }
    }
}
