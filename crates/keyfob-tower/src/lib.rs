//! Authenticates the requests of a service with [`keyfob`]: a tower layer, extractors for axum,
//! session cookies, and the answers of RFC 6750.
//!
//! This is all that a service needs:
//!
//! ```
//! use axum::{Router, routing::{get, post}};
//! use keyfob::{MemoryStore, TokenManager, ValidationChain};
//! use keyfob_tower::{AuthLayer, Authenticated, RequireScope, SessionCookie};
//!
//! async fn me(auth: Authenticated) -> String {
//!     format!("you are {:?}", auth.subject())
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = TokenManager::new(MemoryStore::new()?);
//! let chain = ValidationChain::new().allow_audience("shop");
//! let auth = AuthLayer::new(manager.clone(), chain)?.cookie(SessionCookie::new("session")?);
//! let app: Router = Router::new()
//!     .route("/me", get(me))
//!     .route("/orders", post(|| async { "done" }).layer(RequireScope::new("orders:write")?))
//!     .layer(auth);
//! # let _ = app;
//! # Ok(())
//! # }
//! ```
//!
//! # A tour
//! - [`AuthLayer`] reads the bearer token of a request, validates it by a chain that is built once,
//!   charges the manager's limits, and puts a [`VerifiedToken`] into the extensions.
//! - [`RequireScope`] demands a further scope for a route.
//! - [`Authenticated`] is what a handler of axum takes: the token, its claims as a type, the limits.
//! - [`ErrorResponse`] is the one mapping from a [`keyfob::Error`] to a status, a code and a text. A
//!   handler returns it by `?`.
//! - [`SessionCookie`] sets, renews and removes a session cookie.
//! - [`TrustedProxies`] says which proxies may name the client address, and the certificate of the client.
//! - [`ClientCertificate`] is the certificate of the connection (RFC 8705).
//! - `dpop::Dpop` checks proofs that a client has the key that its token is bound to (RFC 9449).
//! - `jwt::JwtVerifier` checks access tokens that are JWTs, in a service without a store.
//! - [`write_rate_limit`] writes the `RateLimit` fields.
//!
//! # What is accepted
//! A bearer token comes from the `Authorization` header or from the named cookie. Both in one request
//! are refused, as are several headers, several cookies of the name, and a token in the query
//! (RFC 9700 section 4.3.2). No form body is read.
//!
//! # What is answered
//! | when | HTTP | gRPC |
//! |---|---|---|
//! | no credentials | 401, a challenge without an error code | 16 |
//! | malformed credentials | 400 `invalid_request` | 3 |
//! | a token that is not valid | 401 `invalid_token` | 16 |
//! | too little scope | 403 `insufficient_scope`, with the scope | 7 |
//! | a rule of the application refuses | 403 `access_denied` | 7 |
//! | a limit refuses | 429 with `Retry-After`, `RateLimit`, `RateLimit-Policy` | 8 |
//! | a store cannot be reached | 503 with `Retry-After` | 14 |
//!
//! Each has `Cache-Control: no-store`. None says why a token is refused.
//!
//! # gRPC
//! The layer works with tonic and every other server of tower. A request of the type
//! `application/grpc` is answered with `grpc-status` in the headers. A method finds the
//! [`VerifiedToken`] in the extensions of its request.
//!
//! # Features
//! `axum`, on by default: the extractors, and the client address from axum's `ConnectInfo`. Without
//! it, this crate does not depend on axum.
//!
//! `dpop`: tokens that are bound to a key, with proofs. Without it, this crate builds no cryptography library, and
//! such tokens are refused.
//!
//! `jwt`: `jwt::JwtVerifier` checks access tokens that are JWTs (RFC 9068) without a store.

mod authenticator;
mod body;
mod client_address;
mod client_certificate;
mod cookie;
mod credentials;
#[cfg(feature = "dpop")]
pub mod dpop;
mod error_response;
#[cfg(feature = "axum")]
mod extract;
mod grpc;
#[cfg(feature = "jwt")]
pub mod jwt;
mod layer;
mod proof;
mod rate_limit_fields;
mod realm;
mod scope;
#[cfg(feature = "dpop")]
mod used_once;

pub use authenticator::VerifiedToken;
pub use body::ResponseBody;
pub use client_address::{InvalidNetwork, PeerAddress, TrustedProxies};
pub use client_certificate::{CertificateHeader, ClientCertificate, confirmation_of_escaped_pem};
pub use cookie::{InvalidCookieName, SameSite, SessionCookie, SetCookie};
pub use credentials::{AuthScheme, CredentialSource, PresentedBearer};
pub use error_response::ErrorResponse;
#[cfg(feature = "axum")]
pub use extract::Authenticated;
pub use layer::{AuthLayer, AuthService};
pub use rate_limit_fields::write_rate_limit;
pub use realm::InvalidRealm;
pub use scope::{RequireScope, RequireScopeService};
#[cfg(feature = "dpop")]
pub use used_once::{NotOnce, UsedOnce};

/// The recipes of the documentation, as tests.
#[cfg(all(doctest, feature = "axum", feature = "dpop"))]
#[doc = include_str!("../../../docs/recipes.md")]
mod recipes {}

/// The page of this crate, as a test.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../README.md")]
mod readme {}
