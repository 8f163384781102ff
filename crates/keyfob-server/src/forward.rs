//! The way from an edge to its central server. `routes::forwarding` says what is sent on.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;

/// The way from an edge to its central server.
#[async_trait]
pub trait Forward: fmt::Debug + Send + Sync {
    /// Sends a request to the central server as it is, and returns its answer as it is.
    ///
    /// # Errors
    /// If there is no answer.
    async fn forward(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<ForwardedBody>, NotForwarded>;
}

/// The body of an answer, which is passed on piece by piece.
pub type ForwardedBody = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// The central server does not answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the central server does not answer: {0}")]
pub struct NotForwarded(pub String);
