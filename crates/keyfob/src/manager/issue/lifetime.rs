//! When a new token begins and ends.

use crate::manager::descent::last_end;
use keyfob_core::field::Field;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::{Expiry, GrantParts, Kind, Token};

/// The ends of a parent, which no child passes.
#[derive(Clone, Copy, Default)]
pub(super) struct ParentEnds {
    /// When the parent ends unless it is renewed.
    ends_at: Option<Timestamp>,
    /// The end that no renewal of the parent passes.
    last_end: Option<Timestamp>,
}

/// The times of a new token.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Lifetime {
    pub(super) expires_at: Option<Timestamp>,
    pub(super) absolute_expiry: Option<Timestamp>,
    /// By how much a rotation moves the expiry on, where it does.
    pub(super) renewal: Option<Ttl>,
}

impl ParentEnds {
    pub(super) fn of(parent: &Token) -> Self {
        Self { ends_at: parent.state_inputs().ends_at, last_end: last_end(parent) }
    }
}

impl Lifetime {
    /// Resolves what a grant asks for at `now`. `default` is how long a token of its kind lives
    /// otherwise.
    ///
    /// # Errors
    /// When the token would never be active.
    pub(super) fn resolve(
        parts: &GrantParts,
        parent: ParentEnds,
        default: Ttl,
        now: Timestamp,
    ) -> Result<Self, InvalidValue> {
        let absolute_expiry = parts.absolute_lifetime.map(|lifetime| now + lifetime);
        let absolute_expiry = absolute_expiry
            .map(|end| parent.last_end.map_or(end, |parent_end| end.min(parent_end)));
        let requested = match parts.expiry {
            // An absolute lifetime alone sets the lifetime of the token.
            Expiry::Default if absolute_expiry.is_some() => absolute_expiry,
            Expiry::Default => Some(now + default),
            Expiry::After(ttl) => Some(now + ttl),
            Expiry::At(at) => Some(at),
            Expiry::Never => None,
        };
        let expires_at = [requested, absolute_expiry, parent.ends_at].into_iter().flatten().min();
        if expires_at.is_some_and(|end| end <= now) {
            let rule = "it is in the past: the token would never be active";
            return contradiction(Field::Expiry, rule);
        }
        if let (Some(start), Some(end)) = (parts.not_before, expires_at)
            && start >= end
        {
            return contradiction(Field::NotBefore, "it must be before the expiry");
        }
        // A rotation moves the expiry on where there is a later end that it cannot pass.
        let renewal = match parts.expiry {
            Expiry::After(ttl) if parts.kind == Kind::Refresh && absolute_expiry.is_some() => {
                Some(ttl)
            }
            _ => None,
        };
        Ok(Self { expires_at, absolute_expiry, renewal })
    }

    /// Returns the end that no renewal passes.
    pub(super) fn last_end(&self) -> Option<Timestamp> {
        self.absolute_expiry.or(self.expires_at)
    }
}

/// Checks that the parts of a grant go together with its kind.
pub(super) fn check_consistency(parts: &GrantParts) -> Result<(), InvalidValue> {
    if parts.kind != Kind::Refresh && parts.refresh_policy.is_some() {
        return contradiction(Field::RefreshPolicy, "only a refresh token has one");
    }
    if parts.kind != Kind::ApiKey && parts.registered.may_issue.is_some() {
        return contradiction(Field::MayIssue, "only an API key has one");
    }
    if parts.registered.client_key.is_some() {
        if parts.kind != Kind::ApiKey {
            return contradiction(Field::ClientKey, "only an API key has one");
        }
        if parts.client.is_none() {
            return contradiction(Field::ClientKey, "it needs a client: name whose key it is");
        }
        if parts.registered.confirmation.is_some() {
            let rule = "the API key is bound to it already: leave the other key (cnf) out";
            return contradiction(Field::ClientKey, rule);
        }
    }
    if parts.kind == Kind::Refresh && parts.uses.is_some() {
        let rule = "a refresh token is used once in each generation: leave the number out";
        return contradiction(Field::Uses, rule);
    }
    if parts.jwt.is_some() {
        if parts.kind != Kind::Access {
            return contradiction(Field::Jwt, "only an access token can be a JWT");
        }
        if parts.uses.is_some() || parts.idle_timeout.is_some() {
            let rule = "who checks a JWT offline reports no use: leave uses and idle timeout out";
            return contradiction(Field::Jwt, rule);
        }
        if parts.expiry == Expiry::Never {
            return contradiction(Field::Jwt, "a JWT has to expire");
        }
    }
    Ok(())
}

