//! Pages that a server shows beside its routes, such as the console, and how they call the routes.
//!
//! Pages have no way to the manager: they ask the routes, with the credentials of the person who looks.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tower_service::Service as _;

use crate::listen::{Face, Shares};
use crate::respond::failure::Failure;
use crate::respond::render::ErrorForm;
use crate::routes::request_id;

/// Pages that a server shows below a path. Each request has the address of the client as an extension, an
/// [`IpAddr`](std::net::IpAddr): that of the peer, or the one that a
/// [trusted proxy](crate::Settings::trusted_proxies) names.
#[derive(Clone, Debug)]
pub struct Pages {
    pub(crate) prefix: &'static str,
    pub(crate) router: Router,
}

impl Pages {
    /// Returns pages below `prefix`, such as `/console`. The paths of the router include the prefix.
    pub fn new(prefix: &'static str, router: Router) -> Self {
        Self { prefix, router }
    }

    /// Returns whether a path is one of these pages.
    fn has(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The pages of a server, once it has some.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mounted(Arc<OnceLock<Pages>>);

impl Mounted {
    pub(crate) fn set(&self, pages: Pages) {
        let _first_counts = self.0.set(pages);
    }

    /// Returns the pages that answer a request at this path, on this side of the server.
    pub(crate) fn at(&self, path: &str, face: Face) -> Option<Router> {
        let pages = self.0.get().filter(|pages| pages.has(path) && face.has(pages.prefix))?;
        Some(pages.router.clone())
    }
}

/// Calls the routes of a server in the same process, with the settings that it has at that time. It does
/// not keep the server.
#[derive(Clone)]
pub struct LocalApi(Weak<Shares>);

impl LocalApi {
    pub(crate) fn new(shares: &Arc<Shares>) -> Self {
        Self(Arc::downgrade(shares))
    }

    /// Answers a request, as if it had come over a connection.
    pub async fn call<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Some(shares) = self.0.upgrade() else {
            let id = request_id::of(request.headers());
            let gone = "the server has ended";
            let failure =
                Failure::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", gone);
            return failure.render(ErrorForm::Problem, &id);
        };
        let mut router = shares.router(Face::All);
        drop(shares);
        match router.call(request.map(Body::new)).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

impl fmt::Debug for LocalApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalApi")
    }
}
