//! The settings of a store: where the servers are and how they are used.

mod misconfigured;
mod password;
mod secret;
mod url;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keyfob_store::{Clock, LaneCount, Metrics, StoreError, SystemClock, Ttl};

pub(crate) use misconfigured::misconfigured;
pub(crate) use password::{Login, LoginPassword};
pub use password::{Password, PasswordCommand, PasswordFile, PasswordSource};
pub(crate) use secret::Secret;

/// The settings of a store: how to reach the servers, and the namespace in them.
///
/// Parsed from a URL by [`str::parse`], or built step by step:
///
/// ```
/// use keyfob_redis::{Address, RedisConfig, Topology};
///
/// let by_url: RedisConfig = "redis://127.0.0.1:6379/0?namespace=shop".parse()?;
/// let by_hand = RedisConfig::new(Topology::Standalone(Address::new("127.0.0.1", 6379)))
///     .with_namespace("shop")?;
/// assert_eq!(by_url.to_string(), by_hand.to_string());
/// # Ok::<(), keyfob::store::StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RedisConfig {
    pub(crate) topology: Topology,
    pub(crate) tls: Option<Tls>,
    pub(crate) login: Login,
    pub(crate) sentinel_login: Login,
    pub(crate) password_lifetime: Option<Duration>,
    pub(crate) database: u32,
    pub(crate) host_addresses: HashMap<String, Vec<SocketAddr>>,
    pub(crate) namespace: String,
    pub(crate) lanes: Option<LaneCount>,
    pub(crate) wait: u32,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) budget: Duration,
    pub(crate) feed_cap: u64,
    pub(crate) feed_retention: Ttl,
    pub(crate) leaf: u16,
    pub(crate) create: bool,
    pub(crate) checks_address: bool,
    pub(crate) when_emptied: WhenEmptied,
    pub(crate) rollback_tolerance: Duration,
    pub(crate) witness: Option<PathBuf>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Option<Metrics>,
}

/// The servers, and how they belong together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Topology {
    /// One server.
    Standalone(Address),
    /// One primary, which the sentinels name, and its replicas.
    Sentinel {
        /// All sentinels: more than half of the configured ones must name the primary.
        sentinels: Vec<Address>,
        /// The name of the primary in the settings of the sentinels.
        primary: String,
    },
    /// A cluster. It is enough if one of the addresses answers.
    Cluster(Vec<Address>),
}

/// The address of a server.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    /// A host name, an IP address, or the absolute path of a unix socket.
    pub host: String,
    /// The port. 0 for a unix socket.
    pub port: u16,
}

/// TLS on the connections to the servers. The certificates of the servers are always verified. Files that
/// change are read again for the next connection.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tls {
    /// A file of PEM certificates to trust instead of those of the system.
    pub ca: Option<PathBuf>,
    /// A file of PEM certificates, the first of which is presented to servers that ask for one.
    pub certificate: Option<PathBuf>,
    /// A file with the private key of the certificate, in PEM.
    pub key: Option<PathBuf>,
}

/// What a node does when the store comes back empty, so that its namespace is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WhenEmptied {
    /// The node answers [`StoreError::NamespaceLost`] until its namespace is there again. It may have
    /// reached the wrong server.
    #[default]
    Refuse,
    /// The node creates its namespace again, without the tokens, and continues. A node that opens
    /// the store meanwhile may give up lanes that have lost their namespace.
    Recreate,
}

impl RedisConfig {
    /// The default name of a namespace.
    pub const DEFAULT_NAMESPACE: &str = "keyfob";

    /// Creates the settings for these servers. Everything else has its default.
    pub fn new(topology: Topology) -> Self {
        Self {
            topology,
            tls: None,
            login: Login::default(),
            sentinel_login: Login::default(),
            password_lifetime: None,
            database: 0,
            host_addresses: HashMap::new(),
            namespace: Self::DEFAULT_NAMESPACE.to_owned(),
            lanes: None,
            wait: 0,
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_millis(500),
            budget: Duration::from_secs(3),
            feed_cap: 65_536,
            feed_retention: Ttl::from_days(7),
            leaf: 104,
            create: true,
            checks_address: true,
            when_emptied: WhenEmptied::Refuse,
            rollback_tolerance: Duration::from_secs(60),
            witness: None,
            clock: Arc::new(SystemClock),
            metrics: None,
        }
    }