fn contradiction<T>(field: Field, rule: &'static str) -> Result<T, InvalidValue> {
    Err(InvalidValue::new(field, InvalidReason::Contradiction { rule }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::rotation::RefreshPolicy;
    use keyfob_core::token::Grant;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
    const HOUR: Ttl = Ttl::from_hours(1);
    const DAY: Ttl = Ttl::from_days(1);

    fn resolve(grant: Grant, parent: ParentEnds) -> Result<Lifetime, InvalidValue> {
        Lifetime::resolve(&grant.into_parts().unwrap(), parent, DAY, NOW)
    }

    fn ends(grant: Grant) -> (Option<Timestamp>, Option<Timestamp>) {
        let lifetime = resolve(grant, ParentEnds::default()).unwrap();
        (lifetime.expires_at, lifetime.absolute_expiry)
    }

    #[test]
    fn a_grant_says_when_its_token_ends() {
        let session = || Grant::new(Kind::Session);
        assert_eq!(ends(session()), (Some(NOW + DAY), None), "the default of the kind");
        assert_eq!(ends(session().ttl(HOUR)), (Some(NOW + HOUR), None));
        let absolute = Some(NOW + DAY + DAY);
        let lifetime = || session().absolute_lifetime(Ttl::from_days(2));
        assert_eq!(
            ends(lifetime()),
            (absolute, absolute),
            "without another expiry, the absolute end is the expiry"
        );
        assert_eq!(ends(lifetime().ttl(HOUR)), (Some(NOW + HOUR), absolute));
        assert_eq!(ends(lifetime().ttl(Ttl::from_days(3))), (absolute, absolute));
    }

    #[test]
    fn no_child_passes_the_ends_of_its_parent() {
        let parent = ParentEnds { ends_at: Some(NOW + HOUR), last_end: Some(NOW + DAY) };
        let grant = Grant::new(Kind::Session).ttl(DAY).absolute_lifetime(Ttl::from_days(2));
        let lifetime = resolve(grant, parent).unwrap();
        assert_eq!(lifetime.expires_at, Some(NOW + HOUR));
        assert_eq!(lifetime.absolute_expiry, Some(NOW + DAY));
        assert_eq!(lifetime.last_end(), Some(NOW + DAY));
        let over = ParentEnds { ends_at: Some(NOW), last_end: None };
        let refused = resolve(Grant::new(Kind::Session), over).unwrap_err();
        assert_eq!(refused.field(), Field::Expiry);
    }

    #[test]
    fn only_a_refresh_token_with_a_later_end_is_renewed() {
        let renewal = |grant| resolve(grant, ParentEnds::default()).unwrap().renewal;
        let refresh = || Grant::new(Kind::Refresh).ttl(HOUR);
        assert_eq!(renewal(refresh().absolute_lifetime(DAY)), Some(HOUR));
        assert_eq!(renewal(refresh()), None);
        assert_eq!(renewal(Grant::new(Kind::Session).ttl(HOUR).absolute_lifetime(DAY)), None);
    }

    #[test]
    fn a_token_that_would_never_be_good_is_refused() {
        let field = |grant| resolve(grant, ParentEnds::default()).unwrap_err().field();
        assert_eq!(field(Grant::new(Kind::Access).expires_at(NOW)), Field::Expiry);
        let late = Grant::new(Kind::Access).not_before(NOW + HOUR).ttl(HOUR);
        assert_eq!(field(late), Field::NotBefore);
    }

    #[test]
    fn the_parts_of_a_grant_go_together_with_its_kind() {
        let field = |grant: Grant| {
            check_consistency(&grant.into_parts().unwrap()).err().map(|invalid| invalid.field())
        };
        let policy = RefreshPolicy::default();
        assert_eq!(field(Grant::new(Kind::Refresh).refresh_policy(policy)), None);
        let session = Grant::new(Kind::Session).refresh_policy(policy);
        assert_eq!(field(session), Some(Field::RefreshPolicy));
        assert_eq!(field(Grant::new(Kind::Session).uses(1)), None);
        assert_eq!(field(Grant::new(Kind::Refresh).uses(1)), Some(Field::Uses));
    }
}
