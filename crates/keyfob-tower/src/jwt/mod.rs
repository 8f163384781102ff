//! Access tokens that are JWTs (RFC 9068), checked without a store.
//!
//! | module | what |
//! |---|---|
//! | `verifier` | from the text of a token to the decision about it |
//! | `verified`, `refused` | the decision |
//! | `fetch` | the HTTP of the application |
//! | `freshness` | how long a document is used, and when it is fetched again |
//! | `slot` | one document that is fetched and kept |
//! | `lists` | the status lists |
//! | `opened` | the tokens whose signature was verified |
//!
//! [`JwtVerifier`] checks the signature by the keys of the issuer, the claims, and the place of the token in a status
//! list. It fetches keys and lists itself, by the HTTP client of the application ([`Fetch`]), and keeps them.
//!
//! # How late a revocation is seen
//! A list of keyfob has all revocations that were acknowledged a second before it was served. A list is fetched again
//! when three quarters of its `ttl` are over. Its age counts from the start of the fetch.
//!
//! | what fails | a revoked token is refused after at most |
//! |---|---|
//! | nothing | 1 s and `ttl` |
//! | lists cannot be fetched, or the issuer answers 503 | 1 s, `ttl` and the [grace](JwtVerifier::grace). Then every token is refused, or the issuer is asked ([`JwtVerifier::without_status`]) |
//! | a cache between here and the issuer keeps lists for as long as it may | one `ttl` more |
//! | the keys cannot be fetched | the same. After [`JwtVerifier::max_key_age`] every token is refused, or the issuer is asked ([`JwtVerifier::without_keys`]) |
//! | the clock of this machine is set back, or the machine sleeps | the same: an age is the greater one by the clock of the day and the monotonic clock |
//! | the clock of this machine is late | the same. Tokens end later by as much, and by [`JwtVerifier::clock_skew`] |
//!
//! A list is never used after its `exp`. A bit that was set stays set while the list is kept. Where the issuer is asked,
//! its answer counts at once, and if it does not answer the token is refused. Nothing lets a token through because
//! something failed.
//!
//! # Example
//! ```
//! use axum::extract::{Request, State};
//! use axum::middleware::{Next, from_fn_with_state};
//! use axum::response::Response;
//! use axum::{Router, routing::get};
//! use keyfob_tower::ErrorResponse;
//! use keyfob_tower::jwt::{Fetch, FetchFailed, JwtVerifier};
//!
//! #[derive(Debug)]
//! struct Http; // has the HTTP client of your service
//!
//! #[async_trait::async_trait]
//! impl Fetch for Http {
//!     async fn fetch(&self, uri: &str) -> Result<Vec<u8>, FetchFailed> {
//!         Err(FetchFailed(format!("no client is there to fetch {uri}")))
//!     }
//! }
//!
//! async fn check(
//!     State(tokens): State<JwtVerifier>,
//!     mut request: Request,
//!     next: Next,
//! ) -> Result<Response, ErrorResponse> {
//!     let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
//!     let token = header.and_then(|value| value.strip_prefix("Bearer "));
//!     let verified = tokens.verify(token.ok_or_else(ErrorResponse::unauthenticated)?).await?;
//!     if !verified.has_scope("orders:read") {
//!         return Err(ErrorResponse::new(keyfob::ErrorClass::InsufficientScope).scope("orders:read"));
//!     }
//!     request.extensions_mut().insert(verified);
//!     Ok(next.run(request).await)
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tokens = JwtVerifier::new("https://tokens.example", "https://orders.example", Http)?;
//! let app: Router = Router::new()
//!     .route("/orders", get(|| async { "orders" }))
//!     .layer(from_fn_with_state(tokens, check));
//! # let _ = app;
//! # Ok(())
//! # }
//! ```

mod fetch;
mod freshness;
mod lists;
mod opened;
mod refused;
mod slot;
mod verified;
mod verifier;

pub use fetch::{Fetch, FetchFailed, Introspect};
pub use refused::Refused;
pub use verified::{DecidedBy, Verified};
pub use verifier::{Fallback, JwtVerifier};
