//! One method of the client for each route.
//!
//! | module | routes |
//! |---|---|
//! | `tokens` | issue, read, change |
//! | `check` | validate, explain, introspect |
//! | `revoke` | revoke |
//! | `state` | events, statistics, limits, keys, the report of `doctor` |

mod check;
mod revoke;
mod state;
mod tokens;
