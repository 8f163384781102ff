//! Issuing many tokens, at a store or at a server, in order.
//!
//! A store issues them while they are asked for, several at a time. A server gets them in parts; if it
//! refuses a part, each of its grants is sent alone, so that only those that are not valid are refused.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt as _;
use futures_util::stream::LocalBoxStream;
use keyfob::values::Actor;
use keyfob::{Error, Grant, Issued, Timestamp};
use keyfob_api::{GrantSpec, IssueOutcome, IssuedBody, RefusalBody};
use keyfob_client::{Client, ErrorClass};

use super::either::Backend;
use super::server::check_actor;
use super::store::issued_body;
use crate::failure::Failure;

/// The maximum number of bytes of grants in one request. A server takes a little more.
const MAX_PART_BYTES: usize = 2 * 1024 * 1024;
/// The maximum number of grants in one request.
const MAX_PART: usize = 500;

/// Why a token was not issued.
#[derive(Debug)]
pub(crate) enum NotIssued {
    /// By the manager of this process.
    Store(Error),
    /// By the server.
    Server(RefusalBody),
    /// The server was not reached, or refused the request as a whole. Later ones would fail too.
    Failed(Box<Failure>),
}

/// Tokens that are being issued.
pub(crate) enum Issuing<'a> {
    Store { issued: LocalBoxStream<'a, Result<Issued, Error>>, is_stopped: Arc<AtomicBool> },
    Server(ServerIssuing<'a>),
}

/// Tokens that a server issues.
pub(crate) struct ServerIssuing<'a> {
    client: &'a Client,
    grants: VecDeque<GrantSpec>,
    outcomes: VecDeque<Result<IssuedBody, NotIssued>>,
}

impl Backend {
    /// Checks a grant, as far as that is possible here.
    pub(crate) fn check_grant(
        &self,
        grant: GrantSpec,
        by: Option<&Actor>,
        now: Timestamp,
    ) -> Result<CheckedGrant, keyfob_api::InvalidGrantSpec> {
        match self {
            Self::Store(_) => grant.into_grant(by, now).map(|it| CheckedGrant::Store(Box::new(it))),
            Self::Server(_) => {
                // The server signs what is to be a JWT.
                let checked = GrantSpec { format: None, ..grant.clone() };
                checked.into_grant(by, now)?.check()?;
                Ok(CheckedGrant::Server(Box::new(grant)))
            }
        }
    }

    /// Issues tokens. The outcomes come in the order of the grants.
    pub(crate) fn issue_many<'a>(
        &'a self,
        grants: Vec<CheckedGrant>,
        by: Option<&Actor>,
    ) -> Result<Issuing<'a>, Failure> {
        match self {
            Self::Store(store) => {
                let is_stopped = Arc::new(AtomicBool::new(false));
                let flag = Arc::clone(&is_stopped);
                let grants = grants.into_iter().filter_map(CheckedGrant::into_grant);
                let grants = grants.take_while(move |_| !flag.load(Ordering::Relaxed));
                let issued = store.manager().issue_many(grants).boxed_local();
                Ok(Issuing::Store { issued, is_stopped })
            }
            Self::Server(server) => {
                check_actor(by)?;
                let grants = grants.into_iter().filter_map(CheckedGrant::into_spec).collect();
                let outcomes = VecDeque::new();
                Ok(Issuing::Server(ServerIssuing { client: server.client(), grants, outcomes }))
            }
        }
    }
}

/// A grant that was checked, in the form that the backend takes.
#[derive(Debug)]
pub(crate) enum CheckedGrant {
    Store(Box<Grant>),
    Server(Box<GrantSpec>),
}

impl CheckedGrant {
    fn into_grant(self) -> Option<Grant> {
        match self {
            Self::Store(grant) => Some(*grant),
            Self::Server(_) => None,
        }
    }

    fn into_spec(self) -> Option<GrantSpec> {
        match self {
            Self::Server(grant) => Some(*grant),
            Self::Store(_) => None,
        }
    }
}

impl Issuing<'_> {
    /// Waits for the outcome of the next grant.
    pub(crate) async fn next(&mut self) -> Option<Result<IssuedBody, NotIssued>> {
        match self {
            Self::Store { issued, .. } => Some(match issued.next().await? {
                Ok(issued) => Ok(issued_body(&issued, issued.token.issued_at)),
                Err(error) => Err(NotIssued::Store(error)),
            }),
            Self::Server(issuing) => issuing.next().await,
        }
    }

    /// Begins no further token. Those that were begun are still returned.
    pub(crate) fn stop(&mut self) {
        match self {
            Self::Store { is_stopped, .. } => is_stopped.store(true, Ordering::Relaxed),
            Self::Server(issuing) => issuing.grants.clear(),
        }
    }
}

impl ServerIssuing<'_> {
    async fn next(&mut self) -> Option<Result<IssuedBody, NotIssued>> {
        if self.outcomes.is_empty() {
            self.issue_part().await;
        }
        self.outcomes.pop_front()
    }

    async fn issue_part(&mut self) {
        let part = self.take_part();
        match self.client.issue_many(&part).await {
            Ok(outcomes) => self.outcomes.extend(outcomes.into_iter().map(outcome)),
            Err(error) if is_about_a_grant(&error) => {
                for grant in part {
                    let issued = self.client.issue(&grant).await;
                    self.outcomes.push_back(issued.map_err(not_issued));
                }
            }
            Err(error) => {
                self.grants.clear();
                self.outcomes.push_back(Err(NotIssued::Failed(Box::new(error.into()))));
            }
        }
    }

    fn take_part(&mut self) -> Vec<GrantSpec> {
        let (mut part, mut bytes) = (Vec::new(), 0);
        while let Some(grant) = self.grants.front() {
            bytes += serde_json::to_string(grant).map_or(0, |text| text.len());
            if part.len() == MAX_PART || (bytes > MAX_PART_BYTES && !part.is_empty()) {
                break;
            }
            part.extend(self.grants.pop_front());
        }
        part
    }
}

/// Whether a part was refused for what is in it. Then nothing of it was issued.
fn is_about_a_grant(error: &keyfob_client::Error) -> bool {
    let is_about_the_caller = ["insufficient_scope", "unauthorized_client"].contains(&error.code());
    error.api().is_some()
        && !is_about_the_caller
        && matches!(
            error.class(),
            ErrorClass::InvalidRequest | ErrorClass::AccessDenied | ErrorClass::Conflict
        )
}

fn outcome(outcome: IssueOutcome) -> Result<IssuedBody, NotIssued> {
    match outcome {
        IssueOutcome::Issued(issued) => Ok(*issued),
        IssueOutcome::Failed { error } => Err(NotIssued::Server(error)),
    }
}

fn not_issued(error: keyfob_client::Error) -> NotIssued {
    match is_about_a_grant(&error) {
        true => NotIssued::Server(RefusalBody {
            code: error.code().to_owned(),
            message: error.to_string(),
        }),
        false => NotIssued::Failed(Box::new(error.into())),
    }
}
