//! The JSON bodies of keyfob's HTTP API (`/v1`), as types.
//!
//! The server, the typed client and the command line use the same types, so they cannot disagree
//! about a name or a form. This crate does no I/O and knows no HTTP.
//!
//! | module | bodies |
//! |---|---|
//! | [`grant`] | the request for a token: [`GrantSpec`], also a line of `keyfob issue --from` |
//! | [`token`] | a token, and a token with its bearer |
//! | [`validate`] | what is demanded of a bearer, and the verdict |
//! | [`introspect`] | RFC 7662 answers for many tokens at once |
//! | [`change`] | update, refresh, derive, rotate |
//! | [`revoke`] | what to revoke, and the progress of it |
//! | [`list`] | pages of tokens, counts, the history of a token |
//! | [`edge`] | what a node without a store asks: records, changes, uses |
//! | [`binary`] | bytes in a text |
//! | [`event`] | pages of events |
//! | [`recover`] | revoking again what a restored store has forgotten |
//! | [`leak`] | bearers that were found |
//! | [`limit`] | rate limits |
//! | [`webhook`], [`signals`] | events sent to receivers, and streams that receivers manage |
//! | [`keys`] | the keys that seal a store |
//! | [`operations`] | statistics, the report of `doctor` |
//! | [`refusal`] | why a part of a request was refused |
//! | [`problem`] | errors (RFC 9457) |
//! | [`many`] | one body or an array of them |
//!
//! # Rules
//! - A request refuses a member that it does not know, except those of [`signals`]. An answer may have more members than this
//!   version knows, so its reader ignores them.
//! - Times are RFC 3339 texts, durations are texts such as `15m`.
//! - A secret is a [`SecretText`]: `Debug` does not show it, and it is wiped when dropped.
//! - An error about a body never contains a value of the body.
//!
//! With the feature `schema`, each body implements `schemars::JsonSchema`.

pub mod binary;
pub mod change;
pub mod edge;
pub mod event;
pub mod grant;
pub mod introspect;
pub mod json;
pub mod keys;
pub mod leak;
pub mod limit;
pub mod list;
pub mod many;
pub mod operations;
pub mod problem;
pub mod recover;
pub mod refusal;
pub mod revoke;
#[cfg(feature = "schema")]
pub mod schema;
pub mod secret;
pub mod session;
pub mod signals;
pub mod token;
pub mod validate;
pub mod webhook;

pub use binary::Binary;
pub use change::{DeriveBody, RefreshBody, RefreshedBody, RefreshedCase, RotateBody, UpdateBody};
pub use event::{EventBody, EventsPageBody};
pub use grant::{AuthTime, GrantSpec, InvalidGrantSpec, Lifetime, TimeSpec, TokenFormat};
pub use introspect::IntrospectBody;
pub use json::InvalidJson;
pub use keys::{
    KeyBody, KeyUse, KeysBody, ResealBody, ResealProgress, RetireKeyBody, RetiredKeyBody,
};
pub use leak::{GithubLabel, GithubLeak, GithubVerdict, LeakBody, LeakOutcome, LeaksBody};
pub use limit::{
    CountedBody, LimitPolicyBody, LimitVerdictBody, LimitVerdictsBody, LimitsBody, NamedLimit,
    TestLimitBody,
};
pub use list::{CountBody, HistoryBody, HistoryEntryBody, TokenPageBody};
pub use many::{MAX_ITEMS, OneOf, OneOrMany};
pub use operations::{ClientStats, DoctorBody, FindingBody, StatsBody};
pub use problem::Problem;
pub use recover::{
    AcceptBody, AcceptedBody, LoggedRevocation, LoggedTarget, RecoverBody, RecoverProgress,
};
pub use refusal::RefusalBody;
pub use revoke::{RevokeAnswer, RevokeBody, RevokeOutcome, RevokeProgress, RevokeTarget};
pub use secret::SecretText;
pub use session::OpenSessionBody;
pub use token::{IssueOutcome, IssuedBody, RevocationBody, StatusPlaceBody, TokenBody};
pub use validate::{
    DpopBody, ExplainAnswer, ExplainBody, LimitCharge, LimitStatusBody, ProvenKey, SecretBody,
    ValidateAnswer, ValidateBody, WhichSecret,
};
