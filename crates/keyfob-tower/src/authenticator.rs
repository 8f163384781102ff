//! From the head of a request to the token that authenticates it, or to the response that refuses
//! it.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{Extensions, HeaderValue};
use keyfob::token::Confirmation;
use keyfob::{
    Error, ErrorClass, InvalidValue, LimitVerdict, Presentation, Refusal, Token, TokenManager,
    ValidationChain,
};

use crate::client_address::{TrustedProxies, peer};
use crate::client_certificate::{CertificateHeader, ClientCertificate};
use crate::cookie::{SessionCookie, SetCookie};
use crate::credentials::{CredentialSource, PresentedBearer};
#[cfg(feature = "dpop")]
use crate::dpop::{Dpop, TargetUri};
use crate::error_response::ErrorResponse;

/// The checks of a request, and the places where its credentials are read. One for each route or
/// group of routes.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) manager: TokenManager,
    pub(crate) chain: Arc<ValidationChain>,
    pub(crate) realm: HeaderValue,
    pub(crate) cookie: Option<SessionCookie>,
    pub(crate) proxies: TrustedProxies,
    pub(crate) is_optional: bool,
    /// What a request costs of the manager's limits; zero if they are not charged.
    pub(crate) cost: u32,
    pub(crate) certificates: Option<CertificateHeader>,
    #[cfg(feature = "dpop")]
    pub(crate) dpop: Option<(Dpop, TargetUri)>,
}

/// The token that authenticates a request, as the layer puts it into the extensions.
///
/// A handler of axum takes [`Authenticated`](crate::Authenticated) instead. Other services find this
/// in the extensions of the request:
///
/// ```
/// fn subject<B>(request: &http::Request<B>) -> Option<&str> {
///     let verified = request.extensions().get::<keyfob_tower::VerifiedToken>()?;
///     Some(verified.token().subject.as_ref()?.as_str())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    token: Arc<Token>,
    verdict: Option<Arc<LimitVerdict>>,
    client_address: Option<IpAddr>,
    source: CredentialSource,
}

impl VerifiedToken {
    /// Returns the token.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// Returns how the limits stand; `None` if the layer does not charge them.
    pub fn limits(&self) -> Option<&LimitVerdict> {
        self.verdict.as_deref()
    }

    /// Returns the address of the client, if the server tells the peer's. See
    /// [`PeerAddress`](crate::PeerAddress).
    pub fn client_address(&self) -> Option<IpAddr> {
        self.client_address
    }

    /// Returns where the bearer token was found.
    pub fn source(&self) -> CredentialSource {
        self.source
    }

    #[cfg(feature = "axum")]
    pub(crate) fn shared_token(&self) -> Arc<Token> {
        Arc::clone(&self.token)
    }

    #[cfg(feature = "axum")]
    pub(crate) fn shared_limits(&self) -> Option<Arc<LimitVerdict>> {
        self.verdict.clone()
    }
}

/// What a layer has left in the extensions: the realm, for refusals after it.
#[derive(Clone, Debug)]
struct Realm(HeaderValue);

/// Returns the verified token of a request, or the response to a request without one.
pub(crate) fn verified(extensions: &Extensions) -> Result<&VerifiedToken, ErrorResponse> {
    let missing = || with_realm(ErrorResponse::unauthenticated(), extensions);
    verified_if_any(extensions)?.ok_or_else(missing)
}

/// Returns the verified token of a request, if it has one. Without a layer in front, the service
/// itself is at fault: it would take every request for an unauthenticated one.
pub(crate) fn verified_if_any(
    extensions: &Extensions,
) -> Result<Option<&VerifiedToken>, ErrorResponse> {
    let verified = extensions.get::<VerifiedToken>();
    if verified.is_none() && extensions.get::<Realm>().is_none() {
        tracing::error!("no AuthLayer is in front of this route: add one");
        return Err(ErrorResponse::new(ErrorClass::Internal));
    }
    Ok(verified)
}

/// Adds the realm, which the layer has left in the extensions, to a refusal.
pub(crate) fn with_realm(answer: ErrorResponse, extensions: &Extensions) -> ErrorResponse {
    match extensions.get::<Realm>() {
        Some(Realm(realm)) => answer.realm(realm),
        None => answer,
    }
}

/// What the layer adds to the response of a request that was let through.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    pub(crate) limits: Option<Arc<LimitVerdict>>,
    pub(crate) cookie: Option<(String, SetCookie)>,
}

impl Settings {
    pub(crate) fn new(manager: TokenManager, chain: ValidationChain) -> Result<Self, InvalidValue> {
        chain.check()?;
        Ok(Self {
            manager,
            chain: Arc::new(chain),
            realm: HeaderValue::from_static("keyfob"),
            cookie: None,
            proxies: TrustedProxies::none(),
            is_optional: false,
            cost: 1,
            certificates: None,
            #[cfg(feature = "dpop")]
            dpop: None,
        })
    }

