//! Replacing the sealed form of records, and the lowest key version, which each lane stores for itself.

use futures_util::future::try_join_all;
use keyfob_store::{KeyVersion, Lane, NewRecord, Operation, Reseal, Resealed, StoreError};

use super::insert::are_broad;
use super::outcome::failure;
use super::shared::Shared;
use crate::connections::Call;
use crate::keys;
use crate::protocol::arg::Arg;
use crate::protocol::constants::reply;
use crate::protocol::signatures::{min_key_version, raise_min_key_version, reseal};

impl Shared {
    pub(super) async fn reseal(
        &self,
        operation: Operation,
        reseal: Reseal,
    ) -> Result<Resealed, StoreError> {
        let (id, lane) = (reseal.id, reseal.id.lane());
        NewRecord::check_body(&reseal.body)?;
        let terms = || reseal.added_terms.iter().chain(&reseal.former_terms);
        let mut keys =
            Vec::from(reseal::Keys { lane: self.keys.lane(lane), record: self.keys.record(id) });
        keys.extend(terms().map(|term| self.keys.head(lane, *term)));
        let args = reseal::Args {
            namespace: self.lane_tag(),
            create_lane_until: self.create_lane_until(),
            deadline: Arg::Local(operation.deadline),
            id_suffix: keys::id_suffix(id)[..].into(),
            version: u64::from(reseal.read.0).into(),
            key_version: u64::from(reseal.key.value()).into(),
            added_count: reseal.added_terms.len().into(),
            are_broad: are_broad(terms()).into(),
            body: reseal.body.into(),
        };
        let mut call = Call::new(&self.scripts.reseal, keys, args);
        let sent = self.write(lane, &mut call).await;
        let outcome = sent.map_err(|failed| failed.of(operation.id))?;
        match outcome.code() {
            reply::APPLIED => Ok(Resealed::Done),
            reply::STALE => Ok(Resealed::Stale),
            reply::MISSING => Ok(Resealed::Missing),
            _ => Err(failure(outcome, operation, Some(id))),
        }
    }

    pub(super) async fn min_key_version(&self) -> Result<KeyVersion, StoreError> {
        let lanes = self.namespace.lanes().lanes();
        let versions = try_join_all(lanes.map(|lane| self.min_key_version_of(lane))).await?;
        Ok(versions.into_iter().min().unwrap_or_default())
    }

    pub(super) async fn raise_min_key_version(&self, min: KeyVersion) -> Result<(), StoreError> {
        let raise = async |lane: Lane| {
            let keys = raise_min_key_version::Keys { lane: self.keys.lane(lane) };
            let args = raise_min_key_version::Args {
                namespace: self.lane_tag(),
                create_lane_until: self.create_lane_until(),
                key_version: u64::from(min.value()).into(),
            };
            let mut call = Call::new(&self.scripts.raise_min_key_version, keys, args);
            self.write(lane, &mut call).await.map_err(|failed| failed.error)
        };
        // What a call has raised stays raised, so the caller can repeat the whole after an error.
        try_join_all(self.namespace.lanes().lanes().map(raise)).await.map(drop)
    }

    async fn min_key_version_of(&self, lane: Lane) -> Result<KeyVersion, StoreError> {
        let keys = min_key_version::Keys { lane: self.keys.lane(lane) };
        let call = Call::new(&self.scripts.min_key_version, keys, []);
        let version = self.connections.read(self.keys.slot(lane), &call).await?.number()?;
        Ok(KeyVersion::new(u16::try_from(version).unwrap_or(u16::MAX)))
    }
}
