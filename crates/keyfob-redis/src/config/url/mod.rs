//! Reads a [`RedisConfig`] from a URL.
//!
//! An error says what is wrong and shows an example of a valid URL. It never shows the URL itself, because
//! a password may be anywhere in a malformed URL.

mod address;
mod text;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use keyfob_store::{LaneCount, StoreError, Ttl};

use self::address::{addresses, unix_socket};
use self::text::{decoded, wrong};
use super::{
    Login, LoginPassword, PasswordCommand, PasswordFile, RedisConfig, Secret, Tls, Topology,
    WhenEmptied,
};

const OPTIONS: &str = "namespace, lanes, wait, response_timeout, connect_timeout, budget, password_file, \
    password_command, password_lifetime, sentinel_user, sentinel_password, sentinel_password_file, \
    sentinel_password_command, ca, cert, key, when_emptied, address, database, witness";

impl FromStr for RedisConfig {
    type Err = StoreError;

    fn from_str(url: &str) -> Result<Self, StoreError> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        Self::from_parts(scheme, rest).map_err(|error| match unencoded(rest) {
            Some(advice) => wrong(&advice),
            None => error,
        })
    }
}

impl RedisConfig {
    /// Reads what follows the `://` of a scheme.
    fn from_parts(scheme: &str, rest: &str) -> Result<Self, StoreError> {
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        // The path of a socket has slashes.
        let (hosts, path) = match scheme {
            "redis+unix" => rest.find('/').map_or((rest, ""), |at| rest.split_at(at)),
            _ => rest.split_once('/').unwrap_or((rest, "")),
        };
        // The last @ ends the password: hosts have none, and a password may.
        let (login, hosts) = match hosts.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, hosts),
        };
        let (topology, tls) = match scheme {
            "redis" | "rediss" => (standalone(hosts, path)?, scheme == "rediss"),
            "redis+unix" => (Topology::Standalone(unix_socket(hosts, path)?), false),
            "redis+cluster" | "rediss+cluster" => {
                if !path.is_empty() && path != "0" {
                    return Err(wrong("a cluster has only database 0"));
                }
                (Topology::Cluster(addresses(hosts, 6379)?), scheme == "rediss+cluster")
            }
            "redis+sentinel" | "rediss+sentinel" => {
                (sentinel(hosts, path)?, scheme == "rediss+sentinel")
            }
            _ => return Err(wrong("its scheme is unknown")),
        };
        let database = match &topology {
            Topology::Standalone(address) if address.unix_path().is_some() => 0,
            Topology::Standalone(_) => number(path, "the database")?,
            Topology::Sentinel { .. } => {
                number(path.split_once('/').map_or("", |(_, number)| number), "the database")?
            }
            Topology::Cluster(_) => 0,
        };
        let mut config = Self::new(topology).with_database(database);
        if let Some(login) = login {
            config.login = read_login(login)?;
        }
        if tls {
            config.tls = Some(Tls::default());
        }
        let mut options = options.split('&').filter(|option| !option.is_empty());
        let config = options.try_fold(config, with_option)?;
        check_logins(&config)?;
        Ok(config)
    }
}

fn with_option(mut config: RedisConfig, option: &str) -> Result<RedisConfig, StoreError> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    let value = decoded(value)?;
    match name {
        "namespace" => return config.with_namespace(value),
        "lanes" => {
            let count = value.parse().ok().and_then(|count| LaneCount::new(count).ok());
            config.lanes = Some(count.ok_or_else(|| wrong("lanes must be 1 to 1024"))?);
        }
        "wait" => {
            config.wait = value.parse().map_err(|_| wrong("wait must be a number of replicas"))?;
        }
        "response_timeout" => config.response_timeout = duration(&value, name)?,
        "connect_timeout" => config.connect_timeout = duration(&value, name)?,
        "budget" => config.budget = duration(&value, name)?,
        "database" => match &config.topology {
            Topology::Standalone(address) if address.unix_path().is_some() => {
                config.database = number(&value, "the database")?;
            }
            _ => return Err(wrong("a database is written after the host, as in redis://host/3")),
        },
        "password_lifetime" => config.password_lifetime = Some(duration(&value, name)?),
        "sentinel_user" => config.sentinel_login.user = Some(value),
        "password_file" | "password_command" => set_password(&mut config.login, name, value)?,
        "sentinel_password" | "sentinel_password_file" | "sentinel_password_command" => {
            set_password(&mut config.sentinel_login, name, value)?;
        }
        "when_emptied" => {
            config.when_emptied = match value.as_str() {
                "refuse" => WhenEmptied::Refuse,
                "recreate" => WhenEmptied::Recreate,
                _ => return Err(wrong("when_emptied must be refuse or recreate")),
            };
        }
        "witness" if value.is_empty() => return Err(wrong("witness must name a file")),
        "witness" => config.witness = Some(value.into()),
        "address" => {
            config.checks_address = match value.as_str() {
                "checked" => true,
                "fixed" => false,
                _ => return Err(wrong("address must be checked or fixed")),
            };
        }
        "ca" | "cert" | "key" => match (&mut config.tls, name) {
            (Some(tls), "ca") => tls.ca = Some(value.into()),
            (Some(tls), "cert") => tls.certificate = Some(value.into()),
            (Some(tls), _) => tls.key = Some(value.into()),
            (None, _) => {
                return Err(wrong(&format!("{name} needs a scheme with TLS, such as rediss://")));
            }
        },
        _ => return Err(wrong(&format!("it has an unknown option; the options are {OPTIONS}"))),
    }
    Ok(config)
}

