//! Extractors of axum.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use keyfob::token::NoClaims;
use keyfob::{Claims, ErrorClass, LimitVerdict, Subject, Token};
use serde::de::DeserializeOwned;

use crate::authenticator::{VerifiedToken, verified, verified_if_any, with_realm};
use crate::credentials::CredentialSource;
use crate::error_response::ErrorResponse;

/// The token that authenticates a request, with its claims read as a `T`.
///
/// It needs an [`AuthLayer`](crate::AuthLayer) in front of the route. Without a token, the answer is
/// 401. A token whose claims do not read as a `T` is not accepted here: 401 `invalid_token`.
///
/// Take `Option<Authenticated<T>>` behind [`AuthLayer::optional`](crate::AuthLayer::optional): it is
/// `None` for a request without credentials.
///
/// ```
/// use keyfob_tower::Authenticated;
/// use serde::Deserialize;
///
/// #[derive(Clone, Deserialize)]
/// struct Plan {
///     tier: String,
/// }
///
/// async fn plan(auth: Authenticated<Plan>) -> String {
///     format!("{:?} has the plan {}", auth.subject(), auth.claims.private.tier)
/// }
///
/// async fn home(auth: Option<Authenticated>) -> &'static str {
///     if auth.is_some() { "welcome back" } else { "hello" }
/// }
/// # let _: axum::Router = axum::Router::new()
/// #     .route("/", axum::routing::get(home)).route("/plan", axum::routing::get(plan));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Authenticated<T = NoClaims> {
    /// The token.
    pub token: Arc<Token>,
    /// Its claims: the registered ones, and those of the application as a `T`.
    pub claims: Claims<T>,
    /// How the limits stand; `None` if the layer does not charge them.
    pub limits: Option<Arc<LimitVerdict>>,
    /// The address of the client, if it is known.
    pub client_address: Option<IpAddr>,
    /// Where the bearer token was found.
    pub source: CredentialSource,
}

impl<T> Authenticated<T> {
    /// Returns the subject of the token.
    pub fn subject(&self) -> Option<&Subject> {
        self.token.subject.as_ref()
    }

    /// Returns the subject of the token, for handlers that need one.
    ///
    /// # Errors
    /// 403 `access_denied` for a token without a subject, such as an API key of a service.
    pub fn require_subject(&self) -> Result<&Subject, ErrorResponse> {
        self.subject().ok_or_else(|| ErrorResponse::new(ErrorClass::AccessDenied))
    }

    /// Returns whether the token has a scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.token.scopes.contains(scope)
    }

    /// Demands a scope that depends on the request. For one that does not, use
    /// [`RequireScope`](crate::RequireScope).
    ///
    /// # Errors
    /// 403 `insufficient_scope`.
    pub fn require_scope(&self, scope: &str) -> Result<(), ErrorResponse> {
        if self.has_scope(scope) {
            return Ok(());
        }
        Err(ErrorResponse::new(ErrorClass::InsufficientScope).scope(scope))
    }
}

impl<T: DeserializeOwned> Authenticated<T> {
    fn read(verified: &VerifiedToken) -> Result<Self, ErrorResponse> {
        let claims = verified.token().claims_as().map_err(|mismatch| {
            let token = verified.token().id;
            tracing::warn!(%token, %mismatch, "a token is not accepted");
            ErrorResponse::new(ErrorClass::InvalidToken)
        })?;
        Ok(Self {
            token: verified.shared_token(),
            claims,
            limits: verified.shared_limits(),
            client_address: verified.client_address(),
            source: verified.source(),
        })
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Authenticated<T> {
    type Rejection = ErrorResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ErrorResponse> {
        let verified = verified(&parts.extensions)?;
        Self::read(verified).map_err(|answer| with_realm(answer, &parts.extensions))
    }
}

impl<S: Sync, T: DeserializeOwned> OptionalFromRequestParts<S> for Authenticated<T> {
    type Rejection = ErrorResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, ErrorResponse> {
        match verified_if_any(&parts.extensions)? {
            Some(verified) => Self::read(verified)
                .map(Some)
                .map_err(|answer| with_realm(answer, &parts.extensions)),
            None => Ok(None),
        }
    }
}
