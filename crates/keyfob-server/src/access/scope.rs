//! The scopes that allow the use of this service.

use std::fmt;

use keyfob::Scope;
use keyfob::values::NameSet;

/// A scope that allows a part of this service's interface. Their names are reserved: see
/// [`is_reserved`].
///
/// [`ManagementScope::Admin`] allows everything that the others allow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ManagementScope {
    /// Issue tokens, derive them, give API keys new secrets, change metadata.
    Issue,
    /// Read tokens, their history and statistics.
    Read,
    /// Revoke any token.
    Revoke,
    /// Ask whether a bearer token is valid.
    Introspect,
    /// Read events and observations.
    Events,
    /// Read and change the keys that seal the store.
    Keys,
    /// Manage streams of security event tokens, and poll them.
    Signals,
    /// Read records as an edge does: a node that validates by itself, and has no store.
    Edge,
    /// All of these, and the state of the service.
    Admin,
}

/// The start of every reserved scope.
const RESERVED: &str = "keyfob:";

/// Returns whether a scope is one of this service's own interface. Nobody hands out a scope that is
/// reserved without having it.
pub fn is_reserved(scope: &str) -> bool {
    scope.starts_with(RESERVED)
}

impl ManagementScope {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Issue,
        Self::Read,
        Self::Revoke,
        Self::Introspect,
        Self::Events,
        Self::Keys,
        Self::Signals,
        Self::Edge,
        Self::Admin,
    ];

    /// Returns the text of the scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issue => "keyfob:issue",
            Self::Read => "keyfob:read",
            Self::Revoke => "keyfob:revoke",
            Self::Introspect => "keyfob:introspect",
            Self::Events => "keyfob:events",
            Self::Keys => "keyfob:keys",
            Self::Signals => "keyfob:signals",
            Self::Edge => "keyfob:edge",
            Self::Admin => "keyfob:admin",
        }
    }

    /// Returns what the scope allows.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Issue => "Issue tokens, derive them, give API keys new secrets, change metadata.",
            Self::Read => "Read tokens, their history and statistics.",
            Self::Revoke => "Revoke any token.",
            Self::Introspect => "Ask whether a bearer token is valid.",
            Self::Events => "Read events and observations.",
            Self::Keys => "Read and change the keys that seal the store.",
            Self::Signals => {
                "Manage streams of security event tokens, and poll them. For receivers of Shared Signals."
            }
            Self::Edge => {
                "Read any record, as an edge does. For keyfob serve in front of this server."
            }
            Self::Admin => "All of these, and the state of the service.",
        }
    }

    /// Returns whether a holder of `scopes` has this one.
    pub fn is_in(self, scopes: &NameSet<Scope>) -> bool {
        scopes.contains(self.as_str()) || scopes.contains(Self::Admin.as_str())
    }
}

impl fmt::Display for ManagementScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_reserved_and_a_scope() {
        for scope in ManagementScope::ALL {
            assert!(is_reserved(scope.as_str()));
            assert!(Scope::new(scope.as_str()).is_ok());
        }
        assert!(!is_reserved("keyfobs") && !is_reserved("orders:keyfob:read"));
    }

    #[test]
    fn an_administrator_has_every_scope() {
        let admin = NameSet::from_names([Scope::new("keyfob:admin").unwrap()]).unwrap();
        assert!(ManagementScope::ALL.iter().all(|scope| scope.is_in(&admin)));
        let reader = NameSet::from_names([Scope::new("keyfob:read").unwrap()]).unwrap();
        let has: Vec<_> = ManagementScope::ALL.iter().filter(|s| s.is_in(&reader)).collect();
        assert_eq!(has, [&ManagementScope::Read]);
    }
}
