//! The client of the server that the settings name.

use std::path::Path;

use keyfob_client::{Client, Tls};

use crate::args::ServerSettings;
use crate::failure::Failure;

/// The variable with the key. A flag would show it to other users of this machine.
const TOKEN: &str = "KEYFOB_TOKEN";

/// Builds the client.
pub(crate) fn client(url: &str, settings: &ServerSettings) -> Result<Client, Failure> {
    let mut builder = Client::builder(url)
        .user_agent(concat!("keyfob-cli/", env!("CARGO_PKG_VERSION")))
        .tls(tls(settings)?);
    let value = std::env::var(TOKEN).ok().filter(|value| !value.trim().is_empty());
    builder = match (&settings.token_file, value) {
        (Some(path), _) => builder.bearer_file(path),
        (None, Some(value)) => builder.bearer(value.trim()),
        (None, None) => {
            return Err(usage(format!(
                "the server needs an API key: put it into {TOKEN}, or name its file with --token-file"
            )));
        }
    };
    builder.build().map_err(|error| usage(error.to_string()))
}

fn tls(settings: &ServerSettings) -> Result<Tls, Failure> {
    let mut tls = Tls::new();
    if let Some(path) = &settings.server_ca {
        tls = tls.roots_pem(read(path)?);
    }
    if let (Some(certificate), Some(key)) = (&settings.server_cert, &settings.server_key) {
        let key = String::from_utf8(read(key)?).map_err(|_| usage("the key is not PEM".into()))?;
        tls = tls.identity_pem(read(certificate)?, key);
    }
    Ok(tls)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::Input { what: path.display().to_string(), error })
}

fn usage(message: String) -> Failure {
    Failure::Usage { code: "usage", message, details: String::new() }
}