    /// Uses TLS for the connections to the servers.
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Logs in with a password, as the default user if `user` is `None`.
    pub fn with_login(mut self, user: Option<String>, password: impl Into<String>) -> Self {
        self.login = Login { user, password: LoginPassword::Fixed(Secret::new(password)) };
        self
    }

    /// Logs in to the sentinels, which have a login of their own.
    pub fn with_sentinel_login(
        mut self,
        user: Option<String>,
        password: impl Into<String>,
    ) -> Self {
        self.sentinel_login = Login { user, password: LoginPassword::Fixed(Secret::new(password)) };
        self
    }

    /// Logs in with a password that changes while the process runs.
    ///
    /// ```
    /// use keyfob_redis::{PasswordFile, RedisConfig};
    ///
    /// let config: RedisConfig = "rediss://cache.example.com".parse()?;
    /// let config = config
    ///     .with_password_source(Some("keyfob".to_owned()), PasswordFile::new("/run/secrets/redis"));
    /// # Ok::<(), keyfob::store::StoreError>(())
    /// ```
    pub fn with_password_source(
        mut self,
        user: Option<String>,
        source: impl PasswordSource,
    ) -> Self {
        self.login = Login { user, password: LoginPassword::Source(Arc::new(source)) };
        self
    }

    /// Logs in to the sentinels with a password that changes while the process runs.
    pub fn with_sentinel_password_source(
        mut self,
        user: Option<String>,
        source: impl PasswordSource,
    ) -> Self {
        self.sentinel_login = Login { user, password: LoginPassword::Source(Arc::new(source)) };
        self
    }

    /// Sets for how long the answer of a password source is valid if the source does not say it.
    pub fn with_password_lifetime(mut self, lifetime: Duration) -> Self {
        self.password_lifetime = Some(lifetime);
        self
    }

    /// Uses a database other than 0. A cluster has only database 0.
    pub fn with_database(mut self, database: u32) -> Self {
        self.database = database;
        self
    }

    /// Sets the addresses of a host, for which the system's resolver is then not asked. The ports are used
    /// too, instead of the configured one.
    pub fn with_host_addresses(
        mut self,
        host: impl Into<String>,
        addresses: impl Into<Vec<SocketAddr>>,
    ) -> Self {
        self.host_addresses.insert(host.into(), addresses.into());
        self
    }

    /// Sets the name of the namespace, which all its keys begin with. A server can hold several namespaces.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if the name is not 1 to 32 characters of `a-z 0-9 . _ -`.
    pub fn with_namespace(mut self, name: impl Into<String>) -> Result<Self, StoreError> {
        let name = name.into();
        let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        if !(1..=32).contains(&name.len()) || !name.bytes().all(fits) {
            return Err(misconfigured(
                "the name of a namespace is 1 to 32 characters of a-z 0-9 . _ -, such as 'keyfob'",
            ));
        }
        self.namespace = name;
        Ok(self)
    }

    /// Sets the number of lanes. It is fixed when the namespace is created; later it must be the same.
    pub fn with_lanes(mut self, lanes: LaneCount) -> Self {
        self.lanes = Some(lanes);
        self
    }

    /// Makes revocations wait until this number of replicas have them. If fewer replicas have a
    /// revocation within the response timeout, the answer is [`StoreError::OutcomeUnknown`]. Sent
    /// again, the revocation waits again.
    pub fn with_wait(mut self, replicas: u32) -> Self {
        self.wait = replicas;
        self
    }

    /// Sets how long to wait for a connection, for an answer, and for a call with all its repetitions.
    pub fn with_timeouts(mut self, connect: Duration, response: Duration, whole: Duration) -> Self {
        self.connect_timeout = connect;
        self.response_timeout = response;
        self.budget = whole;
        self
    }

