//! The store: from its URL to a manager over it.

use keyfob::store::prelude::*;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use keyfob::limit::LimitStore;
use keyfob::{
    CacheConfig, LaneCount, LocalLimits, MemoryStore, Namespace, NamespaceKey, OsRandom,
    TokenManager,
};
use keyfob_redb::Options;
use keyfob_redis::{RedisConfig, RedisStore};

use crate::args::Settings;
use crate::failure::Failure;

/// Where tokens are kept, as a URL names it.
#[derive(Debug)]
pub(crate) enum StoreUrl {
    Memory,
    File(PathBuf),
    Redis(Box<RedisConfig>),
}

/// A text that names no store. It does not hold the text, which may have a password in it.
#[derive(Debug, thiserror::Error)]
#[error("--store or KEYFOB_STORE names no store: {problem}")]
pub(crate) struct WrongUrl {
    problem: String,
}

/// Whether a store that is not there yet is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Missing {
    Make,
    Refuse,
}

impl WrongUrl {
    /// The forms that are accepted.
    pub(crate) const FORMS: &'static str = "\
The forms are:
  file:tokens.redb                           a file, by a relative path
  file:/var/lib/keyfob/tokens.redb           a file, by an absolute path
  memory:                                    nothing is kept when the command ends
  redis://:password@host:6379/0              one Redis or Valkey server; rediss:// with TLS
  redis+cluster://a:6379,b:6379              a cluster; rediss+cluster:// with TLS
  redis+sentinel://s1:26379,s2:26379/primary a primary under Sentinel; rediss+sentinel:// with TLS";

    fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into() }
    }
}

impl FromStr for StoreUrl {
    type Err = WrongUrl;

    fn from_str(text: &str) -> Result<Self, WrongUrl> {
        if text.is_empty() {
            return Err(WrongUrl::new("it is empty"));
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(WrongUrl::new("it has no scheme: for a file, write file: before its path"));
        };
        if text.chars().any(char::is_control) {
            return Err(WrongUrl::new("it holds a control character"));
        }
        match scheme {
            "memory" if rest.is_empty() => Ok(Self::Memory),
            "memory" => Err(WrongUrl::new("nothing may follow memory:")),
            "file" => file(rest),
            "redis" | "rediss" | "redis+cluster" | "rediss+cluster" | "redis+sentinel"
            | "rediss+sentinel" => match text.parse() {
                Ok(config) => Ok(Self::Redis(Box::new(config))),
                Err(error) => Err(WrongUrl::new(error.to_string())),
            },
            _ => Err(WrongUrl::new("its scheme is not known")),
        }
    }
}

fn file(rest: &str) -> Result<StoreUrl, WrongUrl> {
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(path) if path.starts_with('/') => path,
        Some(_) => {
            return Err(WrongUrl::new(
                "file:// is followed by an absolute path, as in file:///var/lib/tokens.redb",
            ));
        }
    };
    if path.is_empty() {
        return Err(WrongUrl::new("no path follows file:"));
    }
    Ok(StoreUrl::File(path.into()))
}

/// Opens the store that the settings name.
pub(crate) async fn manager(
    settings: &Settings,
    missing: Missing,
) -> Result<TokenManager, Failure> {
    let (url, missing) = match &settings.store {
        Some(url) => (url.parse()?, missing),
        // Nobody can have mistyped the default.
        None => (default_store()?, Missing::Make),
    };
    // A ring that cannot be had is no reason to make a store.
    let ring = match &settings.keys {
        Some(keys) => Some(keys.ring().await?),
        None => None,
    };
    let store = open(url, missing).await?;
    let manager = TokenManager::builder(store)
        .prefix(settings.prefix.clone())
        // One command asks once: a cache would only open a connection for its feed.
        .cache(CacheConfig::OFF);
    Ok(match ring {
        Some(ring) => manager.keys(&ring).build(),
        None => manager.build(),
    })
}

async fn open(url: StoreUrl, missing: Missing) -> Result<Arc<dyn Store>, Failure> {
    Ok(match url {
        StoreUrl::Memory => Arc::new(MemoryStore::new().map_err(keyfob::Error::from)?),
        StoreUrl::File(path) => {
            Arc::new(Options::new().create(missing == Missing::Make).open(path)?)
        }
        StoreUrl::Redis(config) => Arc::new(RedisStore::open(*config).await?),
    })
}

/// Where limits are counted, as the settings name it.
#[derive(Debug)]
pub(crate) struct LimitStoreOf {
    pub(crate) store: Arc<dyn LimitStore>,
    /// Its keys are blinded by this one's key.
    pub(crate) namespace: Namespace,
    /// Whether other processes count there too.
    pub(crate) is_shared: bool,
}

/// Opens where limits are counted: a Redis that is named, or else this process.
pub(crate) async fn limits(settings: &Settings) -> Result<LimitStoreOf, Failure> {
    let url = settings.store.as_deref().map(str::parse).transpose()?;
    if let Some(StoreUrl::Redis(config)) = url {
        let store = Arc::new(RedisStore::open(*config).await?);
        let namespace = store.namespace().clone();
        return Ok(LimitStoreOf { store, namespace, is_shared: true });
    }
    let key = NamespaceKey::draw(&OsRandom).map_err(keyfob::Error::from)?;
    let namespace = Namespace::new(LaneCount::ONE, key);
    Ok(LimitStoreOf { store: Arc::new(LocalLimits::new()), namespace, is_shared: false })
}

fn default_store() -> Result<StoreUrl, Failure> {
    let directory = dirs::data_dir().ok_or(Failure::NoDataDirectory)?;
    Ok(StoreUrl::File(directory.join("keyfob").join("tokens.redb")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_stores() {
        let path = |text: &str| match text.parse() {
            Ok(StoreUrl::File(path)) => path,
            other => panic!("{text} is {other:?}"),
        };
        assert!(matches!("memory:".parse(), Ok(StoreUrl::Memory)));
        assert_eq!(path("file:tokens.redb"), PathBuf::from("tokens.redb"));
        assert_eq!(path("file:/var/tokens.redb"), PathBuf::from("/var/tokens.redb"));
        assert_eq!(path("file:///var/tokens.redb"), PathBuf::from("/var/tokens.redb"));
        for text in
            ["redis://h", "rediss://u:p@h:1/2", "redis+cluster://a,b", "redis+sentinel://s/p"]
        {
            assert!(matches!(text.parse(), Ok(StoreUrl::Redis(_))), "{text}");
        }
    }

    #[test]
    fn what_names_no_store_is_refused_without_being_repeated() {
        for text in [
            "",
            "tokens.redb",
            "file:",
            "file://host/x",
            "file:\n",
            "memory:x",
            "http://u:hunter2@h",
            "redis:hunter2",
            "redis://u:hunter2@h:port",
            "redis://u:hunter2@h/x?hunter2=1",
        ] {
            let refused = text.parse::<StoreUrl>().unwrap_err();
            assert!(!refused.to_string().contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let url: StoreUrl = "redis://u:hunter2@h".parse().unwrap();
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
