//! One method of the client for each route.
//!
//! | module | routes |
//! |---|---|
//! | `tokens` | issue, read, change, refresh |
//! | `check` | validate, explain, introspect |
//! | `revoke` | revoke |
//! | `state` | events, statistics, the report of `doctor` |
//! | `session` | the caller itself, sessions of people |
//! | `webhooks` | webhooks and their dead letters |
//! | `signals` | streams of security event tokens, and polls |
//! | `edge` | what an edge asks |
//! | `upkeep` | limits, keys, recovery |

mod check;
mod edge;
mod revoke;
mod session;
mod signals;
mod state;
mod tokens;
mod upkeep;
mod webhooks;
