//! What GitHub's secret scanning found: `POST /leaks/github`. Other scanners use `POST /v1/leaks`.

pub(crate) mod github;
mod github_keys;

pub use github_keys::{GithubKeys, InvalidGithubKeys};
