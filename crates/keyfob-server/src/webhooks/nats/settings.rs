//! Which NATS servers events are published to, and as whom.

use std::path::PathBuf;

use keyfob_webhook::nats::SubjectPrefix;

/// The NATS servers that a service publishes to. Who may call the API chooses subjects below the prefix, and no server.
///
/// Nothing here is a secret: those are in files, which are read again for each connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NatsSettings {
    /// The servers of one cluster: `nats://` or `tls://`, host and port. If one of them has `tls://`, all connections
    /// are encrypted.
    pub servers: Vec<String>,
    /// What the subjects of all subscriptions begin with.
    pub subject: SubjectPrefix,
    /// As whom to connect.
    pub login: NatsLogin,
    /// The file of the certificates to trust, as PEM, instead of those of the system.
    pub ca: Option<PathBuf>,
}

/// As whom to connect.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum NatsLogin {
    /// As nobody.
    #[default]
    Anonymous,
    /// With a file that has the JWT of a user and the seed of its key.
    Credentials(PathBuf),
    /// With a file that has the seed of a key.
    Nkey(PathBuf),
    /// With a name, and a file that has the password.
    Password {
        /// The name.
        user: String,
        /// The file that has the password.
        file: PathBuf,
    },
}

/// Why nothing can be published.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NatsUnusable {
    /// This build has no client of NATS.
    #[error("this keyfob cannot publish to NATS: build it with the feature nats")]
    NotBuilt,
    /// There are no servers.
    #[error("this service has no NATS server. Configure `[nats] servers`")]
    NoServers,
    /// A subject that the operator does not allow.
    #[error("url: the subject is not {0} or below it. An operator may change `[nats] subject`")]
    NotBelow(String),
    /// A file of the login or of the certificates cannot be used.
    #[error("{0}")]
    File(String),
}

impl NatsUnusable {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotBuilt | Self::NoServers => "no_nats",
            Self::NotBelow(_) | Self::File(_) => "invalid_value",
        }
    }
}
