//! An edge sends on what it does not answer to its central server.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use keyfob_client::Client;
use keyfob_server::forward::{Forward, ForwardedBody, NotForwarded};

/// The central server of an edge. It gets requests with the credentials of their callers, not with those of the edge.
#[derive(Debug)]
pub(super) struct ToCentral(pub(super) Client);

#[async_trait]
impl Forward for ToCentral {
    async fn forward(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<ForwardedBody>, NotForwarded> {
        self.0.forward(request).await.map_err(|error| NotForwarded(error.to_string()))
    }
}
