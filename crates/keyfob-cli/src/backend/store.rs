//! A store, by the manager of this process.

use keyfob::store::StoreError;
use keyfob::values::{Actor, Reason};
use keyfob::{
    Error, Filter, Issued, Paging, RefreshRequest, RevokeOutcome as Outcome, RevokeRequest,
    RotateRequest, Token, TokenId, TokenManager, UpdateRequest, ValidationChain,
};
use keyfob_api::revoke::{LanesBody, RevokeFilter};
use keyfob_api::{
    DeriveBody, DoctorBody, ExplainAnswer, ExplainBody, GrantSpec, HistoryEntryBody, IssuedBody,
    LeakBody, RefreshBody, RefreshedBody, RevocationBody, RevokeOutcome, RevokeTarget, SecretBody,
    SecretText, StatsBody, TokenBody, UpdateBody, ValidateAnswer, ValidateBody,
};
use keyfob_server::bodies;

use super::values::{Listed, Page, PageRequest, RevokeNote, Revoked, not_a_step};
use crate::failure::Failure;
use crate::values::OverlapArg;

/// A store, by the manager of this process.
#[derive(Debug)]
pub(crate) struct StoreBackend {
    manager: TokenManager,
}

impl StoreBackend {
    pub(super) fn new(manager: TokenManager) -> Self {
        Self { manager }
    }

    pub(super) fn manager(&self) -> &TokenManager {
        &self.manager
    }

    fn body(&self, token: &Token) -> TokenBody {
        TokenBody::of(token, self.manager.now())
    }

    fn issued(&self, issued: &Issued) -> IssuedBody {
        issued_body(issued, self.manager.now())
    }

    pub(super) async fn issue(
        &self,
        grant: GrantSpec,
        by: Option<&Actor>,
    ) -> Result<IssuedBody, Failure> {
        let grant = grant.into_grant(by, self.manager.now())?;
        Ok(self.issued(&self.manager.issue(grant).await?))
    }