    /// Authenticates a request, and puts the verified token into its extensions.
    pub(crate) async fn authenticate(&self, parts: &mut Parts) -> Result<Additions, ErrorResponse> {
        let outcome = self.verify(parts).await;
        parts.extensions.insert(Realm(self.realm.clone()));
        let refuse = |answer: ErrorResponse| self.offer_proofs(answer.realm(&self.realm));
        let (verified, additions) = match outcome.map_err(refuse)? {
            Some(found) => found,
            None if self.is_optional => return Ok(Additions::default()),
            None => return Err(refuse(ErrorResponse::unauthenticated())),
        };
        parts.extensions.insert(verified);
        Ok(additions)
    }

    async fn verify(
        &self,
        parts: &Parts,
    ) -> Result<Option<(VerifiedToken, Additions)>, ErrorResponse> {
        let query = parts.uri.query().unwrap_or_default();
        let presented = PresentedBearer::read(&parts.headers, query, self.cookie.as_ref())?;
        let Some(presented) = presented else {
            return Ok(None);
        };
        let (bearer, source) = (presented.bearer(), presented.source());
        let peer = peer(&parts.extensions);
        let client_address = peer.map(|peer| self.proxies.client_address(peer, &parts.headers));
        let mut presentation = Presentation::new(bearer);
        if let Some(address) = client_address {
            presentation = presentation.ip(address);
        }
        let proof = self.proof_of(&presented, parts)?;
        let certificate = self.certificate(peer, parts);
        if let Some(key) = &certificate {
            presentation = presentation.confirmation(key);
        }
        if let Some(proof) = &proof {
            presentation = proof.confirm(presentation);
        }
        let validated = self.manager.validate(presentation, &self.chain).await;
        let token = validated.map_err(|error| ErrorResponse::of_validation(&error, &self.chain))?;
        if let Some(proof) = &proof {
            self.accept_proof(proof, &token).await?;
        }
        let verdict = self.charge(&token, client_address).await?;
        let renewed = match &self.cookie {
            // The end of an idle session moves with each use.
            Some(cookie) if source == CredentialSource::Cookie && token.idle_timeout.is_some() => {
                let set = cookie.renew(bearer, &token, self.manager.now());
                Some((cookie.name().to_owned(), set))
            }
            _ => None,
        };
        let additions = Additions { limits: verdict.clone(), cookie: renewed };
        let token = Arc::new(token);
        Ok(Some((VerifiedToken { token, verdict, client_address, source }, additions)))
    }

    /// Charges the manager's limits for a request by `token`.
    /// Returns the key that the client proves by its certificate (RFC 8705).
    fn certificate(&self, peer: Option<IpAddr>, parts: &Parts) -> Option<Confirmation> {
        let of_connection = parts.extensions.get::<ClientCertificate>();
        let headers = &parts.headers;
        self.proxies.client_certificate(peer, of_connection, self.certificates, headers)
    }

    async fn charge(
        &self,
        token: &Token,
        client_address: Option<IpAddr>,
    ) -> Result<Option<Arc<LimitVerdict>>, ErrorResponse> {
        if self.cost == 0 {
            return Ok(None);
        }
        let mut request = keyfob::limit::request_of(token).cost(self.cost);
        if let Some(address) = client_address {
            request = request.ip(address);
        }
        let verdict = match self.manager.admit(&request).await {
            Ok(verdict) => verdict,
            // The client has no say in the cost: the service is at fault.
            Err(error) if error.class() == ErrorClass::InvalidRequest => {
                tracing::error!(%error, "the cost of a request is not valid");
                return Err(ErrorResponse::new(ErrorClass::Internal));
            }
            Err(error) => return Err(error.into()),
        };
        if verdict.is_admitted() {
            Ok(Some(Arc::new(verdict)))
        } else {
            Err(ErrorResponse::rate_limited(&verdict))
        }
    }
}

impl ErrorResponse {
    /// Returns the response to an error of a validation by `chain`. Where a scope is missing, it names
    /// the scopes that the chain requires.
    pub fn of_validation(error: &Error, chain: &ValidationChain) -> Self {
        let answer = Self::from(error);
        match error.refusal() {
            Some(Refusal::Scope { missing }) => answer.scope(scopes_of(chain, missing)),
            _ => answer,
        }
    }
}

/// Returns the scopes that a chain requires and those that are missing, separated by spaces.
fn scopes_of(chain: &ValidationChain, missing: &keyfob::values::NameSet<keyfob::Scope>) -> String {
    let mut scopes: Vec<_> =
        chain.required_scopes().chain(missing.iter()).map(|s| s.as_str()).collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes.join(" ")
}
