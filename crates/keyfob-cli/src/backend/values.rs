//! What both places give and take, beside the bodies of the API.

use keyfob::manager::PageCursor;
use keyfob::values::{Actor, Reason};
use keyfob::{Error, RevokeRequest};
use keyfob_api::revoke::LanesBody;
use keyfob_api::{RevocationBody, RevokeOutcome, TokenBody};

use crate::failure::Failure;

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

/// The failure for an argument of a kind that a command does not take there.
pub(crate) fn not_a_step() -> Failure {
    Error::Store(keyfob::store::StoreError::Misconfigured("a filter is not one step".into())).into()
}
