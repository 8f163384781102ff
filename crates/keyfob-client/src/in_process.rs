//! A server in the same process: requests are passed to a function, and no connection is made.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;

/// The body of an answer, read piece by piece.
pub type AnswerBody = UnsyncBoxBody<Bytes, Box<dyn StdError + Send + Sync>>;

type Answering = Pin<Box<dyn Future<Output = Response<AnswerBody>> + Send>>;

/// Answers the requests of a client. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct InProcess(Arc<dyn Fn(Request<Full<Bytes>>) -> Answering + Send + Sync>);

impl InProcess {
    pub(crate) fn new<F, A, B>(answer: F) -> Self
    where
        F: Fn(Request<Full<Bytes>>) -> A + Send + Sync + 'static,
        A: Future<Output = Response<B>> + Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        Self(Arc::new(move |request| {
            let answer = answer(request);
            Box::pin(async move { answer.await.map(boxed) })
        }))
    }

    pub(crate) async fn answer(&self, request: Request<Full<Bytes>>) -> Response<AnswerBody> {
        (self.0)(request).await
    }
}

/// Returns a body without its type.
pub(crate) fn boxed<B>(body: B) -> AnswerBody
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    body.map_err(Into::into).boxed_unsync()
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}