    /// Sets about how many events and how many observations the whole namespace keeps, and for how long
    /// after the last one.
    pub fn with_feed(mut self, cap: u64, retention: Ttl) -> Self {
        self.feed_cap = cap;
        self.feed_retention = retention;
        self
    }

    /// Sets the clock of this node, which deadlines are given by.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the metrics that connections, repetitions and similar events are counted in. The default is
    /// [`Metrics::global`].
    pub fn with_metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Sets whether a namespace that does not exist is created. Without a namespace a store can only make
    /// its report; every other method answers [`StoreError::NamespaceLost`]. The default is true.
    pub fn with_create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Sets whether the address of a single server is compared with new connections. The default is
    /// true. If false, a node continues with its connections when the address comes to lead to
    /// another server, and does not learn what is revoked there.
    pub fn with_address_checks(mut self, checks_address: bool) -> Self {
        self.checks_address = checks_address;
        self
    }

    /// Sets what this node does when the store comes back empty. The default is [`WhenEmptied::Refuse`].
    pub fn when_emptied(mut self, when_emptied: WhenEmptied) -> Self {
        self.when_emptied = when_emptied;
        self
    }

    /// Sets from which duration of lost writes on a node refuses the older tokens. A shorter loss is repaired:
    /// nodes send the revocations of the last minute again. At most one minute, which is the default.
    pub fn with_rollback_tolerance(mut self, tolerance: Duration) -> Self {
        self.rollback_tolerance = tolerance.min(Duration::from_secs(60));
        self
    }

    /// Sets a file of this machine in which the store keeps the times up to which it knows what was written. A
    /// process that opens the store with this file notices that the store lost its last writes while no node was
    /// running. Without a file, only nodes that run notice that. The file must not be on a disk that is restored
    /// together with the server's.
    pub fn with_witness(mut self, path: impl Into<PathBuf>) -> Self {
        self.witness = Some(path.into());
        self
    }

    /// Sets how many ids a leaf of an index holds before it is split by one of the next inserts. The server
    /// keeps up to 128 in its compact form. Tests that need many leaves set fewer.
    #[doc(hidden)]
    pub fn with_leaf(mut self, ids: u16) -> Self {
        self.leaf = ids.max(8);
        self
    }
}

impl Address {
    /// Creates an address.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// Creates the address of a unix socket. The path is absolute.
    pub fn unix(path: impl Into<String>) -> Self {
        Self::new(path, 0)
    }

    /// Returns the path of a unix socket, or `None` if the address is a host and a port.
    pub fn unix_path(&self) -> Option<&str> {
        Some(self.host.as_str()).filter(|host| host.starts_with('/'))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = self.unix_path() {
            f.write_str(path)
        } else if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Shows the URL without its secrets.
impl fmt::Display for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Topology::Standalone(address) = &self.topology
            && let Some(path) = address.unix_path()
        {
            let path = path.replace('%', "%25").replace('?', "%3F");
            write!(f, "redis+unix://{path}?namespace={}", self.namespace)?;
            return match self.database {
                0 => Ok(()),
                database => write!(f, "&database={database}"),
            };
        }
        let (kind, addresses) = match &self.topology {
            Topology::Standalone(address) => ("", std::slice::from_ref(address)),
            Topology::Sentinel { sentinels, .. } => ("+sentinel", sentinels.as_slice()),
            Topology::Cluster(addresses) => ("+cluster", addresses.as_slice()),
        };
        f.write_str(if self.tls.is_some() { "rediss" } else { "redis" })?;
        write!(f, "{kind}://")?;
        for (n, address) in addresses.iter().enumerate() {
            write!(f, "{}{address}", if n == 0 { "" } else { "," })?;
        }
        if let Topology::Sentinel { primary, .. } = &self.topology {
            write!(f, "/{primary}")?;
        }
        if !matches!(self.topology, Topology::Cluster(_)) {
            write!(f, "/{}", self.database)?;
        }
        write!(f, "?namespace={}", self.namespace)
    }
}
