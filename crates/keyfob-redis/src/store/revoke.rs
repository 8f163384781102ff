//! Revoking one record.

use keyfob_store::{
    Lane, Operation, RevocationMark, Revoke, Revoked, StoreError, TokenId, Verdict,
};

use super::outcome::{Outcome, failure};
use super::shared::Shared;
use crate::connections::{Call, Reply};
use crate::feed::revocation::{self, Revocation};
use crate::feed::signal;
use crate::keys;
use crate::protocol::arg::Arg;
use crate::protocol::constants::reply;
use crate::protocol::signatures::revoke;
use crate::record::{self, StoredRecord};

impl Shared {
    pub(super) async fn revoke(
        &self,
        operation: Operation,
        revoke: Revoke,
    ) -> Result<Revoked, StoreError> {
        let recent = Revocation::Revoked(operation.id, revoke.clone());
        let revoked = self.send_revocation(operation, revoke, self.config.wait).await?;
        if revoked != Revoked::Missing {
            self.feed.recent.remember(recent);
        }
        Ok(revoked)
    }

    /// Revokes a record without remembering it among the recent revocations, and waits for so many replicas.
    pub(super) async fn send_revocation(
        &self,
        operation: Operation,
        revoke: Revoke,
        wait: u32,
    ) -> Result<Revoked, StoreError> {
        Revoke::check_note(&revoke.note)?;
        let (id, lane) = (revoke.id, revoke.id.lane());
        let mut keys = Vec::from(revoke::Keys {
            lane: self.keys.lane(lane),
            stream: self.keys.events(lane),
            record: self.keys.record(id),
            note: self.keys.note(id),
            answer: self.keys.answer(lane, operation.id),
            signal: self.keys.signal(
                lane,
                &signal::write_revocation(
                    revoke.changes().map(|(_, change)| change),
                    &revocation::of_record(operation.id, &revoke),
                ),
            ),
            count_directory: self.keys.count_directory(lane),
        });
        keys.extend(revoke.listed.iter().flat_map(|term| self.keys.heads(lane, *term)));
        let has_note = !revoke.note.is_empty();
        let cascade_field = revoke.cascade.map(|field| field.as_bytes().to_vec());
        let mut args = Vec::from(revoke::Args {
            namespace: self.lane_tag(),
            create_lane_until: self.create_lane_until(),
            deadline: Arg::Local(operation.deadline),
            id_suffix: keys::id_suffix(id)[..].into(),
            entry_cap: self.stream_cap().into(),
            stream_expires_at: self.stream_expires_at(),
            entry_count: revoke.events.len().into(),
            operation: record::operation_prefix(operation.id)[..].into(),
            revoked_at: revoke.at.as_millis().into(),
            tombstone: record::tombstone(revoke.at, operation.id, has_note).into(),
            revocation_note: revoke.note.into(),
            cascade_field: cascade_field.unwrap_or_default().into(),
        });
        args.extend(revoke.events.into_iter().map(Arg::from));
        let mut call = Call::new(&self.scripts.revoke, keys, args);
        self.wait_for_replicas(&mut call, lane, wait);
        let sent = self.write(lane, &mut call).await;
        let outcome = sent.map_err(|failed| failed.of(operation.id))?;
        match outcome.code() {
            reply::APPLIED => Ok(Revoked::Now),
            reply::MISSING => Ok(Revoked::Missing),
            reply::REVOKED_BEFORE => earlier_mark(id, outcome).map(Revoked::Before),
            _ => Err(failure(outcome, operation, Some(id))),
        }
    }

    /// Has a call wait for so many replicas.
    pub(super) fn wait_for_replicas(&self, call: &mut Call<'_>, lane: Lane, wait: u32) {
        call.wait = wait;
        call.ping = self.keys.ping(lane);
    }
}

/// Returns how a record was revoked before, from what the script read.
fn earlier_mark(id: TokenId, mut outcome: Outcome) -> Result<RevocationMark, StoreError> {
    let record = outcome.next()?.bytes()?;
    let note = outcome.next()?.optional()?;
    let epochs = outcome.next()?.array()?;
    let epochs = epochs.into_iter().map(Reply::optional).collect::<Result<_, _>>()?;
    let stored = StoredRecord { record, last_used: None, note, epochs };
    match stored.into_loaded(id.local())?.verdict {
        Verdict::Revoked(mark) => Ok(mark),
        Verdict::Clear | Verdict::Damaged => Err(StoreError::Corrupt {
            what: id.to_string(),
            detail: "its revocation cannot be read".to_owned(),
        }),
    }
}
