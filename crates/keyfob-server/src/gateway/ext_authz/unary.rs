//! A method of gRPC that takes one message and answers with one.

use axum::extract::Request;
use futures_util::TryFutureExt as _;
use futures_util::future::MapOk;
use http::StatusCode;
use prost::Message;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic::{Response, Status};
use tonic_prost::ProstCodec;

/// The status that an answer would have over HTTP, as an extension of the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered(pub(super) StatusCode);

/// Answers a request by `handler`, which takes a message of at most `max_bytes`.
pub(super) async fn answer<M, A, F, Fut>(
    request: Request,
    max_bytes: usize,
    handler: F,
) -> http::Response<Body>
where
    M: Message + Default + 'static,
    A: Message + Default + 'static,
    F: FnMut(M) -> Fut,
    Fut: Future<Output = Result<(Answered, A), Status>>,
{
    let codec = ProstCodec::<A, M>::new();
    Grpc::new(codec).max_decoding_message_size(max_bytes).unary(Handler(handler), request).await
}

struct Handler<F>(F);

impl<M, A, F, Fut> UnaryService<M> for Handler<F>
where
    F: FnMut(M) -> Fut,
    Fut: Future<Output = Result<(Answered, A), Status>>,
{
    type Response = A;
    type Future = MapOk<Fut, fn((Answered, A)) -> Response<A>>;

    fn call(&mut self, request: tonic::Request<M>) -> Self::Future {
        (self.0)(request.into_inner()).map_ok(response)
    }
}

fn response<A>((answered, message): (Answered, A)) -> Response<A> {
    let mut response = Response::new(message);
    response.extensions_mut().insert(answered);
    response
}
