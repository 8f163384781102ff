//! Apache with mod_auth_openidc as a resource server: introspection (RFC 7662).

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use super::gateway::{Answers, Guarded};
use super::install;

/// Guards a page by Apache.
pub(super) fn run() -> Result<()> {
    let module = "/usr/lib/apache2/modules/mod_auth_openidc.so";
    install::debian(&["apache2", "libapache2-mod-auth-openidc"], module)?;
    let guarded = Guarded::start("apache", |service, folder| {
        let key = json!({"kind": "api-key", "client": "apache", "scopes": ["keyfob:introspect"]});
        let mut apache = Command::new("/usr/sbin/apache2");
        apache
            .args(["-X", "-f"])
            .arg(folder.join("httpd.conf"))
            .env("PAGE_DIR", folder)
            .env("PAGE_PASSPHRASE", "of the cache, which is not used")
            .env("KEYFOB_CLIENT_SECRET", service.issue(&key)?);
        Ok(apache)
    })?;
    guarded.refuses_bound_tokens().context("a token that is bound to a key")?;
    let answers = Answers {
        malformed: 401,
        has_scope_challenge: false,
        has_token_headers: false,
        refuses_underscores: false,
        without_keyfob: 401,
    };
    guarded.walk(&answers).map(drop)
}
