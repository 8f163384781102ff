//! The NATS servers that events are published to.

use std::path::PathBuf;

use http::Uri;
use keyfob_webhook::nats::SubjectPrefix;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text;
use crate::webhooks::nats::{NatsLogin, NatsSettings};

/// NATS servers that subscriptions may publish events to: see `POST /v1/webhooks`. It needs a build with the feature
/// `nats`. Changes apply after a restart; the files are read again for each connection.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Nats")]
pub struct NatsSection {
    /// The servers of a cluster with JetStream, such as `tls://nats.example:4222`. With `nats://` the connection is encrypted
    /// only if the server demands it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<String>,
    /// What the subjects of all subscriptions begin with: letters, digits, `-` and `_`, with dots between.
    #[serde(with = "text")]
    #[schemars(with = "String")]
    pub subject: SubjectPrefix,
    /// The file that has the JWT of a user and the seed of its key, as `nsc` writes it (`.creds`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<PathBuf>,
    /// The file that has the seed of an nkey.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nkey: Option<PathBuf>,
    /// The name of a user with a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The file that has the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The file of the certificates to trust, as PEM, instead of those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

impl NatsSection {
    /// Returns the settings; `None` without servers.
    pub(super) fn settings(&self) -> Option<NatsSettings> {
        if self.servers.is_empty() {
            return None;
        }
        let login = match (&self.credentials, &self.nkey, &self.user, &self.password_file) {
            (Some(path), ..) => NatsLogin::Credentials(path.clone()),
            (_, Some(path), ..) => NatsLogin::Nkey(path.clone()),
            (_, _, Some(user), Some(file)) => {
                NatsLogin::Password { user: user.clone(), file: file.clone() }
            }
            _ => NatsLogin::Anonymous,
        };
        let (servers, subject, ca) = (self.servers.clone(), self.subject.clone(), self.ca.clone());
        Some(NatsSettings { servers, subject, login, ca })
    }

    /// Returns what is wrong: the setting, and the problem.
    pub(super) fn check(&self) -> Option<(&'static str, &'static str)> {
        let is_alone = |logins: [bool; 3]| logins.iter().filter(|given| **given).count() <= 1;
        let has_user = self.user.is_some() || self.password_file.is_some();
        let has_settings = has_user || self.credentials.is_some() || self.nkey.is_some();
        if self.servers.is_empty() && (has_settings || self.ca.is_some()) {
            return Some(("servers", "is missing: give the NATS servers"));
        }
        if !self.servers.iter().all(|server| is_server(server)) {
            let problem = "is not valid: write nats:// or tls://, the host and the port, such as \
                           tls://nats.example:4222";
            return Some(("servers", problem));
        }
        if !is_alone([self.credentials.is_some(), self.nkey.is_some(), has_user]) {
            let setting = if self.credentials.is_some() { "credentials" } else { "nkey" };
            return Some((setting, "and another login exclude each other: give one"));
        }
        match (&self.user, &self.password_file) {
            (Some(_), None) => Some(("user", "needs nats.password_file")),
            (None, Some(_)) => Some(("password_file", "needs nats.user")),
            _ => None,
        }
    }
}

/// Returns whether a text is the address of a server. One with a user would be a secret.
fn is_server(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let has_host = uri
        .authority()
        .is_some_and(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
    let has_scheme = matches!(uri.scheme_str(), Some("nats" | "tls"));
    has_scheme && has_host && uri.path().len() <= 1 && uri.query().is_none()
}
