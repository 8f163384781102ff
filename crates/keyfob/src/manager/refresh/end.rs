//! Ends tokens after a rotation: a family, or the previous access token.

use super::exchange::{Exchange, not_active};
use crate::codec::{self, Change};
use crate::error::Error;
use crate::manager::modify::encode_event;
use crate::manager::{RevokeRequest, TokenManager};
use keyfob_core::event::EventKind;
use keyfob_core::id::TokenId;
use keyfob_core::rotation::{EndCause, RefreshRefused, Rotation};
use keyfob_core::time::Timestamp;
use keyfob_core::token::{ChangeKind, TokenState};
use keyfob_core::validation::Refusal;
use keyfob_metrics::RevocationTarget;
use keyfob_store::{Replace, Replaced, Revoked};

impl TokenManager {
    /// Ends a family, and returns the error for its presenter.
    pub(super) async fn end_family(
        &self,
        exchange: &Exchange<'_>,
        cause: EndCause,
    ) -> Result<Error, Error> {
        let (token, generation) = (exchange.stored.id, exchange.stored.record.generation.number());
        let presented = exchange.bearer.generation().number();
        let reuse =
            |is_forged| EventKind::ReuseDetected { token, presented, generation, is_forged };
        let (reason, event) = match cause {
            EndCause::Reuse => ("reuse_detected", Some(reuse(false))),
            EndCause::Forgery => ("reuse_detected", Some(reuse(true))),
            EndCause::LastGeneration => ("generations_exhausted", None),
        };
        let target = match cause {
            EndCause::Reuse | EndCause::Forgery => RevocationTarget::Reuse,
            EndCause::LastGeneration => RevocationTarget::Rotation,
        };
        let request = RevokeRequest::reason(reason);
        let revoked = self.revoke_record_with_cause(token, &request, target, event).await?;
        Ok(match (cause, revoked) {
            (_, Revoked::Missing) => Refusal::Unknown.into(),
            (EndCause::Reuse | EndCause::Forgery, Revoked::Now) => {
                RefreshRefused::ReuseDetected { token }.into()
            }
            _ => not_active(self.get(token).await?, TokenState::Revoked),
        })
    }

    /// Records, once for each generation, that the store has lost it; `false` if the record has
    /// changed since it was read. A failure to record it changes nothing about the refusal.
    pub(super) async fn record_ahead_of_store(
        &self,
        exchange: Exchange<'_>,
        at: Timestamp,
    ) -> bool {
        let token = exchange.stored.id;
        let presented = exchange.bearer.generation().number();
        if exchange.rotation.reported_ahead.is_some_and(|recorded| recorded >= presented) {
            return true;
        }
        match self.write_ahead_of_store(exchange, presented, at).await {
            Ok(Replaced::Stored(_)) => {
                self.notify_event_streams();
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(%token, %error, "a lost rotation cannot be recorded");
                true
            }
        }
    }

    async fn write_ahead_of_store(
        &self,
        exchange: Exchange<'_>,
        presented: u32,
        at: Timestamp,
    ) -> Result<Replaced, Error> {
        let (token, by) = (exchange.stored.id, exchange.request.by.as_ref());
        let mut record = exchange.stored.record;
        let generation = record.generation.number();
        record.rotation = Some(Rotation { reported_ahead: Some(presented), ..exchange.rotation });
        record.remember(Change { at, by: by.cloned(), what: ChangeKind::AheadOfStore });
        let operation = self.begin()?;
        let event = EventKind::AheadOfStore { token, presented, generation };
        let replace = Replace {
            events: vec![encode_event(&operation, 0, at, by, event)],
            clear: Some(exchange.stored.clear),
            ..Replace::new(token, exchange.stored.version, codec::encode(&record))
        };
        Ok(self.inner.store.replace(operation, replace).await?)
    }

    /// Ends the access token of the current generation before the next one is stored, so that the two
    /// never live at the same time, wherever a node stops. A node that does so from an older record
    /// ends what was ended before.
    pub(super) async fn end_previous_access(&self, access: Option<TokenId>) -> Result<(), Error> {
        if let Some(access) = access {
            let request = RevokeRequest::reason("superseded by a rotation");
            self.revoke_record(access, &request, RevocationTarget::Rotation).await?;
        }
        Ok(())
    }
}
