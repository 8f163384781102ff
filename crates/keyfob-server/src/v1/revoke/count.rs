//! A dry run: how many pending and active tokens would be revoked.

use keyfob::{Filter, RevokeRequest};
use keyfob_api::{RevokeAnswer, RevokeOutcome, RevokeTarget};

use super::sweep;
use crate::call::Call;
use crate::respond::failure::Failure;

/// Counts the tokens that would be revoked.
pub(super) async fn dry_run(
    call: &Call,
    target: &RevokeTarget,
    request: RevokeRequest,
) -> Result<RevokeAnswer, Failure> {
    let filter = match target {
        RevokeTarget::Token(id) => return Ok(counted(call.manager().count_revocable(*id).await?)),
        RevokeTarget::Family(family) => {
            return Ok(counted(call.manager().count_revocable(family.root()).await?));
        }
        RevokeTarget::Subject(subject) => Filter::new().subject(subject.clone()),
        RevokeTarget::Client(client) => Filter::new().client(client.clone()),
        RevokeTarget::All(_) => Filter::new(),
        RevokeTarget::Filter(filter) => sweep::filter(call, filter)?,
    };
    Ok(counted(call.manager().sweep(filter, request).dry_run().await?))
}

fn counted(count: u64) -> RevokeAnswer {
    RevokeAnswer { count: Some(count), ..RevokeAnswer::new(RevokeOutcome::Counted) }
}
