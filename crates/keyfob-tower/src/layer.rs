//! The layer that authenticates requests.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, Request, Response};
use keyfob::{InvalidValue, TokenManager, ValidationChain};
use tower_layer::Layer;
use tower_service::Service;

use crate::authenticator::{Additions, Settings};
use crate::body::ResponseBody;
use crate::client_address::TrustedProxies;
use crate::cookie::SessionCookie;
use crate::rate_limit_fields::write_rate_limit;
use crate::realm::{InvalidRealm, realm_value};

/// The future of a service of this crate.
pub(crate) type ResponseFuture<B, E> =
    Pin<Box<dyn Future<Output = Result<Response<ResponseBody<B>>, E>> + Send>>;

/// A layer that lets only authenticated requests through.
///
/// It reads the bearer token, validates it by a chain that is built once, charges the limits of the
/// manager, and puts a [`VerifiedToken`](crate::VerifiedToken) into the extensions of the request.
/// It answers every other request itself; see [`ErrorResponse`](crate::ErrorResponse).
///
/// Put one layer in front of each group of routes that has its own chain. Do not nest two of them:
/// each would validate, use up a token with limited uses, and charge the limits. For a further
/// scope, use [`RequireScope`](crate::RequireScope).
///
/// ```
/// use keyfob::{MemoryStore, TokenManager, ValidationChain};
/// use keyfob_tower::{AuthLayer, SessionCookie, TrustedProxies};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = TokenManager::new(MemoryStore::new()?);
/// let auth = AuthLayer::new(manager, ValidationChain::new().allow_audience("shop"))?
///     .realm("shop")?
///     .cookie(SessionCookie::new("session")?)
///     .trusted_proxies(TrustedProxies::x_forwarded_for(["10.0.0.0/8"])?);
/// # let _ = auth;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthLayer {
    settings: Settings,
}

/// The service that [`AuthLayer`] makes.
#[derive(Clone, Debug)]
pub struct AuthService<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl AuthLayer {
    /// Returns a layer that demands a token which meets `chain`.
    ///
    /// # Errors
    /// If a part of the chain is not valid.
    pub fn new(manager: TokenManager, chain: ValidationChain) -> Result<Self, InvalidValue> {
        Ok(Self { settings: Settings::new(manager, chain)? })
    }

    /// Lets requests without credentials through as well. Credentials that are not valid are still
    /// refused. A handler takes `Option<Authenticated<_>>`.
    pub fn optional(mut self) -> Self {
        self.settings.is_optional = true;
        self
    }

    /// Sets the realm in challenges (RFC 9110 section 11.5). Default: `keyfob`.
    ///
    /// # Errors
    /// If the realm has a quote, a backslash or a character that is not visible ASCII or a space.
    pub fn realm(mut self, realm: &str) -> Result<Self, InvalidRealm> {
        self.settings.realm = realm_value(realm)?;
        Ok(self)
    }

    /// Accepts the bearer token from this cookie too. A request with a bearer token in both the
    /// cookie and the `Authorization` header is refused.
    ///
    /// The cookie of a session with an idle timeout is renewed with each response.
    pub fn cookie(mut self, cookie: SessionCookie) -> Self {
        self.settings.cookie = Some(cookie);
        self
    }

    /// Sets the proxies whose statements about the client address are believed. Default: none.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.settings.proxies = proxies;
        self
    }

    /// Sets the header in which the [trusted proxies](AuthLayer::trusted_proxies) name the certificate of the client. A
    /// token that is bound to a certificate (RFC 8705) is refused without it. The certificate of the connection is in the
    /// extensions of the request, as [`ClientCertificate`](crate::ClientCertificate).
    pub fn client_certificates(mut self, header: crate::CertificateHeader) -> Self {
        self.settings.certificates = Some(header);
        self
    }

    /// Sets what a request costs of the manager's limits. Default: 1.
    pub fn cost(mut self, cost: u32) -> Self {
        self.settings.cost = cost;
        self
    }

    /// Takes tokens that are bound to a key, with a proof (DPoP, RFC 9449). `origin` is the address of the service
    /// as clients see it, such as `https://shop.example`. Without this, a token that is bound to a key is refused.
    ///
    /// With axum's `Router::nest`, axum tells the path that the client sent.
    #[cfg(feature = "dpop")]
    pub fn dpop(mut self, dpop: crate::dpop::Dpop, origin: crate::dpop::TargetUri) -> Self {
        self.settings.dpop = Some((dpop, origin));
        self
    }

    /// Does not charge the manager's limits. Limits on failed attempts apply nevertheless.
    pub fn without_limits(self) -> Self {
        self.cost(0)
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService { inner, settings: Arc::new(self.settings.clone()) }
    }
}

impl<S, B, R> Service<Request<B>> for AuthService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that is ready is used, and a clone of it waits for the next request.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let settings = Arc::clone(&self.settings);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let additions = match settings.authenticate(&mut parts).await {
                Ok(additions) => additions,
                Err(answer) => return Ok(answer.respond_to(&parts.headers)),
            };
            let mut response = inner.call(Request::from_parts(parts, body)).await?;
            additions.write(response.headers_mut());
            Ok(response.map(ResponseBody::service))
        })
    }
}

impl Additions {
    fn write(self, headers: &mut HeaderMap) {
        if let Some(limits) = &self.limits {
            write_rate_limit(limits, headers);
        }
        if let Some((name, set)) = self.cookie {
            let is_set = |value: &HeaderValue| {
                let rest = value.as_bytes().strip_prefix(name.as_bytes());
                rest.is_some_and(|rest| rest.starts_with(b"="))
            };
            // What the handler says of the cookie counts: it may have removed it.
            if !headers.get_all(SET_COOKIE).iter().any(is_set) {
                set.append_to(headers);
            }
        }
    }
}
