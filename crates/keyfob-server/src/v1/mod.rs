//! The API of this service (`/v1`), for its operators and for services that issue tokens.
//!
//! | module | content |
//! |---|---|
//! | `parameters` | the parameters of path, query and headers |
//! | `input` | what a request names: the body, the id in the path, a filter |
//! | `view` | what a caller may read |
//! | `issue` | issuing tokens |
//! | `tokens` | one token: read, change, revoke |
//! | `derive` | narrower tokens |
//! | `refresh` | the exchange of a refresh token |
//! | `list` | pages of tokens, counts |
//! | `validate` | verdicts on bearer tokens, with limits |
//! | `explain` | all that is wrong with a token |
//! | `introspect` | introspection of many tokens |
//! | `leaks` | revoking bearers that a scanner found |
//! | `edge` | what a node without a store asks |
//! | `revoke` | revoking by everything that names tokens |
//! | `events` | events by page, or as a stream |
//! | `limits` | rate limits: those of the server, and one that a request names |
//! | `keys` | the keys that seal the store |
//! | `recover` | revoking again what a restored store has forgotten |
//! | `webhooks` | events sent to receivers |
//! | `session` | the caller itself, and sessions for people |
//! | `progress` | streams of progress |
//! | `operations` | statistics, the report of `doctor` |

pub(crate) mod derive;
pub(crate) mod edge;
pub(crate) mod events;
pub(crate) mod explain;
mod idempotency;
pub(crate) mod input;
pub(crate) mod introspect;
pub(crate) mod issue;
pub(crate) mod keys;
pub(crate) mod leaks;
pub(crate) mod limits;
pub(crate) mod list;
pub(crate) mod operations;
pub(crate) mod parameters;
mod progress;
pub(crate) mod recover;
pub(crate) mod refresh;
pub(crate) mod revoke;
pub(crate) mod session;
pub(crate) mod tokens;
pub(crate) mod validate;
pub(crate) mod view;
pub(crate) mod webhooks;
