//! A dry run: how many pending and active tokens would be revoked.

use keyfob::values::FamilyId;
use keyfob::{Error, Filter, Paging, RevokeRequest, Token, TokenId, TokenState};
use keyfob_api::{RevokeAnswer, RevokeOutcome, RevokeTarget};

use super::sweep;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::v1::input::not_found;

/// Counts the tokens that would be revoked.
pub(super) async fn dry_run(
    call: &Call,
    target: &RevokeTarget,
    request: RevokeRequest,
) -> Result<RevokeAnswer, Failure> {
    let filter = match target {
        RevokeTarget::Token(id) => return Ok(counted(descendants(call, *id).await?)),
        RevokeTarget::Family(family) => {
            return Ok(counted(descendants(call, family.root()).await?));
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

/// Counts the pending and active tokens that a revocation of `id` would end: the token itself and its
/// descendants.
async fn descendants(call: &Call, id: TokenId) -> Result<u64, Failure> {
    let manager = call.manager();
    let root = match manager.get(id).await {
        Ok(token) => Some(token),
        Err(Error::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let family = root.as_ref().and_then(|token| token.family).unwrap_or(FamilyId::from_root(id));
    let now = manager.now();
    let is_revocable =
        |token: &Token| matches!(token.state(now), TokenState::Active | TokenState::Pending);
    let mut found = u64::from(root.is_some());
    let mut count = u64::from(root.as_ref().is_some_and(is_revocable));
    let (filter, mut after) = (Filter::new().family(family), None);
    loop {
        let page = manager.list(&filter, Paging::new(Paging::MAX_LIMIT).after(after)).await?;
        for token in &page.tokens {
            if token.id != id && token.ancestors.contains(&id) {
                found += 1;
                count += u64::from(is_revocable(token));
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    // An unknown id is an error, not a count of zero.
    if found == 0 { Err(not_found(id)) } else { Ok(count) }
}
