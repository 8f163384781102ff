//! Revoking by everything that names tokens: `POST /v1/revoke`.
//!
//! Everything but a filter is revoked in one step. A filter is answered by a stream of progress: see
//! `sweep`.

mod count;
mod sweep;

use keyfob::store::StoreError;
use keyfob::{Error, Filter, Paging, RevokeOutcome as Outcome, RevokeRequest, TokenId};
use keyfob_api::revoke::LanesBody;
use keyfob_api::{RevocationBody, RevokeAnswer, RevokeBody, RevokeOutcome, RevokeTarget};

use super::input::body;
use crate::bodies;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// Answers `POST /v1/revoke`.
pub(crate) async fn handle(call: Call) -> Answer {
    let RevokeBody { target, reason, dry_run } = body(&call)?;
    let request = reason.map_or_else(RevokeRequest::default, RevokeRequest::from);
    let request = request.by(call.caller()?.actor()?);
    if dry_run {
        return json::ok(&count::dry_run(&call, &target, request).await?);
    }
    let manager = call.manager();
    let answer = match target {
        RevokeTarget::Token(id) => one_token(&call, id, request).await?,
        RevokeTarget::Family(family) => {
            manager.revoke_family(family, request).await?;
            RevokeAnswer::new(RevokeOutcome::Revoked)
        }
        RevokeTarget::Subject(subject) => {
            manager.revoke_subject(&subject, request).await?;
            listed(&call, &Filter::new().subject(subject)).await
        }
        RevokeTarget::Client(client) => {
            match in_every_lane(manager.revoke_client(&client, request).await)? {
                Some(partly) => partly,
                None => listed(&call, &Filter::new().client(client)).await,
            }
        }
        RevokeTarget::All(_) => in_every_lane(manager.revoke_all(request).await)?
            .unwrap_or_else(|| RevokeAnswer::new(RevokeOutcome::Revoked)),
        RevokeTarget::Filter(filter) => return sweep::stream(&call, &filter, request),
    };
    json::ok(&answer)
}

/// Revokes one token, and all that was minted from it.
pub(super) async fn one_token(
    call: &Call,
    id: TokenId,
    request: RevokeRequest,
) -> Result<RevokeAnswer, Failure> {
    let manager = call.manager();
    let (outcome, revocation) = match manager.revoke(id, request).await? {
        Outcome::Revoked => (RevokeOutcome::Revoked, manager.get(id).await?.revocation),
        Outcome::AlreadyRevoked(first) => (RevokeOutcome::AlreadyRevoked, Some(*first)),
    };
    let revocation = revocation.as_ref().map(RevocationBody::from);
    Ok(RevokeAnswer { revocation, ..RevokeAnswer::new(outcome) })
}

/// Returns the answer of a revocation that could not reach every lane of the store.
fn in_every_lane(revoked: Result<(), Error>) -> Result<Option<RevokeAnswer>, Failure> {
    match revoked {
        Ok(()) => Ok(None),
        Err(Error::Store(StoreError::PartlyApplied { applied, pending, .. })) => {
            let pending_lanes = bodies::lanes(&pending);
            let lanes = LanesBody { done: Some(applied), pending: pending.len(), pending_lanes };
            let answer = RevokeAnswer::new(RevokeOutcome::PartlyRevoked);
            Ok(Some(RevokeAnswer { lanes: Some(lanes), ..answer }))
        }
        Err(error) => Err(error.into()),
    }
}

/// Says how many tokens are listed under a name: a name without tokens is likely a typing error. The
/// revocation is done in any case.
async fn listed(call: &Call, filter: &Filter) -> RevokeAnswer {
    let page = call.manager().list(filter, Paging::new(Paging::MAX_LIMIT)).await;
    let listed = page.ok().map(|page| page.tokens.len() as u64 + page.unreadable);
    RevokeAnswer { listed, ..RevokeAnswer::new(RevokeOutcome::Revoked) }
}
