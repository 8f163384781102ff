//! A further scope, demanded for one route.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Extensions, Request, Response};
use keyfob::values::NameSet;
use keyfob::{InvalidValue, Scope};
use tower_layer::Layer;
use tower_service::Service;

use crate::authenticator::{verified, with_realm};
use crate::body::ResponseBody;
use crate::error_response::ErrorResponse;
use crate::layer::ResponseFuture;

/// A layer that demands scopes of the token that [`AuthLayer`](crate::AuthLayer) has verified.
///
/// Put it on a route, behind that layer. Another token is answered with 403, `insufficient_scope`
/// and the scopes that the route needs (RFC 6750 section 3.1).
///
/// ```
/// use axum::{Router, routing::{get, post}};
/// use keyfob::{MemoryStore, TokenManager, ValidationChain};
/// use keyfob_tower::{AuthLayer, RequireScope};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = TokenManager::new(MemoryStore::new()?);
/// let app: Router = Router::new()
///     .route("/orders", get(|| async { "[]" }))
///     .route("/orders", post(|| async { "done" }).layer(RequireScope::new("orders:write")?))
///     .layer(AuthLayer::new(manager, ValidationChain::new())?);
/// # let _ = app;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RequireScope {
    scopes: Arc<NameSet<Scope>>,
}

/// The service that [`RequireScope`] makes.
#[derive(Clone, Debug)]
pub struct RequireScopeService<S> {
    inner: S,
    require: RequireScope,
}

impl RequireScope {
    /// Returns a layer that demands this scope.
    ///
    /// # Errors
    /// If the scope is not valid.
    pub fn new(
        scope: impl TryInto<Scope, Error: Into<InvalidValue>>,
    ) -> Result<Self, InvalidValue> {
        Self::all([scope])
    }

    /// Returns a layer that demands all of these scopes.
    ///
    /// # Errors
    /// If a scope is not valid.
    pub fn all(
        scopes: impl IntoIterator<Item: TryInto<Scope, Error: Into<InvalidValue>>>,
    ) -> Result<Self, InvalidValue> {
        let mut set = NameSet::new();
        for scope in scopes {
            set.insert(scope.try_into().map_err(Into::into)?)?;
        }
        Ok(Self { scopes: Arc::new(set) })
    }

    fn check(&self, extensions: &Extensions) -> Result<(), ErrorResponse> {
        let token = verified(extensions)?.token();
        if self.scopes.iter().all(|scope| token.scopes.contains(scope.as_str())) {
            return Ok(());
        }
        let names: Vec<_> = self.scopes.iter().map(Scope::as_str).collect();
        let answer = ErrorResponse::new(keyfob::ErrorClass::InsufficientScope);
        Err(with_realm(answer.scope(names.join(" ")), extensions))
    }
}

impl<S> Layer<S> for RequireScope {
    type Service = RequireScopeService<S>;

    fn layer(&self, inner: S) -> RequireScopeService<S> {
        RequireScopeService { inner, require: self.clone() }
    }
}

impl<S, B, R> Service<Request<B>> for RequireScopeService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if let Err(answer) = self.require.check(request.extensions()) {
            let response = answer.respond_to(request.headers());
            return Box::pin(std::future::ready(Ok(response)));
        }
        let response = self.inner.call(request);
        Box::pin(async move { Ok(response.await?.map(ResponseBody::service)) })
    }
}
