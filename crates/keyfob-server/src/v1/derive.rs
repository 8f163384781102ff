//! Narrower tokens: for a service or an agent that acts for the subject of a token.

use keyfob::token::Confirmation;
use keyfob::{Presentation, ValidationChain};
use keyfob_api::DeriveBody;
use keyfob_api::validate::ProvenKey;

use super::idempotency;
use super::input::{body, not_found, token_id};
use super::view::issued_body;
use crate::access::bounds::{self, HandedOut};
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// Answers `POST /v1/tokens/{id}/derive`.
pub(crate) async fn handle(call: Call) -> Answer {
    let id = token_id(&call)?;
    let wanted: DeriveBody = body(&call)?;
    let caller = call.caller()?;
    let confirmation = wanted.cnf.as_ref().map(confirmation);
    let mut presented = Presentation::new(wanted.token.expose());
    if let Some(device) = &wanted.device_id {
        presented = presented.device(device);
    }
    if let Some(confirmation) = &confirmation {
        presented = presented.confirmation(confirmation);
    }
    let parent = call.manager().explain(presented, &ValidationChain::new()).await?.token;
    if parent.id != id || !caller.may_see(&parent) {
        return Err(not_found(id));
    }
    // Without audiences, the derived token has those of its parent.
    let audiences = match wanted.audience.is_empty() {
        true => &parent.audiences,
        false => &wanted.audience,
    };
    let handed_out = HandedOut { scopes: &wanted.scopes, audiences, may_issue: None };
    bounds::check(caller.token(), handed_out).map_err(Failure::from)?;
    let grant = wanted.grant().by(caller.actor()?);
    let issued = match idempotency::key(&call)? {
        Some(key) => call.manager().derive_once(&key, presented, grant).await?,
        None => call.manager().derive(presented, grant).await?,
    };
    json::ok(&issued_body(&issued, call.manager().now()))
}

/// Returns the key whose possession the caller has checked.
pub(super) fn confirmation(proven: &ProvenKey) -> Confirmation {
    match proven {
        ProvenKey::Jkt(thumbprint) => Confirmation::Jkt(thumbprint.clone()),
        ProvenKey::CertificateThumbprint(thumbprint) => {
            Confirmation::CertificateThumbprint(thumbprint.clone())
        }
    }
}
