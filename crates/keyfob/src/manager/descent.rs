//! What holds for a token that comes from another one, by minting, deriving or refreshing: it is no
//! wider than its parent, ends with it at the latest, and descends from it.

use keyfob_core::field::Field;
use keyfob_core::id::TokenId;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::names::NameSet;
use keyfob_core::text::{Audience, Scope};
use keyfob_core::time::Timestamp;
use keyfob_core::token::{ActorChain, GrantParts, Kind, Token};
use keyfob_store::Epochs;

/// The scopes of a token, and the audiences that it is meant for.
#[derive(Clone, Copy)]
pub(super) struct Extent<'a> {
    pub(super) scopes: &'a NameSet<Scope>,
    pub(super) audiences: &'a NameSet<Audience>,
}

impl Extent<'_> {
    /// Checks that another extent lies within this one.
    pub(super) fn contains(self, other: Extent<'_>) -> Result<(), InvalidValue> {
        let wider = |field| {
            let rule = "it must lie within that of the parent token";
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

/// Returns the tokens that a child of `parent` descends from.
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

/// Returns the end that no renewal of a token passes.
pub(super) fn last_end(token: &Token) -> Option<Timestamp> {
    match token.kind {
        Kind::Refresh => token.absolute_expiry.or(token.expires_at),
        _ => [token.expires_at, token.absolute_expiry].into_iter().flatten().min(),
    }
}

/// Completes a grant from its parent token, and refuses a grant that is wider.
pub(super) fn narrow(mut parts: GrantParts, parent: &Token) -> Result<GrantParts, InvalidValue> {
    let differs = |field| {
        let rule = "it must be that of the parent token";
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
    // A child of a bound token is bound as well, to the same key unless the grant names another.
    let bound_to = &parent.claims.registered.confirmation;
    parts.registered.confirmation = parts.registered.confirmation.or_else(|| bound_to.clone());
    // A child names the actors of its parent as well.
    let before = parent.claims.registered.actors.as_ref();
    let chain = parts.acting.take().map(|actor| ActorChain::new(actor, before)).transpose()?;
    parts.registered.actors = chain.or_else(|| before.cloned());
    Ok(parts)
}
