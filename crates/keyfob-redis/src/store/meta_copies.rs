//! The copies of the meta key: one in the slot of each lane, in a cluster.
//!
//! Without them, no node could decide anything while the shard of the meta key is away. With them, a lane is
//! usable as long as its own shard is. The rules:
//!
//! - The meta key decides which namespace exists. It is created with `NX`, and only after every lane was
//!   found to have no copy. So while one copy is there, no other namespace is created.
//! - A copy that is missing or different is written by a node that saw the meta key at most
//!   [`CREATE_LANE_WITHIN`] ago.
//! - A node creates a lane only after it has seen the copy of that lane, or has written it. So no node of
//!   another namespace has revoked anything in a lane before the copy was seen there.
//! - A node that finds no meta key, but copies that agree, writes the meta key again.
//!
//! A store of an older version has no copies. They are written when it is opened.

use std::sync::Arc;

use futures_util::future::join_all;
use keyfob_store::{Lane, LaneCount, MonotonicInstant, StoreError, Ttl};

use super::shared::Shared;
use crate::config::{RedisConfig, Topology};
use crate::connections::{Call, Connections};
use crate::keys::Keys;
use crate::namespace_guard::CREATE_LANE_WITHIN;
use crate::protocol::arg::Arg;
use crate::protocol::signatures::Scripts;
use crate::protocol::signatures::{namespace_meta, write_meta_copy};

/// What the copies of the meta key hold.
#[derive(Debug, Default)]
pub(super) struct MetaCopies {
    /// The values that differ. Usually there is one.
    values: Vec<Vec<u8>>,
    /// The number of lanes without a copy.
    pub(super) missing: usize,
    /// The number of lanes that cannot be read, and the first error.
    pub(super) unreadable: usize,
    first_error: Option<StoreError>,
}

/// Whether the servers of this topology have copies of the meta key.
pub(super) fn has_copies(config: &RedisConfig) -> bool {
    matches!(config.topology, Topology::Cluster(_))
}

impl MetaCopies {
    /// Returns the description that all readable copies agree on.
    pub(super) fn agreed(&self) -> Option<&[u8]> {
        match self.values.as_slice() {
            [value] => Some(value),
            _ => None,
        }
    }

    /// Returns whether copies of several namespaces were found.
    pub(super) fn disagree(&self) -> bool {
        self.values.len() > 1
    }

    /// Checks that every lane was read.
    ///
    /// # Errors
    /// The first error of a lane that cannot be read.
    pub(super) fn complete(self) -> Result<(), StoreError> {
        self.first_error.map_or(Ok(()), Err)
    }

    fn add(&mut self, copy: Result<Option<Vec<u8>>, StoreError>) {
        match copy {
            Ok(Some(value)) if self.values.contains(&value) => {}
            Ok(Some(value)) => self.values.push(value),
            Ok(None) => self.missing += 1,
            Err(error) => {
                self.unreadable += 1;
                self.first_error.get_or_insert(error);
            }
        }
    }
}

/// Reads the copies of a namespace whose number of lanes may differ from `lanes`. The tags of any number of
/// lanes from four on include the same four tags, which are in four quarters of the slots. So copies are
/// found on most shards.
pub(super) async fn read_copies(
    config: &RedisConfig,
    connections: &Arc<Connections>,
    scripts: &Scripts,
    lanes: LaneCount,
) -> MetaCopies {
    if !has_copies(config) {
        return MetaCopies::default();
    }
    let keys = &Keys::new(&config.namespace, lanes);
    let copies = lanes.lanes().map(|lane| read_copy(connections, scripts, keys, lane));
    let mut found = MetaCopies::default();
    join_all(copies).await.into_iter().for_each(|copy| found.add(copy));
    found
}

async fn read_copy(
    connections: &Arc<Connections>,
    scripts: &Scripts,
    keys: &Keys,
    lane: Lane,
) -> Result<Option<Vec<u8>>, StoreError> {
    let meta = keys.meta_copy(lane);
    let args = namespace_meta::Args { created: Vec::new().into() };
    let call = Call::new(&scripts.namespace_meta, namespace_meta::Keys { meta }, args);
    connections.read(keys.slot(lane), &call).await?.optional()
}

impl Shared {
    pub(super) fn has_copies(&self) -> bool {
        has_copies(&self.config)
    }

