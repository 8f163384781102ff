//! Where the tokens of a command are: in a store that this process opens, or behind a server.
//!
//! | module | content |
//! |---|---|
//! | `store` | a store, by the manager of this process |
//! | `server` | a server, by its HTTP API |
//! | `issue` | issuing many tokens at either |
//! | `sweep` | revoking by a filter at either |
//! | `events` | reading events at either |
//!
//! Both give the same values, the bodies of the API, so that a command writes the same for both.

mod events;
mod issue;
mod server;
mod store;
mod sweep;

use keyfob::clock::{Clock as _, SystemClock};
use keyfob::manager::PageCursor;
use keyfob::values::{Actor, Reason};
use keyfob::{BearerPrefix, Error, Filter, RevokeRequest, Timestamp, TokenId, TokenManager};
use keyfob_api::revoke::LanesBody;
use keyfob_api::{
    DeriveBody, DoctorBody, ExplainAnswer, ExplainBody, GrantSpec, HistoryEntryBody, IssuedBody,
    RevocationBody, RevokeOutcome, RevokeTarget, StatsBody, TokenBody, UpdateBody, ValidateAnswer,
    ValidateBody,
};
use keyfob_client::Client;

use crate::failure::Failure;
use crate::values::OverlapArg;

pub(crate) use events::{EventLine, Feed};
pub(crate) use issue::{CheckedGrant, NotIssued};
pub(crate) use server::ServerBackend;
pub(crate) use store::{StoreBackend, issued_body};

/// Where the tokens of a command are.
#[derive(Debug)]
pub(crate) enum Backend {
    Store(StoreBackend),
    Server(ServerBackend),
}

/// One page of tokens.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) tokens: Vec<TokenBody>,
    pub(crate) next: Option<PageCursor>,
    pub(crate) examined: u64,
    pub(crate) unreadable: u64,
    pub(crate) missing_lanes: Vec<u16>,
}

/// Which page of a list.
#[derive(Clone, Debug)]
pub(crate) struct PageRequest {
    pub(crate) limit: usize,
    pub(crate) after: Option<PageCursor>,
    pub(crate) expiring_soonest: bool,
}

/// Why something is revoked, and by whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct RevokeNote {
    pub(crate) reason: Option<Reason>,
    /// A server records the client of the key instead.
    pub(crate) by: Option<Actor>,
}

impl RevokeNote {
    pub(crate) fn request(&self) -> RevokeRequest {
        let request = self.reason.clone().map_or_else(RevokeRequest::default, RevokeRequest::from);
        self.by.clone().into_iter().fold(request, RevokeRequest::by)
    }
}

/// A revocation in one step.
#[derive(Debug)]
pub(crate) struct Revoked {
    pub(crate) outcome: RevokeOutcome,
    /// The revocation of a single token.
    pub(crate) revocation: Option<RevocationBody>,
    /// How many tokens are listed under a subject or a client. `None` for other targets.
    pub(crate) listed: Option<Result<Listed, String>>,
    /// The lanes, if some could not be reached.
    pub(crate) lanes: Option<LanesBody>,
    /// Why it is not done everywhere. The report comes before it.
    pub(crate) partly: Option<Failure>,
}

/// How many tokens are listed under a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed {
    pub(crate) count: u64,
    /// Whether there are more.
    pub(crate) is_minimum: bool,
}

impl Revoked {
    pub(crate) fn new(outcome: RevokeOutcome) -> Self {
        Self { outcome, revocation: None, listed: None, lanes: None, partly: None }
    }
}

/// Calls a method of the store or of the server.
macro_rules! either {
    ($backend:expr, $place:ident => $call:expr) => {
        match $backend {
            Backend::Store($place) => $call,
            Backend::Server($place) => $call,
        }
    };
}

impl Backend {
    pub(crate) fn store(manager: TokenManager) -> Self {
        Self::Store(StoreBackend::new(manager))
    }

