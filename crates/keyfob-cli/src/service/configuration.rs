//! The file, the environment and the flags, read together.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyfob::TokenManager;
use keyfob::random::OsRandom;
use keyfob_server::config::{ClientCertificates, Config, Loaded, Sources, TlsSection};
use keyfob_server::jwt::{CannotSign, JwtKeys};
use keyfob_server::leaks::GithubKeys;
use keyfob_server::listen::tls::CertificateFiles;

use super::forwarding::ToCentral;
use crate::args::{ServeArgs, Settings};
use crate::failure::Failure;
use crate::key_source::KeySource;
use crate::open;

/// The maximum length of a file with the keys of GitHub.
const MAX_KEYS_FILE_BYTES: u64 = 1024 * 1024;
/// The maximum length of a file with the URL of a store.
const MAX_STORE_FILE_BYTES: u64 = 64 * 1024;

/// Where a configuration comes from. It can be read again.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    file: Option<PathBuf>,
    args: ServeArgs,
    settings: Settings,
}

/// The configuration of a service.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) loaded: Loaded,
    /// The settings of the command line, with those of the other sources.
    pub(crate) settings: Settings,
}

impl Source {
    /// Returns the sources of `serve`.
    pub(crate) fn of_service(args: &ServeArgs, settings: &Settings) -> Self {
        Self { file: args.config.clone(), args: args.clone(), settings: settings.clone() }
    }

    /// Returns the sources of a command that only looks at the configuration.
    pub(crate) fn of_file(file: Option<PathBuf>, settings: &Settings) -> Self {
        Self { file, args: ServeArgs::default(), settings: settings.clone() }
    }

    /// Reads the configuration.
    pub(crate) fn read(&self) -> Result<Configuration, Failure> {
        let mut sources = Sources::new().variables(variables());
        if cfg!(feature = "otlp") {
            sources = sources.open_telemetry(variables());
        }
        if let Some(path) = &self.file {
            sources = sources.file(path.display().to_string(), read(path, u64::MAX)?);
        }
        for (flag, setting, value) in &self.settings.flags {
            sources = sources.flag(*flag, &[setting], value.clone());
        }
        let args = &self.args;
        if let Some(listen) = &args.listen {
            sources = sources.flag("--listen", &["listen"], listen.to_string());
        }
        if let Some(issuer) = &args.issuer {
            sources = sources.flag("--issuer", &["issuer"], issuer.to_string());
        }
        if !args.public_client.is_empty() {
            let clients: Vec<_> = args.public_client.iter().map(ToString::to_string).collect();
            sources = sources.flag("--public-client", &["public_clients"], clients);
        }
        let loaded = sources.read().map_err(Failure::Configuration)?;
        let settings = effective(&loaded.config, &self.settings)?;
        Ok(Configuration { loaded, settings })
    }
}

/// Returns the settings of the command line under a configuration.
fn effective(config: &Config, settings: &Settings) -> Result<Settings, Failure> {
    let store = match (&config.store, &config.store_file) {
        (Some(store), _) => Some(store.expose().to_owned()),
        (None, Some(file)) => Some(read(file, MAX_STORE_FILE_BYTES)?.trim().to_owned()),
        (None, None) => None,
    };
    let keys = config.keys.as_deref().map(str::parse).transpose().map_err(|error| {
        let message = format!("keys is not valid: {error}");
        Failure::Usage { code: "invalid_value", message, details: String::new() }
    })?;
    Ok(Settings { store, keys, prefix: config.prefix.clone(), ..settings.clone() })
}

/// Returns the variables of the environment that are text.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn read(path: &Path, max: u64) -> Result<String, Failure> {
    let what = || path.display().to_string();
    let unreadable = |error| Failure::Input { what: what(), error };
    let length = fs::metadata(path).map_err(unreadable)?.len();
    if length > max {
        let error = std::io::Error::other(format!("it is longer than {max} bytes"));
        return Err(Failure::Input { what: what(), error });
    }
    fs::read_to_string(path).map_err(unreadable)
}

/// Returns the files of the certificates; `None` for plain HTTP.
pub(crate) fn certificate_files(tls: &TlsSection) -> Option<CertificateFiles> {
    Some(CertificateFiles {
        certificate: tls.certificate.clone()?,
        key: tls.key.clone()?,
        client_ca: tls.client_ca.clone(),
        demands_client_certificate: tls.client_certificates == ClientCertificates::Required,
    })
}

/// Returns the settings of a server, with what they name in files.
pub(crate) fn server_settings(config: &Config) -> Result<keyfob_server::Settings, Failure> {
    let mut settings = config.settings();
    if let (Some(central), true) = (&config.edge.central, config.edge.forward) {
        let client = open::central_client(central, &config.edge, settings.request_timeout)?;
        settings = settings.forward(Arc::new(ToCentral(client)));
    }
    let invalid =
        |message: String| Failure::Usage { code: "invalid_value", message, details: String::new() };
    if let Some(nats) = &settings.webhooks.nats {
        nats.check_files().map_err(|unusable| invalid(unusable.to_string()))?;
    }
    let Some(path) = &config.leaks.github_keys else { return Ok(settings) };
    let keys = GithubKeys::parse(&read(path, MAX_KEYS_FILE_BYTES)?);
    let keys = keys.map_err(|error| invalid(format!("leaks.github_keys is not valid: {error}")))?;
    Ok(settings.github_keys(keys))
}

/// Returns the keys that sign JWTs, if the configuration asks for JWTs. Without a ring they are those that were drawn, with
/// `--dev`.
pub(crate) async fn jwt_keys(
    config: &Config,
    manager: &TokenManager,
    drawn: Option<&JwtKeys>,
) -> Result<Option<JwtKeys>, Failure> {
    let invalid =
        |message: String| Failure::Usage { code: "invalid_value", message, details: String::new() };
    if !config.jwt.is_wanted() {
        return Ok(drawn.cloned());
    }
    let Some(source) = config.jwt.keys.as_deref().or(config.keys.as_deref()) else {
        if let Some(drawn) = drawn {
            return Ok(Some(drawn.clone()));
        }
        return Err(invalid(
            "jwt.audiences needs keys that sign: set jwt.keys, or seal the store with keys. keyfob keys generate \
             makes a key ring"
                .to_owned(),
        ));
    };
    let source: KeySource =
        source.parse().map_err(|error| invalid(format!("jwt.keys is not valid: {error}")))?;
    let ring = source.ring().await?;
    JwtKeys::of_ring(&ring, manager).map(Some).map_err(cannot_sign)
}

/// Draws the keys that sign JWTs until the process ends.
pub(crate) fn draw_jwt_keys() -> Result<JwtKeys, Failure> {
    JwtKeys::draw(&OsRandom).map_err(cannot_sign)
}

fn cannot_sign(_: CannotSign) -> Failure {
    let message = "the keys that sign JWTs cannot be derived".to_owned();
    Failure::Usage { code: "invalid_value", message, details: String::new() }
}
