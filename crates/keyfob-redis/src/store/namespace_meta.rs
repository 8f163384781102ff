//! The description of a namespace, written when it is created. It is one string, so two nodes that create
//! the namespace at the same time agree on all of it.
//!
//! `keyfob` · format (1) · version of the tag table (1) · lanes (2) · namespace key (32) ·
//! time of creation in milliseconds (8)

use std::sync::Arc;

use futures_util::future::{join, try_join_all};
use keyfob_store::{
    Clock, LaneCount, MonotonicInstant, Namespace, NamespaceKey, OsRandom, StoreError, Timestamp,
};
use zeroize::Zeroizing;

use super::meta_copies;
use crate::config::{RedisConfig, WhenEmptied, misconfigured};
use crate::connections::{Call, Connections, next};
use crate::keys::Keys;
use crate::namespace_guard::NamespaceState;
use crate::protocol::signatures::Scripts;
use crate::protocol::signatures::{lane_owner, namespace_meta};
use crate::slot::{self, TAG_TABLE};

const MAGIC: &[u8] = b"keyfob";
/// The format that this code writes; it reads no newer one. In format 1, token ids may lack the code of
/// their namespace.
const FORMAT: u8 = 2;
/// The first format in which every token id has the code of its namespace.
const FORMAT_OF_ID_MACS: u8 = 2;

/// The description of a namespace.
pub(super) struct NamespaceMeta {
    pub(super) namespace: Namespace,
    pub(super) created: Timestamp,
    /// The description as it is stored.
    pub(super) value: Zeroizing<Vec<u8>>,
    /// When the request was sent that read it.
    pub(super) seen: MonotonicInstant,
    /// Whether the servers hold it. A node that may not create the namespace continues without it.
    pub(super) state: NamespaceState,
    /// Whether a lane may lack its copy.
    pub(super) lacks_copies: bool,
}

/// The namespace that a lane belongs to.
#[derive(Debug)]
pub(super) enum LaneOwner {
    /// There is no such lane.
    NoLane,
    /// The lane was written by an older version, which wrote no tag.
    Unknown,
    /// The namespace with this tag.
    Tagged(Vec<u8>),
}

pub(super) async fn open(
    config: &RedisConfig,
    connections: &Arc<Connections>,
    scripts: &Scripts,
) -> Result<NamespaceMeta, StoreError> {
    let mut seen = MonotonicInstant::now();
    let lanes = config.lanes.unwrap_or(LaneCount::DEFAULT);
    let meta = read_value(config, connections, scripts, Vec::new());
    let (meta, copies) =
        join(meta, meta_copies::read_copies(config, connections, scripts, lanes)).await;
    let copy = copies.agreed().map(<[u8]>::to_vec);
    let is_away = matches!(meta, Err(StoreError::Unavailable { .. }));
    let lacks_copies = meta_copies::has_copies(config) && !is_away;
    let (value, state) = match (meta, copy) {
        (Ok(Some(found)), _) => (found, NamespaceState::Present),
        // The shard of the meta key is away, or came back empty. The other shards know the namespace.
        (Err(error), Some(copy)) if is_away => {
            tracing::warn!(store = %config, %error, "the namespace is known by its copies only");
            (copy, NamespaceState::Present)
        }
        (Ok(None), Some(copy)) if !config.create => (copy, NamespaceState::Present),
        (Ok(None), Some(copy)) => {
            seen = MonotonicInstant::now();
            let found = read_value(config, connections, scripts, copy).await?;
            (found.unwrap_or_default(), NamespaceState::Present)
        }
        (Err(error), _) => return Err(error),
        (Ok(None), None) if copies.disagree() => return Err(lost(config)),
        (Ok(None), None) if !config.create => {
            let owners = lane_owners(config, connections, scripts, lanes).await.unwrap_or_default();
            let is_absent = owners.iter().all(|owner| matches!(owner, LaneOwner::NoLane));
            let state = if is_absent { NamespaceState::Absent } else { NamespaceState::Missing };
            (created(lanes, config.clock.now())?.to_vec(), state)
        }
        (Ok(None), None) => {
            // A shard that cannot be read may know the namespace.
            copies.complete()?;
            check_absent(config, connections, scripts, lanes).await?;
            let value = created(lanes, config.clock.now())?;
            seen = MonotonicInstant::now();
            let found = read_value(config, connections, scripts, value.to_vec()).await?;
            (found.unwrap_or_default(), NamespaceState::Present)
        }
    };
    let value = Zeroizing::new(value);
    let (namespace, created) = read(config, &value)?;
    match config.lanes {
        Some(lanes) if lanes != namespace.lanes() => Err(misconfigured(format!(
            "{config} was created with {} lanes, not {}: remove the option, or use another \
             namespace, such as ?namespace=other",
            namespace.lanes().get(),
            lanes.get()
        ))),
        _ => Ok(NamespaceMeta { namespace, created, value, seen, state, lacks_copies }),
    }
}

/// Returns the value of the meta key. Writes it first if there is none and `created` is not empty.
pub(super) async fn read_value(
    config: &RedisConfig,
    connections: &Arc<Connections>,
    scripts: &Scripts,
    created: Vec<u8>,
) -> Result<Option<Vec<u8>>, StoreError> {
    let meta = Keys::meta(&config.namespace);
    let slot = slot::slot_of(&meta);
    let args = namespace_meta::Args { created: created.into() };
    let call = Call::new(&scripts.namespace_meta, namespace_meta::Keys { meta }, args);
    connections.read(slot, &call).await?.optional()
}

