//! The one connection of the process to NATS.
//!
//! It is made for the first message. Until the first success each attempt connects by itself, so that its error is known;
//! from then on the client connects again in the background, and messages fail at once while it has no server.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::{AuthError, Client, ConnectError, ConnectErrorKind, ConnectOptions, Event};
use tokio::sync::{OnceCell, watch};

use super::{NatsSettings, login};
use crate::webhooks::tls;

/// The maximum time for a connection, its handshakes included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a silent server is asked whether it is there. After two questions without an answer the client connects again.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// The maximum number of commands to the client that wait. Each message has three.
const MAX_WAITING: usize = 256;
/// The maximum number of answers that wait at one inbox, which gets one.
const MAX_ANSWERS: usize = 4;

pub(super) struct Connection {
    settings: NatsSettings,
    client: OnceCell<Client>,
    trouble: Trouble,
}

/// The last thing that went wrong outside of a call.
type Trouble = watch::Sender<Option<String>>;

impl Connection {
    pub(super) fn new(settings: NatsSettings) -> Self {
        Self { settings, client: OnceCell::new(), trouble: Trouble::default() }
    }

    /// Returns the client, if it has a server.
    pub(super) async fn client(&self) -> Result<&Client, String> {
        let client = self.client.get_or_try_init(|| self.connect()).await?;
        match client.connection_state() {
            State::Connected => Ok(client),
            State::Pending | State::Disconnected => {
                let why = self.trouble.borrow().as_ref().map(|why| format!(": {why}"));
                Err(format!("the connection to NATS is lost{}", why.unwrap_or_default()))
            }
        }
    }

    /// Returns what hears of complaints from now on.
    pub(super) fn complaints(&self) -> Complaints {
        Complaints(self.trouble.subscribe())
    }

    async fn connect(&self) -> Result<Client, String> {
        let login = self.settings.login.clone();
        let answer = move |nonce: Vec<u8>| {
            let login = login.clone();
            async move {
                // It reads files.
                let answer = tokio::task::spawn_blocking(move || login::answer(&login, &nonce));
                answer.await.map_err(AuthError::new)?.map_err(AuthError::new)
            }
        };
        let trouble = self.trouble.clone();
        let listen = move |event: Event| {
            let trouble = trouble.clone();
            async move { note(&trouble, &event) }
        };
        let needs_tls = self.settings.servers.iter().any(|server| server.starts_with("tls:"));
        let options = ConnectOptions::with_auth_callback(answer)
            .name("keyfob")
            .require_tls(needs_tls)
            .tls_client_config(tls::config(self.settings.ca.as_deref())?)
            // Only the operator says which servers there are.
            .ignore_discovered_servers()
            .connection_timeout(CONNECT_TIMEOUT)
            .ping_interval(PING_INTERVAL)
            .client_capacity(MAX_WAITING)
            .subscription_capacity(MAX_ANSWERS)
            .event_callback(listen);
        options.connect(&self.settings.servers).await.map_err(|error| refused(&error))
    }
}

/// What the server complains about.
pub(super) struct Complaints(watch::Receiver<Option<String>>);

impl Complaints {
    /// Waits until the server complains about one of these subjects, which it puts in quotes.
    pub(super) async fn about(&mut self, subjects: &[&str]) -> String {
        let quoted: Vec<String> = subjects.iter().map(|subject| format!("\"{subject}\"")).collect();
        // What is there already is about another message.
        while self.0.changed().await.is_ok() {
            let last = self.0.borrow_and_update().clone();
            if let Some(what) = last
                && quoted.iter().any(|subject| what.contains(subject))
            {
                return what;
            }
        }
        // The connection is gone, and so is the message.
        std::future::pending().await
    }
}

/// Notes what happens to the connection.
fn note(trouble: &Trouble, event: &Event) {
    match event {
        Event::Connected => drop(trouble.send_replace(None)),
        Event::ServerError(error) => {
            tracing::warn!(%error, "the NATS server complains");
            trouble.send_replace(Some(error.to_string()));
        }
        Event::ClientError(error) => drop(trouble.send_replace(Some(error.to_string()))),
        Event::Disconnected => tracing::warn!("the connection to NATS is lost"),
        _ => {}
    }
}

/// Says why there is no connection.
fn refused(error: &ConnectError) -> String {
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation => {
            "the NATS server refuses the login: check [nats] credentials, nkey, or user and password_file"
                .to_owned()
        }
        ConnectErrorKind::TimedOut => {
            format!("the NATS server does not answer within {CONNECT_TIMEOUT:?}")
        }
        _ => format!("the NATS server cannot be reached: {error}"),
    }
}
