//! The configuration as text, and its JSON Schema.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::sections::{Config, EdgeSection};

/// The schema, with every part where it is used.
pub(super) static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.into_generator().into_root_schema_for::<Config>().to_value()
});

/// Returns the JSON Schema (draft 2020-12) of `keyfob.toml`, for editors.
pub fn schema() -> &'static Value {
    &SCHEMA
}

/// What stands for a secret.
const REDACTED: &str = "[redacted]";

impl Config {
    /// Returns the configuration with the secrets of its values replaced: a password in the URL of the
    /// store, or in an option of it, and the key of an edge.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let redact = |store: &keyfob_api::SecretText| {
            keyfob_api::SecretText::new(redacted_url(store.expose()))
        };
        let key = self.edge.key.as_ref().map(|_| keyfob_api::SecretText::new(REDACTED));
        let edge = EdgeSection { key, ..self.edge.clone() };
        Self { store: self.store.as_ref().map(redact), edge, ..self.clone() }
    }

    /// Returns the configuration as TOML, the defaults included.
    ///
    /// # Errors
    /// If a value cannot be written, which no value of this version is.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

/// Replaces the passwords of a URL. What does not look like a URL is replaced whole.
fn redacted_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once(':') else { return REDACTED.to_owned() };
    let (place, options) = match rest.split_once('?') {
        Some((place, options)) => (place, Some(options)),
        None => (rest, None),
    };
    let place = match place.rsplit_once('@') {
        Some((_, host)) => format!("//{REDACTED}@{host}"),
        None => place.to_owned(),
    };
    let option = |option: &str| match option.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={REDACTED}"),
        _ => option.to_owned(),
    };
    match options {
        Some(options) => {
            let options: Vec<_> = options.split('&').map(option).collect();
            format!("{scheme}:{place}?{}", options.join("&"))
        }
        None => format!("{scheme}:{place}"),
    }
}

/// Returns whether an option of a store's URL has a secret: a password, but not where to find one.
fn is_secret(name: &str) -> bool {
    let is_about =
        name.ends_with("_file") || name.ends_with("_command") || name.ends_with("_lifetime");
    name.contains("password") && !is_about
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_a_store_are_not_shown() {
        for (url, shown) in [
            ("file:/var/lib/keyfob/tokens.redb", "file:/var/lib/keyfob/tokens.redb"),
            ("redis://user:hunter2@h:6379/0", "redis://[redacted]@h:6379/0"),
            (
                "redis://h?sentinel_password=hunter2&wait=1",
                "redis://h?sentinel_password=[redacted]&wait=1",
            ),
            ("redis://h?password_file=/run/p", "redis://h?password_file=/run/p"),
            ("hunter2", "[redacted]"),
        ] {
            assert_eq!(redacted_url(url), shown);
        }
    }
}
