//! A typed client of the HTTP API (`/v1`) of keyfob.
//!
//! ```no_run
//! use keyfob_api::{GrantSpec, SecretText, ValidateBody};
//! use keyfob_client::Client;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("https://tokens.example.com")
//!     .bearer_file("/run/secrets/keyfob-key")
//!     .build()?;
//!
//! let grant = GrantSpec { subject: Some("user123".parse()?), ..GrantSpec::default() };
//! let issued = client.issue(&grant).await?;
//!
//! let bearer = SecretText::new(issued.bearer.expose());
//! let verdict = client.validate(&ValidateBody { token: bearer, ..Default::default() }).await?;
//! assert!(verdict.ok);
//!
//! client.revoke(issued.token.id, None).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # A tour
//! - **[`Client`]** has one method for each route. Bodies and answers are the types of
//!   [`keyfob_api`]. A client is cheap to clone, and its clones share connections.
//! - **[`ClientBuilder`]** takes the URL, the credentials, [TLS](Tls), timeouts and the
//!   [`RetryPolicy`].
//! - **[`Error`]** says what went wrong: [`Error::code`] is the stable code of the server,
//!   [`Error::class`] the kind of answer, [`Error::request_id`] the id in the server's log. No error
//!   contains a secret.
//! - **[`RevokeRun`]** revokes by a filter and resumes where a connection broke.
//! - **[`ResealRun`]** and **[`RecoverRun`]** do the same for sealing again and for recovery.
//! - **[`EventStream`]** follows events, and reconnects without a gap.
//! - **[`Client::list_all`]** reads all pages of a list as a stream.
//!
//! # What is sent again
//! A request is sent again only where that cannot do a thing twice:
//!
//! | request | sent again after |
//! |---|---|
//! | any | a connection that could not be made; 429 |
//! | `GET`, `DELETE`, a dry run, explain, introspect, the status of a limit | also a broken connection, a timeout, 408, 502, 503, 504 |
//! | issue, derive | the same, with an idempotency key that the client makes: a repeat gets the same token |
//! | refresh | the same: within the retry window a repeat gets the same pair |
//! | reseal, recover, retire a key | the same: what is done stays done |
//! | rotate | the same: a repeat replaces the secret that no client has used |
//! | validate, update, open a session, revoke by name, test a limit, accept a rollback | nothing more: the outcome is not known |
//!
//! Validation may count a use or charge a limit, so it is not sent again.
//!
//! Waits between attempts are random, and grow. `Retry-After` is respected. A client sends at most
//! one request again for ten that succeed, after a reserve of ten, so a server that is down does not
//! get many times the load. See [`RetryPolicy`].
//!
//! # Why hyper
//! The client needs what keyfob's server has already: hyper, hyper-util and rustls. A larger library
//! would add redirects, cookies, proxies and an URL parser with tables of Unicode, of which an API
//! client must use nothing: a redirect would send the bearer elsewhere.

mod base_url;
mod budget;
mod builder;
mod calls;
mod client;
mod credentials;
mod error;
mod events;
mod in_process;
mod lines;
mod progress;
mod query;
mod recover_run;
mod request;
mod reseal_run;
mod retry;
mod revoke_run;
mod sse;
#[cfg(feature = "tls")]
mod tls;
mod transport;

pub use builder::{BuildError, ClientBuilder};
pub use client::Client;
pub use error::{ApiError, Error, TransportError, TransportErrorKind};
pub use events::{EventStream, StreamedEvent};
pub use in_process::AnswerBody;
pub use query::{EventsQuery, LimitsQuery, ListOrder, ListQuery};
pub use recover_run::RecoverRun;
pub use reseal_run::ResealRun;
pub use retry::RetryPolicy;
pub use revoke_run::RevokeRun;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};

pub use keyfob_api as api;
pub use keyfob_core::error_class::ErrorClass;
