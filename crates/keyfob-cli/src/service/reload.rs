//! SIGHUP: reads configuration, keys and certificates again, without a lost request.
//!
//! What is not valid changes nothing, and the log says what is wrong. Settings that are fixed when the
//! process starts are named in the log.

use std::sync::Arc;

use keyfob::TokenManager;
use keyfob_server::config::Config;
use keyfob_server::jwt::JwtKeys;
use keyfob_server::listen::tls::Certificates;
use keyfob_server::{Server, Settings};

use super::configuration::{Configuration, Source, certificate_files, jwt_keys, server_settings};
use super::supervisor;
use crate::failure::Failure;
use crate::logs;

/// What a reload replaces.
#[derive(Debug)]
pub(crate) struct Reloading {
    pub(crate) source: Source,
    /// The configuration at the start.
    pub(crate) config: Config,
    pub(crate) manager: TokenManager,
    pub(crate) server: Server,
    pub(crate) certificates: Option<Arc<Certificates>>,
    /// The keys that sign JWTs where no ring is named.
    pub(crate) drawn_keys: Option<JwtKeys>,
}

/// The SIGHUPs of this process. Creating this catches them: before, they end the process.
#[derive(Debug)]
pub(crate) struct Hangups {
    #[cfg(unix)]
    signals: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    #[cfg(unix)]
    pub(crate) fn catch() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = signal(SignalKind::hangup());
        if let Err(error) = &signals {
            tracing::warn!(%error, "SIGHUP cannot be caught: it ends the server");
        }
        Self { signals: signals.ok() }
    }

    #[cfg(not(unix))]
    pub(crate) fn catch() -> Self {
        Self {}
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals
            && signals.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

impl Reloading {
    /// Reloads at every SIGHUP. Never returns.
    pub(crate) async fn run(self, mut hangups: Hangups) {
        loop {
            hangups.next().await;
            self.reload().await;
        }
    }

    async fn reload(&self) {
        tracing::info!("configuration, keys and certificates are read again");
        supervisor::reloading();
        match self.read().await {
            Ok((settings, read)) => {
                let config = &read.loaded.config;
                for setting in fixed(&self.config, config) {
                    tracing::warn!(setting, "the new value applies after a restart");
                }
                self.server.reload(settings);
                logs::change_filter(config.log.filter.as_deref());
                tracing::info!("the configuration has been read again");
            }
            Err(failure) => tracing::error!(
                code = failure.code(),
                error = failure.in_full(),
                "the configuration before stays in use"
            ),
        }
        self.reload_keys().await;
        if let Some(certificates) = &self.certificates {
            let certificates = Arc::clone(certificates);
            let reload = move || certificates.reload_and_log();
            if let Err(error) = tokio::task::spawn_blocking(reload).await {
                tracing::error!(%error, "the certificates could not be compared");
            }
        }
        supervisor::ready();
    }

    async fn read(&self) -> Result<(Settings, Configuration), Failure> {
        let read = self.source.read()?;
        let mut settings = server_settings(&read.loaded.config)?;
        let drawn = self.drawn_keys.as_ref();
        settings.jwt.keys = jwt_keys(&read.loaded.config, &self.manager, drawn).await?;
        Ok((settings, read))
    }

    async fn reload_keys(&self) {
        let source = match self.source.read() {
            Ok(read) => read.settings.keys,
            Err(_) => return,
        };
        let Some(source) = source else { return };
        let reloaded = match source.ring().await {
            Ok(ring) => self.manager.set_keys(&ring),
            Err(error) => Err(error.into()),
        };
        match reloaded {
            Ok(()) => tracing::info!("the key ring has been read again"),
            Err(error) => {
                tracing::error!(code = error.code(), %error, "the keys before stay in use");
            }
        }
    }
}

/// Returns the settings that differ and that are fixed when the process starts.
fn fixed(before: &Config, after: &Config) -> Vec<&'static str> {
    let store = |config: &Config| config.store.as_ref().map(|store| store.expose().to_owned());
    let edge = |config: &Config| {
        let edge = config.edge.clone();
        (edge.central, edge.key.map(|key| key.expose().to_owned()), edge.key_file, edge.ca)
    };
    let (http, http_after) = (&before.http, &after.http);
    [
        ("listen", before.listen != after.listen),
        ("store", store(before) != store(after)),
        ("store_file", before.store_file != after.store_file),
        ("cache", before.cache != after.cache),
        ("edge", edge(before) != edge(after)),
        ("keys", before.keys.is_some() != after.keys.is_some()),
        ("prefix", before.prefix != after.prefix),
        ("management", before.management != after.management),
        ("console", before.console != after.console),
        ("webhooks", before.webhooks != after.webhooks),
        ("signals", before.signals != after.signals),
        ("nats", before.nats != after.nats),
        ("limits", before.limits != after.limits),
        ("tls", certificate_files(&before.tls) != certificate_files(&after.tls)),
        ("http.max_connections", http.max_connections != http_after.max_connections),
        ("http.max_requests", http.max_requests != http_after.max_requests),
        ("traces", before.traces != after.traces),
        ("log.format", before.log.format != after.log.format),
    ]
    .into_iter()
    .filter_map(|(setting, differs)| differs.then_some(setting))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_are_fixed_are_named() {
        let before = Config::default();
        let mut after = before.clone();
        after.listen = "127.0.0.1:1".parse().unwrap();
        after.http.request_timeout = keyfob::Ttl::from_secs(1);
        assert_eq!(fixed(&before, &after), ["listen"]);
    }
}
