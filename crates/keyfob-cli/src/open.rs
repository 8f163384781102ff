//! Opens the store that the settings name.

use keyfob::store::prelude::*;
use std::sync::Arc;
use std::time::Duration;

use keyfob::limit::LimitStore;
use keyfob::random::OsRandom;
use keyfob::store::{LaneCount, Namespace, NamespaceKey};
use keyfob::{CacheConfig, LocalLimits, MemoryStore, TokenManager, TokenManagerBuilder};
use keyfob_client::{Client, RetryPolicy, Tls};
use keyfob_edge::{EdgeLimits, EdgeStore};
use keyfob_redb::{Access, Options};
use keyfob_redis::RedisStore;
use keyfob_server::config::{Config, EdgeSection};

use crate::args::Settings;
use crate::failure::Failure;
use crate::store_url::StoreUrl;

/// What to do when the store file, or the namespace on Redis, does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum IfMissing {
    Create,
    /// Fail. On Redis, a namespace that does not exist fails with the first call, so that `doctor` can make
    /// its report.
    Fail,
}

/// How a command opens its store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    pub(crate) if_missing: IfMissing,
    /// The rights on a store file.
    pub(crate) access: Access,
    /// How many replicas of Redis have to confirm a revocation, if the command says so.
    pub(crate) wait: Option<u32>,
}

/// Opens the store and builds a manager over it.
pub(crate) async fn manager(
    settings: &Settings,
    Opening { if_missing, access, wait }: Opening,
) -> Result<TokenManager, Failure> {
    let (mut url, if_missing) = match &settings.store {
        Some(url) => (url.parse()?, if_missing),
        // The default path cannot contain a typing error.
        None => (default_store()?, IfMissing::Create),
    };
    if let Some(replicas) = wait {
        url = with_wait(url, replicas)?;
    }
    let manager = builder(settings, open(url, if_missing, access)).await?;
    // One command reads once. A cache would only open a connection for invalidations.
    Ok(manager.cache(CacheConfig::OFF).build())
}

/// Returns a builder over the store that `opening` opens, with the prefix and the keys of the settings.
async fn builder(
    settings: &Settings,
    opening: impl Future<Output = Result<Arc<dyn Store>, Failure>>,
) -> Result<TokenManagerBuilder, Failure> {
    // Read the key ring first: a failure here must not leave a new store behind.
    let ring = match &settings.keys {
        Some(keys) => Some(keys.ring().await?),
        None => None,
    };
    let manager = TokenManager::builder(opening.await?).prefix(settings.prefix.clone());
    Ok(match ring {
        Some(ring) => manager.keys(&ring),
        None => manager,
    })
}

/// Opens the store for a service, and builds a manager that answers from its cache and has the limits of
/// the configuration.
pub(crate) async fn service(settings: &Settings, config: &Config) -> Result<TokenManager, Failure> {
    if let Some(central) = &config.edge.central {
        return edge(central, config).await;
    }
    let url = match &settings.store {
        Some(url) => url.parse()?,
        None => default_store()?,
    };
    // Servers on one Redis count together. Others count for themselves.
    let mut limits: Arc<dyn LimitStore> = Arc::new(LocalLimits::new());
    let opening = async {
        match url {
            // The service keeps the file: no other process may change it, so the cache is right.
            StoreUrl::File(path) => Ok(Arc::new(Options::new().open(path)?) as Arc<dyn Store>),
            StoreUrl::Redis(redis) => {
                let store = Arc::new(RedisStore::open(redis.with_create(true)).await?);
                limits = Arc::clone(&store) as Arc<dyn LimitStore>;
                Ok(store as Arc<dyn Store>)
            }
            StoreUrl::Memory => open(url, IfMissing::Create, Access::Write).await,
        }
    };
    let builder = builder(settings, opening).await?;
    Ok(with_settings(builder, config, limits)?.build())
}

/// How long an edge waits for an answer of its central server.
const CENTRAL_TIMEOUT: Duration = Duration::from_secs(3);

/// Builds a manager whose records are those of a central server.
async fn edge(central: &str, config: &Config) -> Result<TokenManager, Failure> {
    let client = central_client(central, &config.edge, CENTRAL_TIMEOUT)?;
    let limits = Arc::new(EdgeLimits::new(client.clone()));
    let store = EdgeStore::open(client).await?;
    let prefix = store.prefix().parse()?;
    let builder = TokenManager::builder(store).prefix(prefix);
    Ok(with_settings(builder, config, limits)?.build())
}

/// Returns a client of a central server.
pub(crate) fn central_client(
    central: &str,
    edge: &EdgeSection,
    timeout: Duration,
) -> Result<Client, Failure> {
    let usage =
        |message: String| Failure::Usage { code: "invalid_value", message, details: String::new() };
    let mut tls = Tls::new();
    if let Some(path) = &edge.ca {
        let read = std::fs::read(path);
        let what = || path.display().to_string();
        tls = tls.roots_pem(read.map_err(|error| Failure::Input { what: what(), error })?);
    }
    let mut builder = Client::builder(central)
        .user_agent(concat!("keyfob-edge/", env!("CARGO_PKG_VERSION")))
        .timeout(timeout)
        .retry(RetryPolicy::default().max_attempts(2).max_total(timeout))
        .tls(tls);
    builder = match (&edge.key_file, &edge.key) {
        (Some(path), _) => builder.bearer_file(path),
        (None, Some(key)) => builder.bearer(key.expose()),
        (None, None) => builder,
    };
    builder.build().map_err(|error| usage(format!("edge is not valid: {error}")))
}

/// Builds a manager over an empty store in memory.
pub(crate) fn memory(settings: &Settings, config: &Config) -> Result<TokenManager, Failure> {
    let store = MemoryStore::new().map_err(keyfob::Error::from)?;
    let builder = TokenManager::builder(store).prefix(settings.prefix.clone());
    Ok(with_settings(builder, config, Arc::new(LocalLimits::new()))?.build())
}

/// Sets what a service has: limits and the cache.
fn with_settings(
    builder: TokenManagerBuilder,
    config: &Config,
    store: Arc<dyn LimitStore>,
) -> Result<TokenManagerBuilder, Failure> {
    let cache = CacheConfig::default()
        .with_max_tokens(config.cache.max_tokens)
        .with_max_staleness(config.cache.max_staleness);
    Ok(builder.limits(config.limits(store)?).cache(cache))
}

/// Makes revocations wait until so many replicas have them.
fn with_wait(url: StoreUrl, replicas: u32) -> Result<StoreUrl, Failure> {
    match url {
        StoreUrl::Redis(config) => Ok(StoreUrl::Redis(Box::new(config.with_wait(replicas)))),
        StoreUrl::Memory | StoreUrl::File(_) => Err(Failure::Usage {
            code: "usage",
            message: "--wait is for Redis: this store has no replicas".to_owned(),
            details: String::new(),
        }),
    }
}

async fn open(
    url: StoreUrl,
    if_missing: IfMissing,
    access: Access,
) -> Result<Arc<dyn Store>, Failure> {
    Ok(match url {
        StoreUrl::Memory => Arc::new(MemoryStore::new().map_err(keyfob::Error::from)?),
        StoreUrl::File(path) => {
            let options = Options::new().create(if_missing == IfMissing::Create).access(access);
            // A command that stays must not keep another one from revoking.
            Arc::new(options.shared(true).open(path)?)
        }
        StoreUrl::Redis(config) => {
            let create = if_missing == IfMissing::Create;
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
