//! The token service of [`keyfob`] over HTTP, for services in any language and for gateways.
//!
//! ```no_run
//! use keyfob::{MemoryStore, TokenManager};
//! use keyfob_server::{Server, Settings};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = TokenManager::new(MemoryStore::new()?);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8700").await?;
//! let server = Server::new(manager, Settings::new());
//! server.serve(listener, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # A tour
//! - **[`routes::table`]** is the list of all routes: what each is for, what it demands of its caller,
//!   what body it takes. A request goes through `routes::dispatch` to the handler of its route.
//! - **[`access`]** decides who calls ([`access::caller`]), which scopes allow what
//!   ([`access::scope`]) and what a caller may hand out to others ([`access::bounds`]). A client is
//!   the holder of an API key of that client: there is no other registry.
//! - **[`chains`]** has the demands that the configuration names and that gateways use by name.
//! - **[`config`]** reads `keyfob.toml`, the environment and flags.
//! - **[`listen`]** accepts connections, bounds them, and drains them.
//! - **`oauth`** has introspection (RFC 7662), revocation (RFC 7009), the token endpoint (RFC 6749,
//!   RFC 8693) and the metadata (RFC 8414).
//! - **`v1`** has the API: issue, read, change, revoke and validate tokens; events; the state of the
//!   service.
//! - **`gateway`** answers gateways: may this request pass, and whose is it?
//! - **[`forward`]** sends on what an edge does not answer.
//! - **[`jwt`]** issues access tokens as JWTs, and serves their status lists.
//! - **[`leaks`]** takes what GitHub's secret scanning found.
//! - **[`bodies`]** makes bodies of the API from values of keyfob.
//! - **[`limit_trial`]** and **[`recovery`]** do what `/v1` and the command line do alike.
//! - **`ssf`** has Shared Signals: streams that receivers manage, and polls.
//! - **`operations`** has health, readiness and metrics; `readiness` keeps what the store said.
//! - **`openapi`** makes the OpenAPI document from the table of routes.
//! - **`page`** shows that document to people.
//! - **`pages`** shows other pages, such as the console, which ask the routes.
//! - **`respond`** turns every failure into the form that the caller of a route expects.
//!
//! Handlers parse, ask the [`TokenManager`](keyfob::TokenManager), and render. They decide nothing.

pub mod access;
pub mod bodies;
mod call;
pub mod chains;
pub mod config;
mod deadline;
mod event_types;
mod form;
pub mod forward;
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
pub mod jwt;
pub mod leaks;
pub mod limit_trial;
pub mod listen;
mod oauth;
mod openapi;
mod operations;
mod page;
mod pages;
mod parameter;
mod query;
mod readiness;
pub mod recovery;
mod respond;
pub mod routes;
mod server;
mod settings;
mod shared;
mod ssf;
mod v1;
pub mod webhooks;

pub use pages::{LocalApi, Pages};
pub use respond::render::ErrorForm;
pub use routes::context::RequestContext;
pub use routes::trace::{ContinueTrace, TRACE_TARGET, TraceParent};
pub use server::{Server, openapi_document};
pub use settings::{CertificateSettings, DpopSettings, RouteLimit, Settings};
pub use shared::RenderMetrics;
