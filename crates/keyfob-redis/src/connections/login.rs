//! The login of new connections, whose password may change while the process runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyfob_store::StoreError;
use tokio::time::{Instant, timeout};

use super::call_error::CallError;
use crate::config::{self, LoginPassword, PasswordSource, Secret};

/// How long a source may take.
const MAX_ANSWER_TIME: Duration = Duration::from_secs(10);

/// A source whose password was refused is not asked again sooner.
const MIN_ASK_INTERVAL: Duration = Duration::from_secs(1);

/// A user and the password of the moment.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    /// When the password must be replaced.
    pub(super) renew_at: Option<Instant>,
    /// Counts the answers of the source.
    generation: u64,
}

impl Credentials {
    /// Creates credentials that do not change.
    pub(super) fn fixed(user: Option<String>, password: Option<Secret>) -> Self {
        Self { user, password, renew_at: None, generation: 0 }
    }

    /// Returns the user and the password to log in with, or `None` if no login is configured. A user without
    /// a password has an empty one.
    pub(super) fn words(&self) -> Option<(Option<&str>, &str)> {
        let password = self.password.as_ref().map(Secret::expose);
        let is_configured = self.user.is_some() || password.is_some();
        is_configured.then(|| (self.user.as_deref(), password.unwrap_or_default()))
    }
}

#[derive(Debug)]
pub(super) struct Login {
    user: Option<String>,
    password: LoginPassword,
    /// The lifetime of a password whose source sets none.
    lifetime: Option<Duration>,
    last: tokio::sync::Mutex<LastAnswer>,
    has_succeeded: AtomicBool,
}

/// The last answer of the source.
#[derive(Debug, Default)]
struct LastAnswer {
    credentials: Option<Credentials>,
    asked: Option<Instant>,
}

impl Login {
    pub(super) fn new(login: &config::Login, lifetime: Option<Duration>) -> Arc<Self> {
        Arc::new(Self {
            user: login.user.clone(),
            password: login.password.clone(),
            lifetime,
            last: tokio::sync::Mutex::default(),
            has_succeeded: AtomicBool::new(false),
        })
    }

    /// Notes that a server accepted the login.
    pub(super) fn note_success(&self) {
        self.has_succeeded.store(true, Ordering::Relaxed);
    }

    /// Returns whether a login that is refused now may succeed later without new settings: a password is
    /// being changed.
    pub(super) fn may_succeed_later(&self) -> bool {
        matches!(self.password, LoginPassword::Source(_))
            && self.has_succeeded.load(Ordering::Relaxed)
    }

    /// Returns what to log in with.
    pub(super) async fn current(self: &Arc<Self>) -> Result<Credentials, CallError> {
        match &self.password {
            LoginPassword::None => Ok(self.fixed(None)),
            LoginPassword::Fixed(password) => Ok(self.fixed(Some(password.clone()))),
            LoginPassword::Source(source) => self.ask(source, None).await,
        }
    }

    /// Returns what to log in with after a server refused `refused`, or `None` if there is nothing newer.
    pub(super) async fn after_refusal(
        self: &Arc<Self>,
        refused: &Credentials,
    ) -> Result<Option<Credentials>, CallError> {
        let LoginPassword::Source(source) = &self.password else { return Ok(None) };
        let now = self.ask(source, Some(refused.generation)).await?;
        let text = |credentials: &Credentials| {
            credentials.password.as_ref().map(|password| password.expose().to_owned())
        };
        Ok((text(&now) != text(refused)).then_some(now))
    }

    fn fixed(&self, password: Option<Secret>) -> Credentials {
        Credentials::fixed(self.user.clone(), password)
    }

    /// Asks the source, unless its last answer is good enough. A task of its own asks, because a caller may
    /// stop waiting sooner than the source needs.
    async fn ask(
        self: &Arc<Self>,
        source: &Arc<dyn PasswordSource>,
        refused: Option<u64>,
    ) -> Result<Credentials, CallError> {
        let (login, source) = (Arc::clone(self), Arc::clone(source));
        let asking = tokio::spawn(async move {
            let mut last = login.last.lock().await;
            if let Some(usable) = last.usable(refused, Instant::now()) {
                return Ok(usable.clone());
            }
            let asked = Instant::now();
            last.asked = Some(asked);
            let answer = timeout(MAX_ANSWER_TIME, source.password()).await;
            let late = || {
                Err(config::misconfigured(format!(
                    "the source of the password gave no answer within {MAX_ANSWER_TIME:?}"
                )))
            };
            let generation = last.credentials.as_ref().map_or(0, |known| known.generation) + 1;
            match (answer.unwrap_or_else(|_| late()), &last.credentials) {
                (Ok(password), _) => {
                    let lifetime = password.lifetime.or(login.lifetime);
                    let credentials = Credentials {
                        user: login.user.clone(),
                        password: Some(password.text),
                        renew_at: lifetime.map(|lifetime| asked + lifetime * 3 / 4),
                        generation,
                    };
                    last.credentials = Some(credentials.clone());
                    Ok(credentials)
                }
                (Err(error), Some(known)) => {
                    tracing::warn!(%error, "the password cannot be renewed: the last one is used");
                    Ok(known.clone())
                }
                (Err(error), None) => Err(error),
            }
        });
        let answer = asking.await;
        let answer = answer
            .unwrap_or_else(|_| Err(StoreError::unavailable("the source of the password failed")));
        answer.map_err(|error| match error {
            StoreError::Unavailable { detail } => CallError::Refused(detail),
            error => CallError::Final(error),
        })
    }
}

impl LastAnswer {
    /// Returns the last answer if the source does not have to be asked: it is still valid and was not refused.
    fn usable(&self, refused: Option<u64>, now: Instant) -> Option<&Credentials> {
        let known = self.credentials.as_ref()?;
        let is_refused = refused == Some(known.generation);
        let is_due = known.renew_at.is_some_and(|at| at <= now);
        let is_recent = self.asked.is_some_and(|asked| now < asked + MIN_ASK_INTERVAL);
        (is_recent || !(is_refused || is_due)).then_some(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_asked_when_the_password_ends_or_is_refused() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let credentials =
            Credentials { user: None, password: None, renew_at: Some(after(60)), generation: 3 };
        let mut last = LastAnswer { credentials: None, asked: None };
        assert!(last.usable(None, now).is_none(), "it was never asked");
        last = LastAnswer { credentials: Some(credentials), asked: Some(now) };
        assert!(last.usable(None, after(59)).is_some());
        assert!(last.usable(None, after(60)).is_none(), "the password ends");
        assert!(last.usable(Some(2), after(5)).is_some(), "there is a newer one already");
        assert!(last.usable(Some(3), after(5)).is_none(), "it was refused");
        let soon = now + MIN_ASK_INTERVAL / 2;
        assert!(last.usable(Some(3), soon).is_some(), "it was asked a moment ago");
    }
}
