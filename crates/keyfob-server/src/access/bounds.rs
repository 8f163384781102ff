//! What a caller may hand out to others.
//!
//! | what | allowed to hand out |
//! |---|---|
//! | a reserved scope | only if the caller has it; an administrator has all |
//! | another scope | if the caller has it, or its claim `may_issue` allows it |
//! | an audience | if the caller has it, or its claim `may_issue` allows it |
//! | no audience at all | only if every audience is allowed: such a token is accepted by more services |
//! | a claim `may_issue` | only if the caller may hand out everything that it allows |
//!
//! An administrator may hand out everything.

use keyfob::token::{Allowed, MayIssue, Token};
use keyfob::values::NameSet;
use keyfob::{Audience, Scope};

use super::scope::{ManagementScope, is_reserved};

/// What a grant would hand out.
#[derive(Clone, Copy, Debug)]
pub struct HandedOut<'a> {
    /// The scopes of the token.
    pub scopes: &'a NameSet<Scope>,
    /// The audiences of the token.
    pub audiences: &'a NameSet<Audience>,
    /// What its holder could hand out in turn.
    pub may_issue: Option<&'a MayIssue>,
}

/// Why a caller may not hand something out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BeyondBounds {
    /// A scope.
    #[error(
        "this key may not hand out the scope {0}: it needs the scope itself, or a may_issue claim that allows it"
    )]
    Scope(Scope),
    /// An audience.
    #[error(
        "this key may not hand out the audience {0}: it needs the audience itself, or a may_issue claim that allows it"
    )]
    Audience(Audience),
    /// No audience, so every audience.
    #[error("name an audience: this key may not hand out a token for every audience")]
    EveryAudience,
    /// The claim `may_issue`.
    #[error("this key may not hand out this may_issue claim: it allows more than the key itself")]
    MayIssue,
}

/// Checks that the holder of `caller` may hand out all of this.
///
/// # Errors
/// The first part that it may not hand out.
pub fn check(caller: &Token, wanted: HandedOut<'_>) -> Result<(), BeyondBounds> {
    if ManagementScope::Admin.is_in(&caller.scopes) {
        return Ok(());
    }
    let nothing = MayIssue::default();
    let own = caller.claims.registered.may_issue.as_ref().unwrap_or(&nothing);
    let permits_scope = |scope: &Scope| {
        // The claim speaks of the scopes of applications only.
        caller.scopes.contains(scope) || (!is_reserved(scope.as_str()) && own.scopes.permits(scope))
    };
    let permits_audience = |audience: &Audience| {
        caller.audiences.contains(audience) || own.audiences.permits(audience)
    };
    if let Some(scope) = wanted.scopes.iter().find(|scope| !permits_scope(scope)) {
        return Err(BeyondBounds::Scope(scope.clone()));
    }
    if let Some(audience) = wanted.audiences.iter().find(|audience| !permits_audience(audience)) {
        return Err(BeyondBounds::Audience(audience.clone()));
    }
    if wanted.audiences.is_empty() && own.audiences != Allowed::All {
        return Err(BeyondBounds::EveryAudience);
    }
    match wanted.may_issue {
        Some(claim)
            if !permits_all(&own.scopes, &claim.scopes, permits_scope)
                || !permits_all(&own.audiences, &claim.audiences, permits_audience) =>
        {
            Err(BeyondBounds::MayIssue)
        }
        _ => Ok(()),
    }
}

/// Returns whether a caller may hand out a scope that another token has, with a token that is derived
/// from it: a reserved scope only if the caller has it too.
pub(crate) fn may_pass_on(caller: &Token, scope: &Scope) -> bool {
    !is_reserved(scope.as_str())
        || caller.scopes.contains(scope)
        || ManagementScope::Admin.is_in(&caller.scopes)
}

/// Returns whether the holder of `own` may hand out everything that `wanted` allows.
fn permits_all<T>(own: &Allowed<T>, wanted: &Allowed<T>, permits: impl Fn(&T) -> bool) -> bool {
    match wanted {
        Allowed::All => matches!(own, Allowed::All),
        Allowed::Only(names) => names.iter().all(permits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob::{Grant, Kind, MemoryStore, TokenManager};

    async fn caller(grant: Grant) -> Token {
        let manager = TokenManager::new(MemoryStore::new().unwrap());
        manager.issue(grant).await.unwrap().token
    }

    fn scopes(names: &str) -> NameSet<Scope> {
        NameSet::from_names(names.split_whitespace().map(|name| name.parse().unwrap())).unwrap()
    }

    fn audiences(names: &str) -> NameSet<Audience> {
        NameSet::from_names(names.split_whitespace().map(|name| name.parse().unwrap())).unwrap()
    }

    fn refusal(caller: &Token, scope: &str, audience: &str) -> Option<BeyondBounds> {
        let (scopes, audiences) = (scopes(scope), audiences(audience));
        check(caller, HandedOut { scopes: &scopes, audiences: &audiences, may_issue: None }).err()
    }

    fn key() -> Grant {
        Grant::new(Kind::ApiKey).client("c").scope("keyfob:issue")
    }

    #[tokio::test]
    async fn a_key_hands_out_its_own_scopes_and_audiences_and_no_others() {
        let caller = caller(key().scope("read").audience("shop")).await;
        assert_eq!(refusal(&caller, "read keyfob:issue", "shop"), None);
        assert!(matches!(refusal(&caller, "write", "shop"), Some(BeyondBounds::Scope(_))));
        assert!(matches!(refusal(&caller, "keyfob:read", "shop"), Some(BeyondBounds::Scope(_))));
        assert!(matches!(refusal(&caller, "read", "bank"), Some(BeyondBounds::Audience(_))));
        assert_eq!(refusal(&caller, "read", ""), Some(BeyondBounds::EveryAudience));
    }

    #[tokio::test]
    async fn the_claim_allows_scopes_of_applications_but_no_reserved_ones() {
        let caller = caller(key().may_issue(MayIssue::all())).await;
        assert_eq!(refusal(&caller, "read write", ""), None);
        assert!(matches!(refusal(&caller, "keyfob:revoke", ""), Some(BeyondBounds::Scope(_))));
    }

    #[tokio::test]
    async fn the_claim_is_handed_out_within_itself() {
        let own =
            MayIssue::new(Allowed::Only(scopes("read write")), Allowed::Only(audiences("shop")));
        let caller = caller(key().may_issue(own)).await;
        let hands_out = |claim: &MayIssue| {
            let (scopes, audiences) = (scopes("read"), audiences("shop"));
            let wanted =
                HandedOut { scopes: &scopes, audiences: &audiences, may_issue: Some(claim) };
            check(&caller, wanted).is_ok()
        };
        let only = |scope: &str| MayIssue::new(Allowed::Only(scopes(scope)), Allowed::default());
        assert!(hands_out(&only("read")) && !hands_out(&only("delete")));
        assert!(!hands_out(&only("keyfob:revoke")));
        assert!(!hands_out(&MayIssue::all()));
    }

    #[tokio::test]
    async fn an_administrator_hands_out_everything() {
        let caller = caller(Grant::new(Kind::ApiKey).scope("keyfob:admin")).await;
        assert_eq!(refusal(&caller, "keyfob:keys write", ""), None);
    }
}
