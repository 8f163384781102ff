//! Opens the store that the settings name.

use keyfob::store::prelude::*;
use std::sync::Arc;

use keyfob::limit::LimitStore;
use keyfob::random::OsRandom;
use keyfob::store::{LaneCount, Namespace, NamespaceKey};
use keyfob::{CacheConfig, LocalLimits, MemoryStore, TokenManager};
use keyfob_redb::Options;
use keyfob_redis::RedisStore;

use crate::args::Settings;
use crate::failure::Failure;
use crate::store_url::StoreUrl;

/// What to do when the store file does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum IfMissing {
    Create,
    Fail,
    /// Fail too, but open servers that do not have the namespace, for their report.
    Inspect,
}

/// Opens the store and builds a manager over it.
pub(crate) async fn manager(
    settings: &Settings,
    if_missing: IfMissing,
) -> Result<TokenManager, Failure> {
    let (url, if_missing) = match &settings.store {
        Some(url) => (url.parse()?, if_missing),
        // The default path cannot contain a typing error.
        None => (default_store()?, IfMissing::Create),
    };
    // Read the key ring first: a failure here must not leave a new store behind.
    let ring = match &settings.keys {
        Some(keys) => Some(keys.ring().await?),
        None => None,
    };
    let store = open(url, if_missing).await?;
    let manager = TokenManager::builder(store)
        .prefix(settings.prefix.clone())
        // One command reads once. A cache would only open a connection for invalidations.
        .cache(CacheConfig::OFF);
    Ok(match ring {
        Some(ring) => manager.keys(&ring).build(),
        None => manager.build(),
    })
}

async fn open(url: StoreUrl, if_missing: IfMissing) -> Result<Arc<dyn Store>, Failure> {
    Ok(match url {
        StoreUrl::Memory => Arc::new(MemoryStore::new().map_err(keyfob::Error::from)?),
        StoreUrl::File(path) => {
            Arc::new(Options::new().create(if_missing == IfMissing::Create).open(path)?)
        }
        StoreUrl::Redis(config) => {
            let create = if_missing != IfMissing::Inspect;
            Arc::new(RedisStore::open(config.with_create(create)).await?)
        }
    })
}

/// A limit store, with what a limiter over it needs.
#[derive(Debug)]
pub(crate) struct OpenLimitStore {
    pub(crate) store: Arc<dyn LimitStore>,
    /// The namespace whose key blinds the limit keys.
    pub(crate) namespace: Namespace,
    /// Whether other processes count in the same store.
    pub(crate) is_shared: bool,
}

/// Opens the limit store: Redis if the settings name one, otherwise the memory of this process.
pub(crate) async fn limits(settings: &Settings) -> Result<OpenLimitStore, Failure> {
    let url = settings.store.as_deref().map(str::parse).transpose()?;
    if let Some(StoreUrl::Redis(config)) = url {
        let store = Arc::new(RedisStore::open(*config).await?);
        let namespace = store.namespace().clone();
        return Ok(OpenLimitStore { store, namespace, is_shared: true });
    }
    let key = NamespaceKey::draw(&OsRandom).map_err(keyfob::Error::from)?;
    let namespace = Namespace::new(LaneCount::ONE, key);
    Ok(OpenLimitStore { store: Arc::new(LocalLimits::new()), namespace, is_shared: false })
}

fn default_store() -> Result<StoreUrl, Failure> {
    let directory = dirs::data_dir().ok_or(Failure::NoDataDirectory)?;
    Ok(StoreUrl::File(directory.join("keyfob").join("tokens.redb")))
}
