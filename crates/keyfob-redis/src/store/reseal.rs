//! Giving records another form, and the floor of keys, which every lane keeps for itself.

use futures_util::future::try_join_all;
use keyfob_store::{KeyVersion, Lane, NewRecord, Operation, Reseal, Resealed, StoreError};

use super::Shared;
use super::write::{outcome, refusal};
use crate::keys;
use crate::net::{Arg, Call};

impl Shared {
    pub(super) async fn reseal(
        &self,
        operation: Operation,
        reseal: Reseal,
    ) -> Result<Resealed, StoreError> {
        let (id, lane) = (reseal.id, reseal.id.lane());
        NewRecord::check_body(&reseal.body)?;
        let terms = || reseal.added_terms.iter().chain(&reseal.former_terms);
        let mut names = vec![self.keys.lane(lane), self.keys.record(id)];
        names.extend(terms().map(|term| self.keys.head(lane, *term)));
        let digit = |is_broad| if is_broad { b'1' } else { b'0' };
        let broad: Vec<u8> = terms().map(|term| digit(term.field().is_broad())).collect();
        let args = vec![
            Arg::Local(operation.deadline),
            keys::rest(id)[..].into(),
            u64::from(reseal.read.0).into(),
            reseal.body.into(),
            u64::from(reseal.key.value()).into(),
            (reseal.added_terms.len() as u64).into(),
            broad.into(),
        ];
        let call = Call::new(&self.scripts.reseal, names, args);
        let reply = self.net.run(self.keys.slot(lane), &call).await;
        let (code, more) = outcome(reply.map_err(|failed| failed.of(operation.id))?)?;
        match code.as_str() {
            "done" => Ok(Resealed::Done),
            "stale" => Ok(Resealed::Stale),
            "missing" => Ok(Resealed::Missing),
            _ => Err(refusal(&code, operation, Some(id), more)),
        }
    }

    pub(super) async fn min_key_version(&self) -> Result<KeyVersion, StoreError> {
        let lanes = self.namespace.lanes().lanes();
        let floors = try_join_all(lanes.map(|lane| self.floor_of(lane))).await?;
        Ok(floors.into_iter().min().unwrap_or_default())
    }

    pub(super) async fn raise_min_key_version(&self, floor: KeyVersion) -> Result<(), StoreError> {
        let raise = async |lane: Lane| {
            let args = vec![Arg::from(u64::from(floor.value()))];
            let call = Call::new(&self.scripts.raise_floor, vec![self.keys.lane(lane)], args);
            self.net.read(self.keys.slot(lane), &call).await
        };
        // What a call raised stays raised: whoever is told of a failure does it again.
        try_join_all(self.namespace.lanes().lanes().map(raise)).await.map(drop)
    }

    async fn floor_of(&self, lane: Lane) -> Result<KeyVersion, StoreError> {
        let call = Call::new(&self.scripts.floor, vec![self.keys.lane(lane)], Vec::new());
        let floor = self.net.read(self.keys.slot(lane), &call).await?.number()?;
        Ok(KeyVersion::new(u16::try_from(floor).unwrap_or(u16::MAX)))
    }
}
