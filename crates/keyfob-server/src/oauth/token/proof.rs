//! The key that a client proves at the token endpoint: by DPoP (RFC 9449 section 5), or by its certificate (RFC 8705).

use keyfob::token::Confirmation;
use keyfob_tower::dpop::{Dpop, InvalidUri, NoProof, PROOF, ProofRequest, TargetUri};

use crate::call::Call;
use crate::respond::failure::Failure;

/// A key that the client proves.
pub(super) struct Proven {
    pub(super) key: Confirmation,
    /// Whether new tokens are bound to it.
    binds: bool,
}

impl Proven {
    /// Returns the key, if new tokens are bound to it.
    pub(super) fn binding(self) -> Option<Confirmation> {
        self.binds.then_some(self.key)
    }
}

/// Returns the key that the client proves, if it proves one. A DPoP proof is used up. A certificate binds new tokens where
/// the settings say so: it may only be how the client reaches this service.
pub(super) async fn proven_key(call: &Call) -> Result<Option<Proven>, Failure> {
    let headers = &call.parts.headers;
    if !headers.contains_key(PROOF) {
        let binds = call.shared.settings.certificates.bound_access_tokens;
        return Ok(call.certificate.clone().map(|key| Proven { key, binds }));
    }
    let Some(dpop) = &call.shared.dpop else {
        let detail = "this service takes no DPoP proofs";
        return Err(Failure::invalid_request(detail));
    };
    let invalid = |_: InvalidUri| Failure::internal("issuer_is_no_url");
    let issuer: TargetUri = call.issuer()?.parse().map_err(invalid)?;
    let uri = issuer.at(call.parts.uri.path()).map_err(invalid)?;
    let request =
        ProofRequest { method: call.parts.method.as_str(), uri: &uri, access_token: None };
    let refuse = |no_proof| failure(dpop, &no_proof);
    let Some(proof) = dpop.read(headers, &request).map_err(refuse)? else { return Ok(None) };
    dpop.use_up(&proof).await.map_err(refuse)?;
    Ok(Some(Proven { key: proof.key, binds: true }))
}

fn failure(dpop: &Dpop, no_proof: &NoProof) -> Failure {
    let response = dpop.refuse(no_proof);
    if *no_proof == NoProof::Undecided {
        return Failure::undecided(response.detail());
    }
    let oauth = response.code();
    Failure { dpop_nonce: dpop.nonce().map(Box::new), ..Failure::oauth(oauth, response.detail()) }
}
