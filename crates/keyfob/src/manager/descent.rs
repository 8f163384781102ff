//! What comes from another token is no wider than it, ends with it at the latest, and stands in its
//! line: whether it is minted, derived, or what a refresh token is exchanged for.

use crate::field::Field;
use crate::id::{FamilyId, TokenId};
use crate::invalid::{InvalidReason, InvalidValue};
use crate::names::NameSet;
use crate::store::Epochs;
use crate::text::{Audience, Scope};
use crate::time::Timestamp;
use crate::token::{ActorChain, GrantParts, Kind, Token};

/// What a token allows, and where.
#[derive(Clone, Copy)]
pub(super) struct Extent<'a> {
    pub(super) scopes: &'a NameSet<Scope>,
    pub(super) audiences: &'a NameSet<Audience>,
}

impl Extent<'_> {
    /// Whether another lies within it.
    pub(super) fn contains(self, other: Extent<'_>) -> Result<(), InvalidValue> {
        let wider = |field| {
            let rule = "it must lie within that of the token it comes from";
            Err(InvalidValue::new(field, InvalidReason::Contradiction { rule }))
        };
        if !self.scopes.contains_all(other.scopes) {
            return wider(Field::Scope);
        }
        if !self.audiences.contains_all(other.audiences) {
            return wider(Field::Audience);
        }
        Ok(())
    }
}

/// The tokens that a child of `parent` descends from.
pub(super) fn line_under(
    parent: TokenId,
    its_ancestors: &[TokenId],
) -> Result<Vec<TokenId>, InvalidValue> {
    let mut line = its_ancestors.to_vec();
    // The root of a family is among its own ancestors already.
    if !line.contains(&parent) {
        line.push(parent);
    }
    if line.len() > Epochs::MAX_ANCESTORS {
        let max = Epochs::MAX_ANCESTORS;
        return Err(InvalidValue::new(Field::Ancestors, InvalidReason::TooMany { max }));
    }
    Ok(line)
}

/// The family of a child of `parent`.
pub(super) fn family_under(parent: TokenId, its_family: Option<FamilyId>) -> FamilyId {
    its_family.unwrap_or(FamilyId::from_root(parent))
}

/// The end that no renewal of a token can pass.
pub(super) fn last_end(token: &Token) -> Option<Timestamp> {
    match token.kind {
        Kind::Refresh => token.absolute_expiry.or(token.expires_at),
        _ => [token.expires_at, token.absolute_expiry].into_iter().flatten().min(),
    }
}

/// Fills a grant up from the token that it comes from, and refuses what is wider.
pub(super) fn narrow(mut parts: GrantParts, parent: &Token) -> Result<GrantParts, InvalidValue> {
    let differs = |field| {
        let rule = "it must be that of the token it comes from";
        Err(InvalidValue::new(field, InvalidReason::Contradiction { rule }))
    };
    if parts.subject.is_some() && parts.subject != parent.subject {
        return differs(Field::Subject);
    }
    if parts.client.is_some() && parts.client != parent.client {
        return differs(Field::Client);
    }
    if parts.issuer.is_some() && parts.issuer != parent.issuer {
        return differs(Field::Issuer);
    }
    let extent = Extent { scopes: &parent.scopes, audiences: &parent.audiences };
    extent.contains(Extent { scopes: &parts.scopes, audiences: &parts.audiences })?;
    parts.subject = parent.subject.clone();
    parts.client = parent.client.clone();
    parts.issuer = parent.issuer.clone();
    if parts.audiences.is_empty() {
        parts.audiences = parent.audiences.clone();
    }
    // What was bound stays so, to the same key unless another is named.
    let bound_to = &parent.claims.registered.confirmation;
    parts.registered.confirmation = parts.registered.confirmation.or_else(|| bound_to.clone());
    // Who acts is told by what descends from it as well.
    let before = parent.claims.registered.actors.as_ref();
    let chain = parts.acting.take().map(|actor| ActorChain::new(actor, before)).transpose()?;
    parts.registered.actors = chain.or_else(|| before.cloned());
    Ok(parts)
}
