//! The description of a namespace, written when it is created. It is one string, so two nodes that create
//! the namespace at the same time agree on all of it.
//!
//! `keyfob` · format (1) · version of the tag table (1) · lanes (2) · namespace key (32) ·
//! time of creation in milliseconds (8)

use futures_util::future::try_join_all;
use keyfob_store::{Clock, LaneCount, Namespace, NamespaceKey, OsRandom, StoreError, Timestamp};
use zeroize::Zeroizing;

use crate::config::{RedisConfig, misconfigured};
use crate::connections::{Call, Connections};
use crate::keys::Keys;
use crate::protocol::signatures::Scripts;
use crate::protocol::signatures::{key_exists, namespace_meta};
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
}

pub(super) async fn open(
    config: &RedisConfig,
    connections: &Connections,
    scripts: &Scripts,
) -> Result<NamespaceMeta, StoreError> {
    let key = Keys::meta(&config.namespace);
    let slot = slot::slot_of(&key);
    let call = |created: Vec<u8>| {
        let keys = namespace_meta::Keys { meta: key.clone() };
        Call::new(&scripts.namespace_meta, keys, namespace_meta::Args { created: created.into() })
    };
    let found = match connections.read(slot, &call(Vec::new())).await?.optional()? {
        Some(found) => found,
        None => {
            let lanes = config.lanes.unwrap_or(LaneCount::DEFAULT);
            if has_lanes(config, connections, scripts, lanes).await?
                // Another node may just have created it and its first lanes.
                && connections.read(slot, &call(Vec::new())).await?.is_nil()
            {
                return Err(lost(config, &key));
            }
            connections
                .read(slot, &call(created(lanes, config.clock.now())?.to_vec()))
                .await?
                .bytes()?
        }
    };
    let meta = read(config, &Zeroizing::new(found))?;
    match config.lanes {
        Some(lanes) if lanes != meta.namespace.lanes() => Err(misconfigured(format!(
            "{config} was created with {} lanes, not {}: remove the option, or use another \
             namespace, such as ?namespace=other",
            meta.namespace.lanes().get(),
            lanes.get()
        ))),
        _ => Ok(meta),
    }
}

/// Returns whether any lane of the namespace exists. If so, the namespace has lost its meta key. A new meta
/// key would have another namespace key, so revocations would not find the existing tokens.
async fn has_lanes(
    config: &RedisConfig,
    connections: &Connections,
    scripts: &Scripts,
    lanes: LaneCount,
) -> Result<bool, StoreError> {
    let keys = &Keys::new(&config.namespace, lanes);
    let found = lanes.lanes().map(|lane| async move {
        let call = Call::new(&scripts.key_exists, key_exists::Keys { key: keys.lane(lane) }, []);
        connections.read(keys.slot(lane), &call).await?.number()
    });
    Ok(try_join_all(found).await?.into_iter().any(|found| found > 0))
}

fn lost(config: &RedisConfig, key: &[u8]) -> StoreError {
    let detail = format!(
        "it has lanes, but its key '{}' is missing: restore the key from a backup, or use another \
         namespace, such as ?namespace=other, which has none of the old tokens",
        String::from_utf8_lossy(key)
    );
    StoreError::NotAStore { what: config.to_string(), detail }
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

fn read(config: &RedisConfig, value: &[u8]) -> Result<NamespaceMeta, StoreError> {
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
    Ok(NamespaceMeta { namespace, created: Timestamp::from_millis(at) })
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
        let meta = read(&config, &value).unwrap();
        assert_eq!((meta.namespace.lanes(), meta.created), (LaneCount::DEFAULT, at));
        let code = |value: &[u8]| read(&config, value).err().map(|error| error.code());
        assert_eq!(code(b"something"), Some("not_a_store"));
        assert_eq!(code(&value[..40]), Some("not_a_store"));
        // A description of the first format, whose namespace may have ids without a code.
        let mut older = value.clone();
        older[6] = 1;
        let without_code = TokenId::draw(at, Lane::new(3), &OsRandom).unwrap();
        let origin = |value: &[u8]| read(&config, value).unwrap().namespace.origin_of(without_code);
        assert_eq!(origin(&older), IdOrigin::Unproven);
        assert_eq!(origin(&value), IdOrigin::Foreign);
        let mut newer = value;
        newer[6] = 9;
        assert_eq!(code(&newer), Some("newer_format"));
    }
}
