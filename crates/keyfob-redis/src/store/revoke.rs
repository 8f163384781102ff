//! Revoking one record.

use keyfob_store::{Operation, RevocationMark, Revoke, Revoked, StoreError, TokenId, Verdict};

use super::Shared;
use super::recent::Done;
use super::write::{outcome, refusal};
use crate::feed::signal;
use crate::keys;
use crate::net::{Arg, Call, Reply, next};
use crate::record::{self, Read};

impl Shared {
    pub(super) async fn revoke(
        &self,
        operation: Operation,
        revoke: Revoke,
    ) -> Result<Revoked, StoreError> {
        let done = Done::Revoked(operation.id, revoke.clone());
        let outcome = self.revoke_in_its_lane(operation, revoke).await?;
        if outcome != Revoked::Missing {
            self.recent.remember(done);
        }
        Ok(outcome)
    }

    pub(super) async fn revoke_in_its_lane(
        &self,
        operation: Operation,
        revoke: Revoke,
    ) -> Result<Revoked, StoreError> {
        Revoke::check_note(&revoke.note)?;
        let (id, lane) = (revoke.id, revoke.id.lane());
        let mut names = vec![
            self.keys.lane(lane),
            self.keys.events(lane),
            self.keys.record(id),
            self.keys.note(id),
            self.keys.answer(lane, operation.id),
            self.keys.signal(lane, &signal::of_revocation(&revoke)),
            self.keys.cells(lane),
        ];
        names.extend(revoke.listed.iter().flat_map(|term| self.keys.heads(lane, *term)));
        let first = [Arg::Local(operation.deadline), keys::rest(id)[..].into()];
        let mut args = self.with_events(first, revoke.events);
        args.extend([
            record::mark(operation.id)[..].into(),
            revoke.at.as_millis().into(),
            record::tombstone(revoke.at, operation.id, !revoke.note.is_empty()).into(),
            revoke.note.into(),
            revoke.cascade.map_or_else(Vec::new, |field| field.as_bytes().to_vec()).into(),
        ]);
        let mut call = Call::new(&self.scripts.revoke, names, args);
        self.wait_for_replicas(&mut call, lane);
        let reply = self.net.run(self.keys.slot(lane), &call).await;
        let (code, more) = outcome(reply.map_err(|failed| failed.of(operation.id))?)?;
        match code.as_str() {
            "now" => Ok(Revoked::Now),
            "missing" => Ok(Revoked::Missing),
            "before" => mark(id, more).map(Revoked::Before),
            _ => Err(refusal(&code, operation, Some(id), more)),
        }
    }

    pub(super) fn wait_for_replicas(&self, call: &mut Call<'_>, lane: keyfob_store::Lane) {
        call.wait = self.config.wait;
        call.ping = self.keys.ping(lane);
    }
}

/// The mark that a record bore before, from what the script read.
fn mark(id: TokenId, mut parts: std::vec::IntoIter<Reply>) -> Result<RevocationMark, StoreError> {
    let record = next(&mut parts)?.bytes()?;
    let note = next(&mut parts)?.optional()?;
    let lane = next(&mut parts)?.array()?;
    let lane = lane.into_iter().map(Reply::optional).collect::<Result<_, _>>()?;
    match (Read { record, last_used: None, note, lane }).loaded(id.local())?.verdict {
        Verdict::Revoked(mark) => Ok(mark),
        Verdict::Clear | Verdict::Damaged => Err(StoreError::Corrupt {
            what: id.to_string(),
            detail: "its revocation cannot be read".to_owned(),
        }),
    }
}