    pub(crate) fn server(client: Client, prefix: BearerPrefix) -> Self {
        Self::Server(ServerBackend::new(client, prefix))
    }

    /// The manager of the store, for a command that works on a store only.
    pub(crate) fn manager(&self) -> Result<&TokenManager, Failure> {
        match self {
            Self::Store(store) => Ok(store.manager()),
            Self::Server(_) => Err(Failure::NeedsStore),
        }
    }

    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::Store(store) => store.manager().now(),
            Self::Server(_) => SystemClock.now(),
        }
    }

    /// The prefix of bearers.
    pub(crate) fn prefix(&self) -> &BearerPrefix {
        match self {
            Self::Store(store) => store.manager().prefix(),
            Self::Server(server) => server.prefix(),
        }
    }

    /// Ends what runs in the background.
    pub(crate) async fn shutdown(&self) {
        if let Self::Store(store) = self {
            store.manager().shutdown().await;
        }
    }

    pub(crate) async fn issue(
        &self,
        grant: GrantSpec,
        by: Option<&Actor>,
    ) -> Result<IssuedBody, Failure> {
        either!(self, place => place.issue(grant, by).await)
    }

    /// Returns the verdict on a bearer.
    pub(crate) async fn validate(&self, wanted: &ValidateBody) -> Result<ValidateAnswer, Failure> {
        either!(self, place => place.validate(wanted).await)
    }

    /// Returns everything that is wrong with a bearer.
    pub(crate) async fn explain(&self, wanted: &ExplainBody) -> Result<ExplainAnswer, Failure> {
        either!(self, place => place.explain(wanted).await)
    }

    pub(crate) async fn derive(
        &self,
        wanted: &DeriveBody,
        by: Option<&Actor>,
    ) -> Result<IssuedBody, Failure> {
        either!(self, place => place.derive(wanted, by).await)
    }

    pub(crate) async fn rotate(
        &self,
        id: TokenId,
        overlap: &OverlapArg,
        by: Option<&Actor>,
    ) -> Result<IssuedBody, Failure> {
        either!(self, place => place.rotate(id, overlap, by).await)
    }

    pub(crate) async fn update(
        &self,
        id: TokenId,
        changes: &UpdateBody,
        by: Option<&Actor>,
    ) -> Result<TokenBody, Failure> {
        either!(self, place => place.update(id, changes, by).await)
    }

    pub(crate) async fn get(&self, id: TokenId) -> Result<TokenBody, Failure> {
        either!(self, place => place.get(id).await)
    }

    pub(crate) async fn history(&self, id: TokenId) -> Result<Vec<HistoryEntryBody>, Failure> {
        either!(self, place => place.history(id).await)
    }

    pub(crate) async fn list(&self, filter: &Filter, page: PageRequest) -> Result<Page, Failure> {
        either!(self, place => place.list(filter, page).await)
    }

    /// Returns how many tokens there are, from counters.
    pub(crate) async fn stats(&self) -> Result<StatsBody, Failure> {
        either!(self, place => place.stats().await)
    }

    /// Returns the report on the store, the clock and the settings.
    pub(crate) async fn doctor(&self) -> Result<DoctorBody, Failure> {
        either!(self, place => place.doctor().await)
    }

    /// Revokes everything but a filter, in one step.
    pub(crate) async fn revoke(
        &self,
        target: &RevokeTarget,
        note: &RevokeNote,
    ) -> Result<Revoked, Failure> {
        either!(self, place => place.revoke(target, note).await)
    }

    /// Counts the pending and active tokens that a revocation would end.
    pub(crate) async fn count_revocable(
        &self,
        target: &RevokeTarget,
        note: &RevokeNote,
    ) -> Result<u64, Failure> {
        either!(self, place => place.count_revocable(target, note).await)
    }
}

/// The failure for an argument of a kind that a command does not take there.
pub(crate) fn not_a_step() -> Failure {
    Error::Store(keyfob::store::StoreError::Misconfigured("a filter is not one step".into())).into()
}