/// Sets where the password of a login comes from.
fn set_password(login: &mut Login, option: &str, value: String) -> Result<(), StoreError> {
    if !login.password.is_none() {
        return Err(wrong(&format!("{option} gives a second password: give one")));
    }
    login.password = if option.ends_with("_file") {
        LoginPassword::Source(Arc::new(PasswordFile::new(value)))
    } else if option.ends_with("_command") {
        let mut words = value.split_whitespace().map(str::to_owned);
        let program = words.next().ok_or_else(|| wrong(&format!("{option} names no program")))?;
        LoginPassword::Source(Arc::new(PasswordCommand::new(program, words)))
    } else {
        LoginPassword::Fixed(Secret::new(value))
    };
    Ok(())
}

fn check_logins(config: &RedisConfig) -> Result<(), StoreError> {
    let has_sentinel_login =
        config.sentinel_login.user.is_some() || !config.sentinel_login.password.is_none();
    if !matches!(config.topology, Topology::Sentinel { .. }) && has_sentinel_login {
        return Err(wrong("a login for sentinels needs redis+sentinel://"));
    }
    match &config.tls {
        Some(tls) if tls.certificate.is_some() != tls.key.is_some() => {
            Err(wrong("a client certificate is two files: set both cert and key"))
        }
        _ => Ok(()),
    }
}

fn standalone(hosts: &str, path: &str) -> Result<Topology, StoreError> {
    if path.contains('/') {
        return Err(wrong("its path has more than a database number"));
    }
    let mut addresses = addresses(hosts, 6379)?;
    match (addresses.pop(), addresses.is_empty()) {
        (Some(address), true) => Ok(Topology::Standalone(address)),
        _ => Err(wrong("several hosts need redis+cluster:// or redis+sentinel://")),
    }
}

fn sentinel(hosts: &str, path: &str) -> Result<Topology, StoreError> {
    let name = decoded(path.split('/').next().unwrap_or_default())?;
    if name.is_empty() {
        return Err(wrong("the name of the primary is missing after the sentinels"));
    }
    Ok(Topology::Sentinel { sentinels: addresses(hosts, 26379)?, primary: name })
}

/// Returns what to write if a character of a user or a password probably ended the login early: an `@` follows
/// it, which the rest of a URL rarely has.
fn unencoded(rest: &str) -> Option<String> {
    if rest.starts_with('/') {
        return None;
    }
    let (before_options, options) = rest.split_once('?').unwrap_or((rest, ""));
    let path = before_options.split_once('/').map_or("", |(_, path)| path);
    let (character, encoded) = if path.contains('@') {
        ('/', "%2F")
    } else if options.contains('@') && !before_options.contains('@') {
        ('?', "%3F")
    } else {
        return None;
    };
    Some(format!(
        "a user name or a password has a `{character}`: percent-encode it as {encoded} (also `@` as %40, \
         `:` in a user name as %3A, `%` as %25)"
    ))
}

/// Reads `user:password`, `:password`, or `user` alone. Then another option gives the password, or the user
/// has none.
fn read_login(text: &str) -> Result<Login, StoreError> {
    if text.is_empty() {
        return Err(wrong("a user or a password is missing before the @"));
    }
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (text, None),
    };
    let user = login_word(user)?;
    let password = match password {
        Some(password) => LoginPassword::Fixed(Secret::new(login_word(password)?)),
        None => LoginPassword::None,
    };
    Ok(Login { user: (!user.is_empty()).then_some(user), password })
}