    pub(super) async fn validate(&self, wanted: &ValidateBody) -> Result<ValidateAnswer, Failure> {
        let proven = wanted.cnf.as_ref().map(bodies::confirmation);
        let presented =
            bodies::presentation(&wanted.token, wanted.device_id.as_ref(), proven.as_ref());
        let chain = wanted.add_to(ValidationChain::new());
        match self.manager.validate(presented, &chain).await {
            Ok(token) => {
                let answer = ValidateAnswer::valid(self.body(&token));
                Ok(answer.by_secret(SecretBody::of(&token)))
            }
            Err(Error::Refused(refusal)) => {
                Ok(ValidateAnswer::refused(refusal.code(), refusal.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn explain(&self, wanted: &ExplainBody) -> Result<ExplainAnswer, Failure> {
        let bearer = wanted.token.clone().unwrap_or_default();
        let proven = wanted.cnf.as_ref().map(bodies::confirmation);
        let presented = bodies::presentation(&bearer, wanted.device_id.as_ref(), proven.as_ref());
        let chain = wanted.add_to(ValidationChain::new());
        let mut secret = None;
        let (token, refusals) = match self.manager.explain(presented, &chain).await {
            Ok(explained) => {
                secret = SecretBody::of(&explained.token);
                (Some(self.body(&explained.token)), explained.refusals)
            }
            Err(Error::Refused(refusal)) => (None, vec![refusal]),
            Err(error) => return Err(error.into()),
        };
        let refusals: Vec<_> = refusals.iter().map(bodies::refusal).collect();
        Ok(ExplainAnswer { ok: refusals.is_empty(), token, secret, refusals })
    }

    pub(super) async fn refresh(
        &self,
        wanted: &RefreshBody,
        by: Option<&Actor>,
    ) -> Result<RefreshedBody, Failure> {
        let proven = wanted.cnf.as_ref().map(bodies::confirmation);
        let presented =
            bodies::presentation(&wanted.token, wanted.device_id.as_ref(), proven.as_ref());
        let request = bodies::refresh_request(wanted);
        let request = by.cloned().into_iter().fold(request, RefreshRequest::by);
        let pair = self.manager.refresh(presented, request).await?;
        Ok(RefreshedBody {
            case: bodies::refreshed_case(pair.case),
            access: self.issued(&pair.access),
            refresh: self.issued(&pair.refresh),
        })
    }

    pub(super) async fn revoke_leaks(
        &self,
        texts: Vec<SecretText>,
        reason: Option<&Reason>,
        by: Option<&Actor>,
    ) -> Result<Vec<LeakBody>, Failure> {
        let request = RevokeRequest::reason(reason.map_or("leaked", Reason::as_str));
        let request = by.cloned().into_iter().fold(request, RevokeRequest::by);
        let mut answers = Vec::with_capacity(texts.len());
        for text in texts {
            let leaked = self.manager.revoke_leaked(text.expose(), request.clone()).await?;
            let (outcome, token) = bodies::leak_outcome(&leaked);
            answers.push(LeakBody { outcome, token: token.map(|token| self.body(token)) });
        }
        Ok(answers)
    }

    pub(super) async fn derive(
        &self,
        wanted: &DeriveBody,
        by: Option<&Actor>,
    ) -> Result<IssuedBody, Failure> {
        let grant = by.cloned().into_iter().fold(wanted.grant(), keyfob::Grant::by);
        let proven = wanted.cnf.as_ref().map(bodies::confirmation);
        let presented =
            bodies::presentation(&wanted.token, wanted.device_id.as_ref(), proven.as_ref());
        Ok(self.issued(&self.manager.derive(presented, grant).await?))
    }

    pub(super) async fn rotate(
        &self,
        id: TokenId,
        overlap: &OverlapArg,
        by: Option<&Actor>,
    ) -> Result<IssuedBody, Failure> {
        let request = RotateRequest::new().overlap(overlap.into());
        let request = by.cloned().into_iter().fold(request, RotateRequest::by);
        Ok(self.issued(&self.manager.rotate(id, request).await?))
    }

    pub(super) async fn update(
        &self,
        id: TokenId,
        changes: &UpdateBody,
        by: Option<&Actor>,
    ) -> Result<TokenBody, Failure> {
        let request = by.cloned().into_iter().fold(UpdateRequest::new(), UpdateRequest::by);
        let token = self.manager.update(id, request, |metadata| changes.apply(metadata)).await?;
        Ok(self.body(&token))
    }

    pub(super) async fn get(&self, id: TokenId) -> Result<TokenBody, Failure> {
        Ok(self.body(&self.manager.get(id).await?))
    }

    pub(super) async fn history(&self, id: TokenId) -> Result<Vec<HistoryEntryBody>, Failure> {
        Ok(self.manager.history(id).await?.iter().map(HistoryEntryBody::from).collect())
    }

    pub(super) async fn list(&self, filter: &Filter, page: PageRequest) -> Result<Page, Failure> {
        let paging = Paging::new(page.limit).after(page.after);
        let paging = if page.expiring_soonest { paging.expiring_soonest() } else { paging };
        let page = self.manager.list(filter, paging).await?;
        Ok(Page {
            tokens: page.tokens.iter().map(|token| self.body(token)).collect(),
            next: page.next,
            examined: page.examined,
            unreadable: page.unreadable,
            missing_lanes: bodies::lanes(&page.missing_lanes),
        })
    }

    pub(super) async fn stats(&self) -> Result<StatsBody, Failure> {
        Ok(bodies::stats(&self.manager.stats().await?))
    }

    pub(super) async fn doctor(&self) -> Result<DoctorBody, Failure> {
        let (mut report, node_time) = bodies::report(&self.manager).await?;
        report.findings.sort_by_key(|finding| finding.severity);
        Ok(bodies::doctor(report, node_time, None))
    }

    pub(super) async fn revoke(
        &self,
        target: &RevokeTarget,
        note: &RevokeNote,
    ) -> Result<Revoked, Failure> {
        let request = note.request();
        let manager = &self.manager;
        match target {
            RevokeTarget::Token(id) => {
                let (outcome, revocation) = match manager.revoke(*id, request).await? {
                    Outcome::Revoked => {
                        (RevokeOutcome::Revoked, manager.get(*id).await?.revocation)
                    }
                    Outcome::AlreadyRevoked(first) => (RevokeOutcome::AlreadyRevoked, Some(*first)),
                };
                let revocation = revocation.as_ref().map(RevocationBody::from);
                Ok(Revoked { revocation, ..Revoked::new(outcome) })
            }
            RevokeTarget::Family(family) => {
                manager.revoke_family(*family, request).await?;
                Ok(Revoked::new(RevokeOutcome::Revoked))
            }
            RevokeTarget::Subject(subject) => {
                manager.revoke_subject(subject, request).await?;
                Ok(self.listed(&Filter::new().subject(subject.clone())).await)
            }
            RevokeTarget::Client(client) => {
                match partly(manager.revoke_client(client, request).await)? {
                    Some(partly) => Ok(partly),
                    None => Ok(self.listed(&Filter::new().client(client.clone())).await),
                }
            }
            RevokeTarget::All(_) => Ok(partly(manager.revoke_all(request).await)?
                .unwrap_or_else(|| Revoked::new(RevokeOutcome::Revoked))),
            RevokeTarget::Filter(_) => Err(not_a_step()),
        }
    }

    async fn listed(&self, filter: &Filter) -> Revoked {
        let page = self.manager.list(filter, Paging::new(Paging::MAX_LIMIT)).await;
        // The revocation is done. Only its size may not be known.
        let listed = page.map_err(|error| error.to_string()).map(|page| Listed {
            count: page.tokens.len() as u64 + page.unreadable,
            is_minimum: page.next.is_some(),
        });
        Revoked { listed: Some(listed), ..Revoked::new(RevokeOutcome::Revoked) }
    }

    pub(super) async fn count_revocable(
        &self,
        target: &RevokeTarget,
        note: &RevokeNote,
    ) -> Result<u64, Failure> {
        let request = note.request();
        request.check()?;
        let filter = match target {
            RevokeTarget::Token(id) => return Ok(self.manager.count_revocable(*id).await?),
            RevokeTarget::Family(family) => {
                return Ok(self.manager.count_revocable(family.root()).await?);
            }
            RevokeTarget::Subject(subject) => Filter::new().subject(subject.clone()),
            RevokeTarget::Client(client) => Filter::new().client(client.clone()),
            RevokeTarget::All(_) => Filter::new(),
            RevokeTarget::Filter(RevokeFilter { filter, .. }) => {
                let parsed = Filter::parse(filter, self.manager.now());
                parsed.map_err(|error| Failure::Filter { error, text: filter.clone() })?
            }
        };
        Ok(self.manager.sweep(filter, request).dry_run().await?)
    }
}

/// Returns a token with its bearer.
pub(super) fn issued_body(issued: &Issued, now: keyfob::Timestamp) -> IssuedBody {
    IssuedBody::new(TokenBody::of(&issued.token, now), issued.bearer.expose())
}

/// Returns the report of a revocation that could not reach every lane of the store.
fn partly(revoked: Result<(), Error>) -> Result<Option<Revoked>, Failure> {
    let lanes = match &revoked {
        Ok(()) => return Ok(None),
        Err(Error::Store(StoreError::PartlyApplied { applied, pending, .. })) => LanesBody {
            done: Some(*applied),
            pending: pending.len(),
            pending_lanes: bodies::lanes(pending),
        },
        Err(_) => return Err(revoked.err().map_or_else(not_a_step, Failure::from)),
    };
    let partly = revoked.err().map(Failure::from);
    let answer = Revoked::new(RevokeOutcome::PartlyRevoked);
    Ok(Some(Revoked { lanes: Some(lanes), partly, ..answer }))
}
