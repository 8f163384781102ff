//! A method of gRPC that takes one message and answers with one.

use axum::extract::Request;
use futures_util::TryFutureExt as _;
use futures_util::future::MapOk;
use http::HeaderMap;
use prost::Message;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic::{Response, Status};
use tonic_prost::ProstCodec;

/// Answers a request by `handler`, which takes the headers and a message of at most `max_bytes`.
pub(super) async fn answer<M, A, F, Fut>(
    request: Request,
    max_bytes: usize,
    handler: F,
) -> http::Response<Body>
where
    M: Message + Default + 'static,
    A: Message + Default + 'static,
    F: FnMut(HeaderMap, M) -> Fut,
    Fut: Future<Output = Result<A, Status>>,
{
    let codec = ProstCodec::<A, M>::new();
    Grpc::new(codec).max_decoding_message_size(max_bytes).unary(Handler(handler), request).await
}

struct Handler<F>(F);

impl<M, A, F, Fut> UnaryService<M> for Handler<F>
where
    F: FnMut(HeaderMap, M) -> Fut,
    Fut: Future<Output = Result<A, Status>>,
{
    type Response = A;
    type Future = MapOk<Fut, fn(A) -> Response<A>>;

    fn call(&mut self, request: tonic::Request<M>) -> Self::Future {
        let (metadata, _, message) = request.into_parts();
        (self.0)(metadata.into_headers(), message).map_ok(Response::new)
    }
}