fn login_word(text: &str) -> Result<String, StoreError> {
    decoded(text).map_err(|_| {
        wrong(
            "a user name or a password has a `%` that is not followed by two hexadecimal digits of UTF-8: \
             percent-encode it as %25",
        )
    })
}

fn number(text: &str, what: &str) -> Result<u32, StoreError> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| wrong(&format!("{what} is not a number")))
}

fn duration(value: &str, name: &str) -> Result<Duration, StoreError> {
    let ttl: Ttl =
        value.parse().map_err(|_| wrong(&format!("{name} must be a duration such as 500ms")))?;
    Ok(ttl.as_duration())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Address;

    fn read(url: &str) -> RedisConfig {
        url.parse().unwrap()
    }

    fn fixed(login: &Login) -> Option<&str> {
        match &login.password {
            LoginPassword::Fixed(password) => Some(password.expose()),
            LoginPassword::None | LoginPassword::Source(_) => None,
        }
    }

    #[test]
    fn reads_logins_whose_password_changes() {
        let config = read("rediss://me@h?password_file=/p&password_lifetime=15m&cert=/c&key=/k");
        assert_eq!(config.login.user.as_deref(), Some("me"));
        assert!(format!("{:?}", config.login).contains("PasswordFile(\"/p\")"));
        assert_eq!(config.password_lifetime.map(|time| time.as_secs()), Some(900));
        let tls = config.tls.unwrap();
        assert_eq!((tls.certificate, tls.key), (Some("/c".into()), Some("/k".into())));
        let config = read("redis://h?password_command=aws%20token%20--user%20me");
        assert!(format!("{:?}", config.login).contains("program: \"aws\""));
        let config = read(
            "redis+sentinel://me@s/main?password_file=/p&sentinel_user=watcher&sentinel_password=pw",
        );
        assert_eq!(config.sentinel_login.user.as_deref(), Some("watcher"));
        assert_eq!(fixed(&config.sentinel_login), Some("pw"));
        let config = read("redis+sentinel://s/main?sentinel_password_command=print");
        assert!(matches!(config.sentinel_login.password, LoginPassword::Source(_)));
    }

    #[test]
    fn reads_every_kind_of_url() {
        let config = read("redis://h");
        assert_eq!(config.topology, Topology::Standalone(Address::new("h", 6379)));
        let config = read("rediss://us%65r:p%40ss:w@[::1]:7000/3?ca=/a%20b.pem&lanes=16&wait=2");
        assert_eq!(config.topology, Topology::Standalone(Address::new("::1", 7000)));
        assert_eq!(config.tls, Some(Tls { ca: Some("/a b.pem".into()), ..Tls::default() }));
        assert_eq!(config.login.user.as_deref(), Some("user"));
        assert_eq!(fixed(&config.login), Some("p@ss:w"));
        assert_eq!((config.database, config.wait), (3, 2));
        assert_eq!(config.lanes, LaneCount::new(16).ok());
        assert_eq!(config.when_emptied, WhenEmptied::Refuse);
        assert!(config.checks_address && !read("redis://h?address=fixed").checks_address);
        let config = read("redis://h?when_emptied=recreate");
        assert_eq!(config.when_emptied, WhenEmptied::Recreate);
        let config = read("redis+cluster://a:1,b/?namespace=shop&response_timeout=2s&budget=1s");
        let nodes = vec![Address::new("a", 1), Address::new("b", 6379)];
        assert_eq!(config.topology, Topology::Cluster(nodes));
        assert_eq!((config.namespace.as_str(), config.response_timeout.as_secs()), ("shop", 2));
        assert_eq!(config.budget.as_secs(), 1);
        let config = read("redis+sentinel://:pw@s1,s2:5/main/4?sentinel_password=other");
        let sentinels = vec![Address::new("s1", 26379), Address::new("s2", 5)];
        assert_eq!(config.topology, Topology::Sentinel { sentinels, primary: "main".to_owned() });
        assert_eq!(config.database, 4);
    }

    #[test]
    fn a_malformed_url_is_refused_with_an_example_and_without_its_secrets() {
        for url in [
            "hunter2",
            "http://x:hunter2@h",
            "redis://",
            "redis://a,b",
            "redis://:hunter2@h:99999",
            "redis://h/zero",
            "redis://h/0/1",
            "redis://h?lanes=0",
            "redis://h?when_emptied=hunter2",
            "redis://h?address=hunter2",
            "redis://h?ca=/x",
            "redis://h?hunter2=1",
            "redis://h?insecure",
            "redis://h?response_timeout=hunter2",
            "redis://h?namespace=A{b}",
            "redis://:%hunter2@h",
            "redis://:hunter2@h?password_file=/hunter2",
            "redis://h?password_file=/hunter2&password_command=hunter2",
            "redis://h?password_command=%20",
            "redis://h?sentinel_password=hunter2",
            "redis://h?sentinel_user=hunter2",
            "rediss://h?cert=/hunter2",
            "redis://h?key=/hunter2",
            "redis+cluster://h/1",
            "redis+sentinel://s1",
        ] {
            let error = url.parse::<RedisConfig>().unwrap_err();
            assert_eq!(error.code(), "store_misconfigured", "{url}");
            let text = format!("{error} {error:?}");
            assert!(!text.contains("hunter2"), "{text}");
            assert!(text.contains("such as") || text.contains("Valid URLs are"), "{text}");
        }
    }

    #[test]
    fn a_character_of_a_password_that_has_to_be_encoded_is_named() {
        for (url, says) in [
            ("redis://:hunter2/ss@host", "`/`: percent-encode it as %2F"),
            ("redis://me:1/2hunter2@host", "`/`: percent-encode it as %2F"),
            ("redis://:hunter2?x@host", "`?`: percent-encode it as %3F"),
            ("redis://hunter2/x@host", "`/`: percent-encode it as %2F"),
            ("redis://:a@b/hunter2@host", "`/`: percent-encode it as %2F"),
            ("redis://:hunter2/a?b@host", "`?`: percent-encode it as %3F"),
            ("redis+unix://:hunter2/a@/run/redis.sock", "`/`: percent-encode it as %2F"),
            ("redis+sentinel://:hunter2/x@s1,s2/main", "`/`: percent-encode it as %2F"),
            ("redis://:hunter2%@host", "as %25"),
            ("redis://hunter2%zz:x@host", "as %25"),
        ] {
            let error = url.parse::<RedisConfig>().unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains(says), "{url}: {text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
        // A # and a further @ or : need no encoding, and an @ in an option is no login.
        let login = read("redis://me:a#b@c:d@host").login;
        assert_eq!((login.user.as_deref(), fixed(&login)), (Some("me"), Some("a#b@c:d")));
        assert_eq!(read("rediss://host/1?ca=/etc/a@b").database, 1);
    }

    #[test]
    fn a_unix_socket_is_a_path() {
        let config = read("redis+unix:///run/a%3Fb%25.sock?namespace=shop&database=3");
        assert_eq!(config.topology, Topology::Standalone(Address::unix("/run/a?b%.sock")));
        assert_eq!(config.database, 3);
        let shown = "redis+unix:///run/a%3Fb%25.sock?namespace=shop&database=3";
        assert_eq!(config.to_string(), shown);
        let config = read("redis+unix://me:hunter2@/run/redis.sock");
        assert_eq!(
            (config.login.user.as_deref(), fixed(&config.login)),
            (Some("me"), Some("hunter2"))
        );
        assert_eq!(config.to_string(), "redis+unix:///run/redis.sock?namespace=keyfob");
        for (url, says) in [
            ("redis+unix://run/redis.sock", "has no host"),
            ("redis+unix://", "is missing"),
            ("redis+unix:///", "is missing"),
            ("redis+unix:///a%00b", "is missing"),
            ("rediss+unix:///a", "scheme is unknown"),
            ("redis://h?database=3", "after the host"),
            ("redis+unix:///a?ca=/x", "with TLS"),
        ] {
            let error = url.parse::<RedisConfig>().unwrap_err().to_string();
            assert!(error.contains(says), "{url}: {error}");
        }
    }

    #[test]
    fn a_user_may_have_no_password() {
        let login = |url: &str| {
            let login = read(url).login;
            (login.user.clone(), fixed(&login).map(str::to_owned))
        };
        assert_eq!(login("redis://me@host"), (Some("me".to_owned()), None));
        assert_eq!(login("redis://:pw@host"), (None, Some("pw".to_owned())));
        assert_eq!(login("redis://host"), (None, None));
        let error = "redis://@host".parse::<RedisConfig>().unwrap_err().to_string();
        assert!(error.contains("is missing before the @"), "{error}");
    }

    #[test]
    fn the_displayed_config_has_no_password() {
        let config = read("rediss+sentinel://me:hunter2@s:1/m/2?sentinel_password=hunter2");
        assert_eq!(config.to_string(), "rediss+sentinel://s:1/m/2?namespace=keyfob");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
