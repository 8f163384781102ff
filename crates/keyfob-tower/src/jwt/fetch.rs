//! The HTTP of the application, as the verifier uses it.

use std::fmt;

use async_trait::async_trait;

/// Gets documents over HTTP: the key set of the issuer, and status lists.
///
/// Implement it by the HTTP client that your service has. Give each request a timeout of a few seconds: requests of
/// your users wait for it. Follow no redirect to another origin. Refuse a body of more than
/// [`MAX_BYTES`](keyfob_jwt::status_list::MAX_BYTES).
#[async_trait]
pub trait Fetch: fmt::Debug + Send + Sync {
    /// Returns the body of a response with the status 200.
    ///
    /// # Errors
    /// If there is none.
    async fn fetch(&self, uri: &str) -> Result<Vec<u8>, FetchFailed>;
}

/// Asks the issuer about a token (RFC 7662), with the credentials of this service.
///
/// Give each request a timeout, as with [`Fetch`].
#[async_trait]
pub trait Introspect: fmt::Debug + Send + Sync {
    /// Returns the body of a response with the status 200: JSON.
    ///
    /// # Errors
    /// If there is none.
    async fn introspect(&self, token: &str) -> Result<Vec<u8>, FetchFailed>;
}

/// The error if a document cannot be fetched. The text is for logs.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it cannot be fetched: {0}")]
pub struct FetchFailed(pub String);
