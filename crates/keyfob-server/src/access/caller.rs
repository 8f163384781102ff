//! From the credentials of a request to its caller.

use std::net::IpAddr;
use std::sync::Arc;

use keyfob::cache::ActiveToken;
use keyfob::metrics::AssertionOutcome::Accepted;
use keyfob::metrics::HttpMetrics;
use keyfob::token::Confirmation;
use keyfob::values::InvalidValue;
use keyfob::{
    ClientId, Error, ErrorClass, Kind, Presentation, Token, TokenManager, ValidationChain,
};
use keyfob_jwt::client_assertion::BadAssertion;
use keyfob_tower::UsedOnce;

use super::assertion::{Expected, NotAuthenticated, Signed};
use super::credentials::{BadCredentials, Credentials};
use super::demand::Demand;
use super::known::KnownCallers;
use super::scope::ManagementScope;

/// How a caller authenticated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuthMethod {
    /// `client_secret_basic` (RFC 6749 section 2.3.1).
    Basic,
    /// `client_secret_post` (RFC 6749 section 2.3.1).
    Form,
    /// A bearer token in the header (RFC 6750 section 2.1).
    Bearer,
    /// `private_key_jwt` (RFC 7523 section 2.2).
    Assertion,
}

/// The holder of an API key, or of an access token or a session that was derived from one. `Debug` hides
/// the secret.
pub struct Caller {
    token: Arc<Token>,
    bearer: String,
    method: AuthMethod,
    /// The key that it has proven by an assertion.
    key: Option<Confirmation>,
}

/// What a request says of its caller, beside the credentials.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    /// The address.
    pub(crate) address: Option<IpAddr>,
    /// The key that is proven by a certificate.
    pub(crate) certificate: Option<&'a Confirmation>,
    /// The issuer of this server, for assertions.
    pub(crate) issuer: Option<&'a str>,
}

/// Who a request comes from.
#[derive(Debug)]
pub enum Identity {
    /// A caller that has proved who it is.
    Proven(Box<Caller>),
    /// A public client, which cannot keep a secret and only names itself.
    Public(ClientId),
}

/// Why a request has no caller.
#[derive(Debug)]
pub(crate) enum Unauthenticated {
    /// There are no credentials.
    Missing,
    /// They cannot be read.
    Malformed(BadCredentials),
    /// They are not those of a client.
    Refused(AuthMethod),
    /// The assertion of the client is not accepted.
    BadAssertion(BadAssertion),
    /// It cannot be decided whether the assertion was used before.
    Undecided,
    /// They are those of a client, but it lacks a scope.
    InsufficientScope(ManagementScope),
    /// It cannot be decided.
    Failed(Error),
}

/// Authenticates callers.
#[derive(Debug)]
pub(crate) struct Authenticator {
    chain: ValidationChain,
    public_clients: Vec<ClientId>,
    known: KnownCallers,
    /// The assertions that were used. `None`: nothing remembers them, so none is taken.
    used: Option<UsedOnce>,
    metrics: HttpMetrics,
}

impl Authenticator {
    /// Creates an authenticator that knows these public clients.
    pub(crate) fn new(
        public_clients: Vec<ClientId>,
        used: Option<UsedOnce>,
        metrics: HttpMetrics,
    ) -> Self {
        let chain = [Kind::ApiKey, Kind::Access, Kind::Session];
        let chain = chain.into_iter().fold(ValidationChain::new(), ValidationChain::allow_kind);
        Self { chain, public_clients, known: KnownCallers::default(), used, metrics }
    }

    /// Returns whether clients may authenticate by assertions.
    pub(crate) fn takes_assertions(&self) -> bool {
        self.used.is_some()
    }