    /// Reads the copies of all lanes.
    pub(super) async fn meta_copies(&self) -> MetaCopies {
        let lanes = self.namespace.lanes();
        read_copies(&self.config, &self.connections, &self.scripts, lanes).await
    }

    /// Makes sure that a lane belongs to the namespace: by its copy, or else by the meta key.
    ///
    /// # Errors
    /// [`StoreError::NamespaceLost`] if the servers do not hold the namespace that this node opened.
    pub(super) async fn find_namespace_in(&self, lane: Lane) -> Result<(), StoreError> {
        if !self.has_copies() {
            return self.find_namespace().await;
        }
        self.guard.check()?;
        let sent = MonotonicInstant::now();
        let copy = read_copy(&self.connections, &self.scripts, &self.keys, lane).await?;
        if self.guard.note_copy(&[lane], copy.as_deref(), sent) {
            return self.guard.check();
        }
        self.find_namespace().await?;
        if self.write_copy(lane).await? {
            return Ok(());
        }
        Err(StoreError::unavailable(
            "the copy of the namespace's description could not be written in time",
        ))
    }

    /// Writes the copies that are missing or different. The meta key was seen a moment before. What fails
    /// is tried again when the copy is looked at.
    pub(super) async fn write_copies(&self) {
        if !self.has_copies() || !self.config.create || self.guard.check().is_err() {
            return;
        }
        let written = self.namespace.lanes().lanes().map(|lane| self.write_copy(lane));
        for outcome in join_all(written).await {
            if let Err(error) = outcome {
                tracing::debug!(%error, "a copy of the namespace's description cannot be written");
            }
        }
    }

    /// Writes the copy of a lane if it is missing or different. Returns false if the meta key was seen too
    /// long ago.
    async fn write_copy(&self, lane: Lane) -> Result<bool, StoreError> {
        if !self.config.create {
            // A store that is opened to read writes nothing. The meta key was seen.
            return Ok(true);
        }
        let seen = self.guard.meta_seen().as_nanos();
        let age = MonotonicInstant::now().as_nanos().saturating_sub(seen).div_ceil(1_000_000);
        let write_until =
            (self.now() + CREATE_LANE_WITHIN).saturating_sub(Ttl::saturating_from_millis(age));
        let keys = write_meta_copy::Keys { copy: self.keys.meta_copy(lane) };
        let args = write_meta_copy::Args {
            meta: self.guard.meta().into(),
            write_until: Arg::Local(write_until),
        };
        let call = Call::new(&self.scripts.write_meta_copy, keys, args);
        Ok(self.connections.read(self.keys.slot(lane), &call).await?.number()? == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::lane_tags;

    #[test]
    fn copies_are_found_without_knowing_the_number_of_lanes() {
        for count in (4..=1024).step_by(7).chain([5, 12, 64, 128, 1024]) {
            let tags = lane_tags(LaneCount::new(count).unwrap());
            for tag in ["0", "1", "2", "3"] {
                assert!(tags.iter().any(|known| known == tag), "{count} lanes have no {tag}");
            }
        }
        for (count, tag) in [(1, "0"), (2, "0"), (3, "0")] {
            let tags = lane_tags(LaneCount::new(count).unwrap());
            assert!(tags.iter().any(|known| known == tag), "{count} lanes");
        }
        let quarters = ["0", "1", "2", "3"].map(|tag| crate::slot::slot_of(tag.as_bytes()) / 4096);
        assert_eq!(quarters, [3, 2, 1, 0]);
    }

    #[test]
    fn only_copies_that_agree_name_a_namespace() {
        let read = |copies: &[Option<&[u8]>]| {
            let mut found = MetaCopies::default();
            copies.iter().for_each(|copy| found.add(Ok(copy.map(<[u8]>::to_vec))));
            found
        };
        assert_eq!(read(&[None, None]).agreed(), None);
        assert_eq!(read(&[Some(b"a"), None, Some(b"a")]).agreed(), Some(&b"a"[..]));
        let torn = read(&[Some(b"a"), Some(b"b")]);
        assert!(torn.agreed().is_none() && torn.disagree());
        let mut partly = read(&[None]);
        partly.add(Err(StoreError::unavailable("away")));
        assert_eq!((partly.missing, partly.unreadable), (1, 1));
        assert!(partly.complete().is_err());
    }
}
