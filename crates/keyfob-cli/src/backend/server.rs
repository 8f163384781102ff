//! A server, by its HTTP API.

use keyfob::store::{Lane, StoreError};
use keyfob::values::{Actor, Reason};
use keyfob::{BearerPrefix, BearerToken, Error, Filter, Paging, TokenId};
use keyfob_api::{
    DeriveBody, DoctorBody, ExplainAnswer, ExplainBody, GrantSpec, HistoryEntryBody, IssuedBody,
    LeakBody, RefreshBody, RefreshedBody, RevokeOutcome, RevokeTarget, RotateBody, SecretText,
    StatsBody, TokenBody, UpdateBody, ValidateAnswer, ValidateBody,
};
use keyfob_client::{Client, ListOrder, ListQuery};

use super::values::{Listed, Page, PageRequest, RevokeNote, Revoked};
use crate::failure::Failure;
use crate::values::OverlapArg;

/// A server, by its HTTP API.
#[derive(Debug)]
pub(crate) struct ServerBackend {
    client: Client,
    prefix: BearerPrefix,
}

impl ServerBackend {
    pub(super) fn new(client: Client, prefix: BearerPrefix) -> Self {
        Self { client, prefix }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn prefix(&self) -> &BearerPrefix {
        &self.prefix
    }

    pub(super) async fn issue(
        &self,
        grant: GrantSpec,
        by: Option<&Actor>,
    ) -> Result<IssuedBody, Failure> {
        check_actor(by)?;
        Ok(self.client.issue(&grant).await?)
    }

    pub(super) async fn validate(&self, wanted: &ValidateBody) -> Result<ValidateAnswer, Failure> {
        Ok(self.client.validate(wanted).await?)
    }

    pub(super) async fn explain(&self, wanted: &ExplainBody) -> Result<ExplainAnswer, Failure> {
        Ok(self.client.explain(wanted).await?)
    }

    pub(super) async fn refresh(
        &self,
        wanted: &RefreshBody,
        by: Option<&Actor>,
    ) -> Result<RefreshedBody, Failure> {
        check_actor(by)?;
        Ok(self.client.refresh(wanted).await?)
    }

    pub(super) async fn revoke_leaks(
        &self,
        texts: Vec<SecretText>,
        reason: Option<&Reason>,
        by: Option<&Actor>,
    ) -> Result<Vec<LeakBody>, Failure> {
        check_actor(by)?;
        Ok(self.client.revoke_leaks(texts, reason.cloned()).await?)
    }

    pub(super) async fn derive(
        &self,
        wanted: &DeriveBody,
        by: Option<&Actor>,
    ) -> Result<IssuedBody, Failure> {
        check_actor(by)?;
        // The path names the parent, whose id is in its bearer.
        let parent =
            BearerToken::parse(wanted.token.expose(), &self.prefix).map_err(Error::from)?;
        Ok(self.client.derive(parent.id(), wanted).await?)
    }

    pub(super) async fn rotate(
        &self,
        id: TokenId,
        overlap: &OverlapArg,
        by: Option<&Actor>,
    ) -> Result<IssuedBody, Failure> {
        check_actor(by)?;
        let body = RotateBody { overlap: Some(overlap.as_str().to_owned()) };
        Ok(self.client.rotate(id, &body).await?)
    }

    pub(super) async fn update(
        &self,
        id: TokenId,
        changes: &UpdateBody,
        by: Option<&Actor>,
    ) -> Result<TokenBody, Failure> {
        check_actor(by)?;
        Ok(self.client.update(id, changes).await?)
    }

    pub(super) async fn get(&self, id: TokenId) -> Result<TokenBody, Failure> {
        Ok(self.client.get(id).await?)
    }

    pub(super) async fn history(&self, id: TokenId) -> Result<Vec<HistoryEntryBody>, Failure> {
        Ok(self.client.history(id).await?)
    }

    pub(super) async fn list(&self, filter: &Filter, page: PageRequest) -> Result<Page, Failure> {
        // The text of the filter has absolute times.
        let mut query = ListQuery::new(filter.to_string()).limit(page.limit);
        query = query.after(page.after.as_ref().map(ToString::to_string));
        if page.expiring_soonest {
            query = query.order(ListOrder::Expiring);
        }
        let page = self.client.list(&query).await?;
        let next = page.next.map(|cursor| cursor.parse()).transpose()?;
        Ok(Page {
            tokens: page.tokens,
            next,
            examined: page.examined,
            unreadable: page.unreadable,
            missing_lanes: page.missing_lanes,
        })
    }

    pub(super) async fn stats(&self) -> Result<StatsBody, Failure> {
        Ok(self.client.stats().await?)
    }

    pub(super) async fn doctor(&self) -> Result<DoctorBody, Failure> {
        Ok(self.client.doctor().await?)
    }

    pub(super) async fn revoke(
        &self,
        target: &RevokeTarget,
        note: &RevokeNote,
    ) -> Result<Revoked, Failure> {
        check_actor(note.by.as_ref())?;
        let answer = match target {
            RevokeTarget::Token(id) => self.client.revoke(*id, note.reason.as_ref()).await?,
            target => self.client.revoke_target(target.clone(), note.reason.clone()).await?,
        };
        let names = matches!(target, RevokeTarget::Subject(_) | RevokeTarget::Client(_));
        let is_done = answer.outcome == RevokeOutcome::Revoked;
        let listed = answer
            .listed
            .map(|count| Listed { count, is_minimum: count >= Paging::MAX_LIMIT as u64 });
        let unknown = || "the server could not count them".to_owned();
        let partly = answer.lanes.as_ref().map(|lanes| {
            let lanes = lanes.pending_lanes.iter().copied().map(Lane::new).collect();
            StoreError::LanesUnreachable { lanes }.into()
        });
        Ok(Revoked {
            outcome: answer.outcome,
            revocation: answer.revocation,
            listed: (names && is_done).then(|| listed.ok_or_else(unknown)),
            lanes: answer.lanes,
            partly,
        })
    }

    pub(super) async fn count_revocable(
        &self,
        target: &RevokeTarget,
        note: &RevokeNote,
    ) -> Result<u64, Failure> {
        check_actor(note.by.as_ref())?;
        let answer = self.client.count_revocable(target.clone()).await?;
        Ok(answer.count.unwrap_or_default())
    }
}

/// Refuses an actor: a server records who sends the request.
pub(super) fn check_actor(by: Option<&Actor>) -> Result<(), Failure> {
    match by {
        None => Ok(()),
        Some(_) => Err(Failure::Usage {
            code: "usage",
            message: "--by is for a store. A server records the client of the key that asks".into(),
            details: String::new(),
        }),
    }
}
