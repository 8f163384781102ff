//! The proof of possession that a request needs, with and without the feature `dpop`.

use http::request::Parts;
use keyfob::{Presentation, Token};

use crate::authenticator::Settings;
use crate::credentials::{AuthScheme, PresentedBearer};
use crate::error_response::ErrorResponse;

/// The proof of a request, checked for the request.
#[cfg(feature = "dpop")]
pub(crate) struct RequestProof(keyfob_jwt::dpop::Proof);

/// Without the feature, no request has a proof.
#[cfg(not(feature = "dpop"))]
pub(crate) enum RequestProof {}

impl RequestProof {
    /// Adds the key that was proven.
    #[cfg(feature = "dpop")]
    pub(crate) fn confirm<'a>(&'a self, presentation: Presentation<'a>) -> Presentation<'a> {
        presentation.confirmation(&self.0.key)
    }

    #[cfg(not(feature = "dpop"))]
    pub(crate) fn confirm<'a>(&'a self, _: Presentation<'a>) -> Presentation<'a> {
        match *self {}
    }
}

#[cfg(feature = "dpop")]
impl Settings {
    /// Returns the proof of a request that presents its token with the scheme `DPoP`.
    pub(crate) fn proof_of(
        &self,
        presented: &PresentedBearer<'_>,
        parts: &Parts,
    ) -> Result<Option<RequestProof>, ErrorResponse> {
        use keyfob_jwt::dpop::ProofRequest;

        let Some((dpop, origin)) = &self.dpop else { return without_dpop(presented) };
        let invalid = |_| ErrorResponse::invalid_request("the address of the request is not valid");
        let uri = origin.at(path(parts)).map_err(invalid)?;
        let access_token = Some(presented.bearer());
        let request = ProofRequest { method: parts.method.as_str(), uri: &uri, access_token };
        Ok(dpop.proof_of(presented, &parts.headers, &request)?.map(RequestProof))
    }

    /// Accepts the proof of a request whose token was validated with its key.
    pub(crate) async fn accept_proof(
        &self,
        proof: &RequestProof,
        token: &Token,
    ) -> Result<(), ErrorResponse> {
        match &self.dpop {
            Some((dpop, _)) => dpop.accept(&proof.0, token).await,
            None => Err(ErrorResponse::unauthenticated()),
        }
    }

    /// Says in a challenge that the resource takes proofs, if it does.
    pub(crate) fn offer_proofs(&self, answer: ErrorResponse) -> ErrorResponse {
        if self.dpop.is_some() { answer.offer_dpop() } else { answer }
    }
}

#[cfg(not(feature = "dpop"))]
#[expect(
    clippy::unused_async,
    clippy::unused_self,
    reason = "the same interface as with the feature"
)]
impl Settings {
    pub(crate) fn proof_of(
        &self,
        presented: &PresentedBearer<'_>,
        _: &Parts,
    ) -> Result<Option<RequestProof>, ErrorResponse> {
        without_dpop(presented)
    }

    pub(crate) async fn accept_proof(
        &self,
        proof: &RequestProof,
        _: &Token,
    ) -> Result<(), ErrorResponse> {
        match *proof {}
    }

    pub(crate) fn offer_proofs(&self, answer: ErrorResponse) -> ErrorResponse {
        answer
    }
}

/// Where no proof is checked, a token with the scheme `DPoP` is none.
fn without_dpop(presented: &PresentedBearer<'_>) -> Result<Option<RequestProof>, ErrorResponse> {
    match presented.scheme() {
        AuthScheme::Bearer => Ok(None),
        AuthScheme::Dpop => Err(ErrorResponse::unauthenticated()),
    }
}

/// Returns the path as the client sent it. A nested router of axum removes its prefix.
#[cfg(feature = "dpop")]
fn path(parts: &Parts) -> &str {
    #[cfg(feature = "axum")]
    if let Some(axum::extract::OriginalUri(uri)) = parts.extensions.get() {
        return uri.path();
    }
    parts.uri.path()
}
