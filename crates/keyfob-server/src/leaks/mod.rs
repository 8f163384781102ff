//! Bearers that were found where they should not be: revoked in one step, and forgotten if they are not ours.
//!
//! | module | who tells |
//! |---|---|
//! | `plain` | a caller with the scope `keyfob:revoke`, at `POST /v1/leaks` |
//! | `github` | GitHub's secret scanning, at `POST /leaks/github`, with a signature |

pub(crate) mod github;
mod github_keys;
pub(crate) mod plain;

pub use github_keys::{GithubKeys, InvalidGithubKeys};
pub use plain::outcome_of;
