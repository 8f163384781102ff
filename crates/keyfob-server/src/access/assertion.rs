//! Clients that authenticate by an assertion, which is signed with a key of their own (RFC 7523 section 2.2).
//!
//! The key is that of an API key: `kid` is its id, so it is found at once, and is revoked, limited and listed like
//! every API key. An assertion that is signed by it presents the API key to the manager, whose normal path decides.

use std::net::IpAddr;
use std::sync::Arc;

use keyfob::metrics::AssertionOutcome::{self, Malformed, Throttled, Undecided};
use keyfob::token::Confirmation;
use keyfob::validation::KeyBinding;
use keyfob::values::ClaimText;
use keyfob::{
    BearerToken, Error, ErrorClass, Presentation, Refusal, Token, TokenId, TokenManager, Ttl,
    ValidationChain,
};
use keyfob_jwt::client_assertion::{
    AssertionKey, AssertionPolicy, BadAssertion, ClientAssertion, ProvenAssertion,
};
use keyfob_tower::{NotOnce, UsedOnce};

use super::known::KnownCallers;

/// For how long the id of an assertion is remembered.
pub(crate) const WINDOW: Ttl = AssertionPolicy::new(&[]).window();

/// What an assertion is checked against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    /// The client that the request names beside the assertion.
    pub(super) client_id: Option<&'a str>,
    /// The issuer of this server.
    pub(super) issuer: &'a str,
    /// The address of the client.
    pub(super) address: Option<IpAddr>,
}

/// An assertion that was signed by the key of an API key. Whether the API key is active was not asked yet.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) client: String,
    /// The bearer token of the API key.
    pub(super) bearer: BearerToken,
    /// The key that was proven.
    pub(super) key: Confirmation,
    proven: ProvenAssertion,
}

/// Why an assertion does not authenticate its client.
#[derive(Debug)]
pub(super) enum NotAuthenticated {
    Bad(BadAssertion),
    /// It cannot be decided.
    Failed(Error),
    /// The store of used assertions cannot tell.
    Undecided,
}

impl NotAuthenticated {
    /// Returns the label under which it is counted.
    pub(super) fn outcome(&self) -> AssertionOutcome {
        match self {
            // A test compares every code with the labels.
            Self::Bad(bad) => AssertionOutcome::of_code(bad.code()).unwrap_or(Malformed),
            Self::Failed(error) if matches!(error.class(), ErrorClass::Limited { .. }) => Throttled,
            Self::Failed(_) | Self::Undecided => Undecided,
        }
    }
}

impl From<BadAssertion> for NotAuthenticated {
    fn from(bad: BadAssertion) -> Self {
        Self::Bad(bad)
    }
}

impl Expected<'_> {
    /// Finds the API key that an assertion names, and verifies the assertion with it.
    pub(super) async fn open(
        &self,
        manager: &TokenManager,
        known: &KnownCallers,
        text: &str,
    ) -> Result<Signed, NotAuthenticated> {
        let assertion = ClientAssertion::parse(text)?;
        if self.client_id.is_some_and(|named| named != assertion.client()) {
            return Err(BadAssertion::Client.into());
        }
        let token_endpoint = format!("{}/oauth2/token", self.issuer.trim_end_matches('/'));
        let audiences = [self.issuer, &token_endpoint];
        let policy = AssertionPolicy::new(&audiences);
        assertion.check(&policy, manager.now())?;
        let id: TokenId = assertion.kid().parse().map_err(|_| BadAssertion::Key)?;
        let bearer = manager.client_key_bearer(id).map_err(NotAuthenticated::Failed)?;
        let found = match known.get(id) {
            Some(token) => Some(token),
            None => self.find(manager, &bearer).await?,
        };
        let signed = found.and_then(|token| {
            let key = key_of(&token, assertion.client())?;
            let proven = assertion.verify(&key, &policy).ok()?;
            let key = Confirmation::Jkt(ClaimText::new(key.thumbprint()).ok()?);
            Some(Signed { client: assertion.client().to_owned(), bearer, key, proven })
        });
        match signed {
            Some(signed) => Ok(signed),
            None => Err(self.reject(manager).await),
        }
    }

    /// Finds the API key of a bearer token, in whatever state it is. It is no use of it.
    async fn find(
        &self,
        manager: &TokenManager,
        bearer: &BearerToken,
    ) -> Result<Option<Arc<Token>>, NotAuthenticated> {
        let presented = Presentation::new(bearer.expose());
        let presented = self.address.into_iter().fold(presented, Presentation::ip);
        let chain = ValidationChain::new().key(KeyBinding::Unchecked);
        match manager.explain(presented, &chain).await {
            Ok(explained) => Ok(Some(Arc::new(explained.token))),
            Err(Error::Refused(Refusal::Unknown)) => Ok(None),
            Err(error) => Err(NotAuthenticated::Failed(error)),
        }
    }

    /// Counts the attempt like one with a wrong secret.
    async fn reject(&self, manager: &TokenManager) -> NotAuthenticated {
        let error = manager.reject_client(self.address).await;
        match error.class() {
            ErrorClass::Limited { .. } => NotAuthenticated::Failed(error),
            _ => BadAssertion::Key.into(),
        }
    }
}

impl Signed {
    /// Uses the assertion up: it counts once, for all nodes.
    pub(super) async fn use_up(&self, used: &UsedOnce) -> Result<(), NotAuthenticated> {
        match used.add(self.proven.id, self.proven.made_at).await {
            Ok(now) => Ok(self.proven.check_end(&AssertionPolicy::new(&[]), now)?),
            Err(NotOnce::Used) => Err(BadAssertion::Used.into()),
            Err(NotOnce::Undecided) => Err(NotAuthenticated::Undecided),
        }
    }
}

/// Returns the key of an API key of this client.
fn key_of(token: &Token, client: &str) -> Option<AssertionKey> {
    let key = token.claims.registered.client_key.as_ref()?;
    let is_theirs = token.client.as_ref().is_some_and(|own| own == client);
    is_theirs.then(|| AssertionKey::parse(&key.to_json()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use keyfob::metrics::HttpMetrics;

    use super::*;

    #[test]
    fn every_code_is_a_label_and_every_label_is_a_code() {
        let mut codes: Vec<_> = BadAssertion::ALL.map(BadAssertion::code).to_vec();
        for code in &codes {
            assert!(AssertionOutcome::of_code(code).is_some(), "{code}");
        }
        codes.extend(["accepted", "throttled", "assertion_undecided"]);
        let catalog = HttpMetrics::catalog();
        let assertions = catalog.iter().find(|it| it.name == "keyfob_client_assertions_total");
        let mut labels = assertions.unwrap().labels[0].values.clone();
        codes.sort_unstable();
        labels.sort_unstable();
        assert_eq!(codes, labels);
    }
}