    /// Returns who a request comes from, as far as a route demands it; `None` where it does not.
    pub(crate) async fn authenticate(
        &self,
        manager: &TokenManager,
        demand: Demand,
        credentials: Result<Option<Credentials>, BadCredentials>,
        seen: Seen<'_>,
    ) -> Result<Option<Identity>, Unauthenticated> {
        if !demand.asks_for_credentials() {
            return Ok(None);
        }
        let credentials = credentials.map_err(Unauthenticated::Malformed)?;
        let mut signed = None;
        let (client_id, bearer, method) = match credentials.ok_or(Unauthenticated::Missing)? {
            Credentials::Bearer(bearer) => (None, bearer, AuthMethod::Bearer),
            Credentials::Basic { client_id, secret } => {
                (Some(client_id), secret, AuthMethod::Basic)
            }
            Credentials::Form { client_id, secret } => (Some(client_id), secret, AuthMethod::Form),
            Credentials::Assertion { client_id, assertion } => {
                let opening = self.open(manager, client_id.as_deref(), &assertion, seen);
                // In a box, so that the future of other requests is small.
                let opened = Box::pin(opening).await?;
                let bearer = opened.bearer.expose().to_owned();
                let client = opened.client.clone();
                signed = Some(opened);
                (Some(client), bearer, AuthMethod::Assertion)
            }
            Credentials::ClientId(named) if demand == Demand::TokenEndpoint => {
                let known = self.public_clients.iter().find(|client| **client == *named);
                let client = known.ok_or(Unauthenticated::Refused(AuthMethod::Form))?;
                return Ok(Some(Identity::Public(client.clone())));
            }
            Credentials::ClientId(_) => return Err(Unauthenticated::Missing),
        };
        let presentation = Presentation::new(&bearer);
        // A key that is bound to a certificate opens the service with that certificate alone.
        let key = signed.as_ref().map(|signed| &signed.key).or(seen.certificate);
        let mut presentation = key.into_iter().fold(presentation, Presentation::confirmation);
        if let Some(address) = seen.address {
            presentation = presentation.ip(address);
        }
        let read = |active: &ActiveToken<'_>| self.known.of(active.id(), || active.to_token());
        let token = match manager.validate_with(presentation, &self.chain, read).await {
            Ok(Ok(token)) => token,
            Ok(Err(error)) => return Err(Unauthenticated::Failed(error.into())),
            Err(error) => return Err(refused(error, method)),
        };
        // A session of this service is revoked with the key that it was opened with. Other sessions are those
        // of applications.
        if token.kind == Kind::Session && token.parents().is_empty() {
            return Err(Unauthenticated::Refused(method));
        }
        // A client id is the client of the key. A key without one authenticates as a bearer token.
        let is_theirs = client_id.as_deref().is_none_or(|named| {
            token.kind == Kind::ApiKey
                && token.client.as_ref().is_some_and(|client| client == named)
        });
        if !is_theirs {
            return Err(Unauthenticated::Refused(method));
        }
        if let Some(scope) = demand.scope().filter(|scope| !scope.is_in(&token.scopes)) {
            return Err(Unauthenticated::InsufficientScope(scope));
        }
        let key = signed.map(|signed| signed.key);
        Ok(Some(Identity::Proven(Box::new(Caller { token, bearer, method, key }))))
    }

    /// Returns what an assertion presents.
    async fn open(
        &self,
        manager: &TokenManager,
        client_id: Option<&str>,
        assertion: &str,
        seen: Seen<'_>,
    ) -> Result<Signed, Unauthenticated> {
        let (Some(issuer), Some(used)) = (seen.issuer, &self.used) else {
            return Err(Unauthenticated::Malformed(BadCredentials::AssertionsNotTaken));
        };
        let expected = Expected { client_id, issuer, address: seen.address };
        let opened = match expected.open(manager, &self.known, assertion).await {
            // Before the key is asked for: one that comes again is no use of the key.
            Ok(signed) => signed.use_up(used).await.map(|()| signed),
            Err(error) => Err(error),
        };
        let outcome = opened.as_ref().map_or_else(NotAuthenticated::outcome, |_| Accepted);
        self.metrics.handles.client_assertions.of(outcome).increment(1);
        Ok(opened?)
    }
}

impl From<NotAuthenticated> for Unauthenticated {
    fn from(cause: NotAuthenticated) -> Self {
        match cause {
            NotAuthenticated::Bad(bad) => Self::BadAssertion(bad),
            NotAuthenticated::Failed(error) => refused(error, AuthMethod::Assertion),
            NotAuthenticated::Undecided => Self::Undecided,
        }
    }
}

fn refused(error: Error, method: AuthMethod) -> Unauthenticated {
    match error.class() {
        ErrorClass::Limited { .. }
        | ErrorClass::Unavailable
        | ErrorClass::Contended
        | ErrorClass::Internal => Unauthenticated::Failed(error),
        _ => Unauthenticated::Refused(method),
    }
}

impl Caller {
    /// Returns the token that it authenticated with. Its last use, uses and metadata may be older.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// Returns how it authenticated.
    pub fn method(&self) -> AuthMethod {
        self.method
    }

    /// Returns the bearer token that it authenticated with.
    pub(crate) fn bearer(&self) -> &str {
        &self.bearer
    }

    /// Returns its bearer token as it presents it, with the key that it has proven.
    pub(crate) fn presentation(&self) -> Presentation<'_> {
        self.key.iter().fold(Presentation::new(&self.bearer), Presentation::confirmation)
    }

    /// Returns whether it has a scope.
    pub fn has(&self, scope: ManagementScope) -> bool {
        scope.is_in(&self.token.scopes)
    }

    /// Returns whether this caller may read every token.
    pub fn may_see_all(&self) -> bool {
        self.token.audiences.is_empty()
    }

    /// Returns whether it may look at a token as far as audiences decide. A caller without audiences
    /// may look at all; another one, at those that are meant for one of its own.
    pub fn may_see(&self, token: &Token) -> bool {
        self.may_see_all() || self.is_meant_by(token)
    }

    /// Returns whether a token is meant for one of the audiences of this caller.
    pub fn is_meant_by(&self, token: &Token) -> bool {
        self.token.audiences.contains_any(&token.audiences)
    }

    /// Returns whether a token was issued to the client of this caller.
    pub fn is_client_of(&self, token: &Token) -> bool {
        self.token.client.is_some() && self.token.client == token.client
    }

    /// Returns its name for events and the history: the client, or the id of its token.
    ///
    /// # Errors
    /// If the client's name is not the name of an actor.
    pub fn actor(&self) -> Result<keyfob::values::Actor, InvalidValue> {
        match &self.token.client {
            Some(client) => client.as_str().parse(),
            None => self.token.id.to_string().parse(),
        }
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller")
            .field("token", &self.token.id)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}