/// Checks that the namespace may be created: that there are no lanes which have lost their meta key. A new
/// meta key has another namespace key, so revocations would not find the existing tokens. Lanes with a tag
/// could not be mistaken for lanes of the new namespace, so the operator may allow to give them up.
async fn check_absent(
    config: &RedisConfig,
    connections: &Arc<Connections>,
    scripts: &Scripts,
    lanes: LaneCount,
) -> Result<(), StoreError> {
    let owners = lane_owners(config, connections, scripts, lanes).await?;
    let gives_up = config.when_emptied == WhenEmptied::Recreate;
    let is_in_the_way = |owner: &LaneOwner| match owner {
        LaneOwner::NoLane => false,
        LaneOwner::Unknown => true,
        LaneOwner::Tagged(_) => !gives_up,
    };
    if owners.iter().any(is_in_the_way)
        // Another node may just have created it and its first lanes.
        && read_value(config, connections, scripts, Vec::new()).await?.is_none()
    {
        return Err(lost(config));
    }
    Ok(())
}

/// Returns the owner of each lane.
pub(super) async fn lane_owners(
    config: &RedisConfig,
    connections: &Arc<Connections>,
    scripts: &Scripts,
    lanes: LaneCount,
) -> Result<Vec<LaneOwner>, StoreError> {
    let keys = &Keys::new(&config.namespace, lanes);
    let owners = lanes.lanes().map(|lane| async move {
        let call = Call::new(&scripts.lane_owner, lane_owner::Keys { lane: keys.lane(lane) }, []);
        let mut parts = connections.read(keys.slot(lane), &call).await?.array()?.into_iter();
        let (sequence, tag) = (next(&mut parts)?.optional()?, next(&mut parts)?.optional()?);
        Ok(match (sequence, tag) {
            (None, _) => LaneOwner::NoLane,
            (Some(_), None) => LaneOwner::Unknown,
            (Some(_), Some(tag)) => LaneOwner::Tagged(tag),
        })
    });
    try_join_all(owners).await
}

fn lost(config: &RedisConfig) -> StoreError {
    StoreError::NamespaceLost { what: config.to_string(), detail: lost_meta(config) }
}

/// Says what lanes without a meta key are, and what to do about them.
pub(super) fn lost_meta(config: &RedisConfig) -> String {
    format!(
        "it has lanes, but its key '{}' is gone: a part of the data was lost. Restore the key from a backup. \
         Or let a running node that knows it write it again, or a new one give the old tokens up: open \
         the store with when_emptied=recreate. Or use another namespace, such as ?namespace=other",
        String::from_utf8_lossy(&Keys::meta(&config.namespace))
    )
}

fn created(lanes: LaneCount, at: Timestamp) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let key = NamespaceKey::draw(&OsRandom)?;
    let mut value = Zeroizing::new(Vec::with_capacity(50));
    value.extend_from_slice(MAGIC);
    value.extend_from_slice(&[FORMAT, TAG_TABLE]);
    value.extend_from_slice(&lanes.get().to_be_bytes());
    value.extend_from_slice(key.as_bytes());
    value.extend_from_slice(&at.as_millis().to_be_bytes());
    Ok(value)
}

fn read(config: &RedisConfig, value: &[u8]) -> Result<(Namespace, Timestamp), StoreError> {
    let what = || config.to_string();
    let not_ours = |detail: &str| StoreError::NotAStore { what: what(), detail: detail.to_owned() };
    let Some([format, tags, rest @ ..]) = value.strip_prefix(MAGIC) else {
        return Err(not_ours("its meta key holds a value that is not keyfob's"));
    };
    for (found, known) in [(*format, FORMAT), (*tags, TAG_TABLE)] {
        if found > known {
            let (found, known) = (u32::from(found), u32::from(known));
            return Err(StoreError::NewerFormat { what: what(), found, known });
        }
    }
    let damaged = || not_ours("its meta key is damaged: restore it from a backup");
    let (lanes, rest) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
    let lanes = LaneCount::new(u16::from_be_bytes(*lanes)).map_err(|_| damaged())?;
    let (key, at) = rest.split_first_chunk::<32>().ok_or_else(damaged)?;
    let at = u64::from_be_bytes(at.try_into().map_err(|_| damaged())?);
    let mut namespace = Namespace::new(lanes, NamespaceKey::from_bytes(*key));
    if *format >= FORMAT_OF_ID_MACS {
        namespace = namespace.require_id_macs();
    }
    Ok((namespace, Timestamp::from_millis(at)))
}

#[cfg(test)]
mod tests {
    use keyfob_store::{IdOrigin, Lane, TokenId};

    use super::*;

    #[test]
    fn a_description_reads_back_and_anything_else_is_an_error() {
        let config: RedisConfig = "redis://h".parse().unwrap();
        let at = Timestamp::from_millis(1_795_000_000_000);
        let value = created(LaneCount::DEFAULT, at).unwrap();
        let (namespace, created_at) = read(&config, &value).unwrap();
        assert_eq!((namespace.lanes(), created_at), (LaneCount::DEFAULT, at));
        let code = |value: &[u8]| read(&config, value).err().map(|error| error.code());
        assert_eq!(code(b"something"), Some("not_a_store"));
        assert_eq!(code(&value[..40]), Some("not_a_store"));
        // A description of the first format, whose namespace may have ids without a code.
        let mut older = value.clone();
        older[6] = 1;
        let without_code = TokenId::draw(at, Lane::new(3), &OsRandom).unwrap();
        let origin = |value: &[u8]| read(&config, value).unwrap().0.origin_of(without_code);
        assert_eq!(origin(&older), IdOrigin::Unproven);
        assert_eq!(origin(&value), IdOrigin::Foreign);
        let mut newer = value;
        newer[6] = 9;
        assert_eq!(code(&newer), Some("newer_format"));
    }
}
