//! The URL of a store, as `--store` and `KEYFOB_STORE` give it.

use std::path::PathBuf;
use std::str::FromStr;

use keyfob_redis::RedisConfig;

/// The location of a token store.
#[derive(Debug)]
pub(crate) enum StoreUrl {
    Memory,
    File(PathBuf),
    Redis(Box<RedisConfig>),
}

/// A text that is not a store URL. It does not contain the text, which may include a password.
#[derive(Debug, thiserror::Error)]
#[error("the store URL in --store or KEYFOB_STORE is not valid: {problem}")]
pub(crate) struct InvalidStoreUrl {
    problem: String,
}

impl InvalidStoreUrl {
    /// The accepted forms.
    pub(crate) const FORMS: &'static str = "\
Use one of these forms:
  file:tokens.redb                           a file, relative path
  file:/var/lib/keyfob/tokens.redb           a file, absolute path
  memory:                                    memory; discarded when the command ends
  redis://:password@host:6379/0              one Redis or Valkey server; rediss:// uses TLS
  redis+unix:///run/redis.sock               the same on this machine, by its unix socket
  redis+cluster://a:6379,b:6379              a cluster; rediss+cluster:// uses TLS
  redis+sentinel://s1:26379,s2:26379/primary a primary under Sentinel; rediss+sentinel:// uses TLS";

    fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into() }
    }
}

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    fn from_str(text: &str) -> Result<Self, InvalidStoreUrl> {
        if text.is_empty() {
            return Err(InvalidStoreUrl::new("it is empty"));
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(InvalidStoreUrl::new(
                "it has no scheme. For a file, write file: before the path",
            ));
        };
        if text.chars().any(char::is_control) {
            return Err(InvalidStoreUrl::new("it contains a control character"));
        }
        match scheme {
            "memory" if rest.is_empty() => Ok(Self::Memory),
            "memory" => Err(InvalidStoreUrl::new("memory: takes nothing after the colon")),
            "file" => file(rest),
            "redis" | "rediss" | "redis+unix" | "redis+cluster" | "rediss+cluster"
            | "redis+sentinel" | "rediss+sentinel" => match text.parse() {
                Ok(config) => Ok(Self::Redis(Box::new(config))),
                Err(error) => Err(InvalidStoreUrl::new(error.to_string())),
            },
            _ => Err(InvalidStoreUrl::new("its scheme is unknown")),
        }
    }
}

fn file(rest: &str) -> Result<StoreUrl, InvalidStoreUrl> {
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(path) if path.starts_with('/') => path,
        Some(_) => {
            return Err(InvalidStoreUrl::new(
                "after file:// write an absolute path, as in file:///var/lib/tokens.redb",
            ));
        }
    };
    if path.is_empty() {
        return Err(InvalidStoreUrl::new("it has no path after file:"));
    }
    Ok(StoreUrl::File(path.into()))
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
        for text in [
            "redis://h",
            "rediss://u:p@h:1/2",
            "redis+cluster://a,b",
            "redis+sentinel://s/p",
            "redis+unix:///s",
        ] {
            assert!(matches!(text.parse(), Ok(StoreUrl::Redis(_))), "{text}");
        }
    }

    #[test]
    fn an_invalid_url_is_refused_and_not_repeated() {
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
    fn debug_output_hides_the_password() {
        let url: StoreUrl = "redis://u:hunter2@h".parse().unwrap();
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
