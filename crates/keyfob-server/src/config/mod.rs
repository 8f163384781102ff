//! The configuration of a server: a file, variables of the environment, and flags.
//!
//! A variable overrides the file, and a flag overrides both. Each setting has a default. A setting
//! that does not exist, or whose value is not valid, is refused with its place and, where one is
//! near, the right name:
//!
//! ```
//! use keyfob_server::config::Sources;
//!
//! let text = "listen = \"0.0.0.0:8700\"\n\n[http]\nmax_conections = 500\n";
//! let refused = Sources::new().file("keyfob.toml", text).read().unwrap_err();
//! assert_eq!(
//!     refused.to_string(),
//!     "keyfob.toml:4:1: http.max_conections is not a setting. Did you mean max_connections?"
//! );
//! ```
//!
//! | module | content |
//! |---|---|
//! | `sections` | every setting, as types that serde reads |
//! | `jwt` | access tokens in the form of JWTs |
//! | `nats` | the NATS servers that events are published to |
//! | `limits` | rate limits, and the routes that charge them |
//! | `size`, `text` | values with units, and values that are written as text |
//! | `given` | a setting that the environment or the command line gives |
//! | `standard` | variables that OpenTelemetry defines for every program |
//! | `sources` | merges the sources, and reads the result |
//! | `places` | where in a file a setting is |
//! | `unknown` | settings that do not exist |
//! | `check` | settings that contradict each other |
//! | `error` | what is wrong, and where |
//! | `apply` | from the configuration to the settings of a server |
//! | `show` | the configuration as text, and its JSON Schema |

mod apply;
mod check;
mod error;
mod given;
mod jwt;
mod limits;
mod nats;
mod places;
mod sections;
mod show;
mod size;
mod sources;
mod standard;
mod text;
mod unknown;

pub use error::{ConfigError, ConfigErrors, Place};
pub use jwt::{JwtAlgorithm, JwtSection};
pub use limits::{LimitSection, LimitSubject};
pub use nats::NatsSection;
pub use sections::{
    CacheSection, ClientCertificates, Config, ConsoleSection, EdgeSection, GatewaySection,
    HttpSection, LogFormat, LogSection, ManagementSection, ProxiesSection, ProxyHeader, TlsSection,
    TracesSection,
};
pub use show::schema;
pub use size::{ByteSize, InvalidSize};
pub use sources::{Loaded, Sources};
