//! One request on a connection: the bounds on all requests, and the guard that counts it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use keyfob_tower::ClientCertificate;
use pin_project_lite::pin_project;
use tower_service::Service as _;

use super::activity::Activity;
use super::face::Face;
use super::phase::Phase;
use super::shares::Shares;
use crate::respond::failure::Failure;
use crate::respond::render::ErrorForm;
use crate::routes::request_id;

/// Who is at the other end of a connection.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// The certificate that it has shown.
    pub(super) certificate: Option<ClientCertificate>,
}

/// Answers one request of a connection.
pub(super) async fn answer(
    shares: Arc<Shares>,
    activity: Arc<Activity>,
    face: Face,
    peer: Peer,
    request: Request<Incoming>,
) -> Result<Response<GuardedBody>, Infallible> {
    let version = request.version();
    let mut guard = RequestGuard::new(activity, version == Version::HTTP_2);
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer.address));
    if let Some(certificate) = peer.certificate {
        request.extensions_mut().insert(certificate);
    }
    let mut response = match shares.requests.try_acquire() {
        Ok(_permit) => {
            let mut router = shares.router(face);
            match router.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
        Err(_) => {
            shares.metrics.handles.requests_shed.increment(1);
            overloaded(&request)
        }
    };
    guard.is_answered = true;
    if version < Version::HTTP_2 && shares.phases.current() > Phase::Serving {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| GuardedBody { body, _guard: guard }))
}

fn overloaded(request: &Request<Body>) -> Response<Body> {
    let failure = Failure {
        code: "overloaded".into(),
        retry_after: Some(keyfob::Ttl::from_secs(1)),
        ..Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "the server has too many requests: try again",
        )
    };
    let id = request_id::of(request.headers());
    failure.render(ErrorForm::Problem, &id)
}

/// Counts a request from its head to the end of its answer.
struct RequestGuard {
    activity: Arc<Activity>,
    is_answered: bool,
}

impl RequestGuard {
    fn new(activity: Arc<Activity>, is_http2: bool) -> Self {
        activity.note_request(is_http2);
        Self { activity, is_answered: false }
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.activity.note_end(!self.is_answered);
    }
}

pin_project! {
    /// The body of an answer. The request has ended when it is dropped.
    pub(super) struct GuardedBody {
        #[pin]
        body: Body,
        _guard: RequestGuard,
    }
}

impl http_body::Body for GuardedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
