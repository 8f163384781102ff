//! The login of new connections, whose password may change while the process runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyfob_store::StoreError;
use tokio::sync::watch;
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
    /// When the password should be replaced.
    pub(super) renew_at: Option<Instant>,
    /// When it ends.
    ends_at: Option<Instant>,
    /// Counts the answers of the source.
    generation: u64,
}

impl Credentials {
    /// Creates credentials that do not change.
    pub(super) fn fixed(user: Option<String>, password: Option<Secret>) -> Self {
        Self { user, password, renew_at: None, ends_at: None, generation: 0 }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.renew_at.is_some_and(|at| at <= now)
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
    last: Mutex<LastAnswer>,
    /// Changes whenever the source has been asked.
    asked: watch::Sender<()>,
    has_succeeded: AtomicBool,
}

/// The last answer of the source.
#[derive(Debug, Default)]
struct LastAnswer {
    credentials: Option<Credentials>,
    /// Why there was no answer the last time.
    failure: Option<String>,
    asked: Option<Instant>,
    /// Whether a task waits for the source.
    is_asking: bool,
}

/// The right to ask the source. It ends with the task that has it, also if that ends with its runtime.
struct Asking(Arc<Login>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.last().is_asking = false;
        self.0.asked.send_replace(());
    }
}

impl Login {
    pub(super) fn new(login: &config::Login, lifetime: Option<Duration>) -> Arc<Self> {
        Arc::new(Self {
            user: login.user.clone(),
            password: login.password.clone(),
            lifetime,
            last: Mutex::default(),
            asked: watch::Sender::new(()),
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

    /// Returns what to log in with. A password that is about to end is used while a newer one is asked for.
    pub(super) async fn current(self: &Arc<Self>) -> Result<Credentials, CallError> {
        if let LoginPassword::Source(source) = &self.password {
            let now = Instant::now();
            let valid = self.last().valid(now);
            if let Some(valid) = valid {
                if valid.is_due(now) {
                    self.begin_asking(source, None);
                }
                return Ok(valid);
            }
        }
        self.renewed().await
    }

    /// Returns what to log in with from now on. Waits for the source if the last password is about to end.
    pub(super) async fn renewed(self: &Arc<Self>) -> Result<Credentials, CallError> {
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

    fn last(&self) -> MutexGuard<'_, LastAnswer> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the source, unless its last answer is good enough.
    async fn ask(
        self: &Arc<Self>,
        source: &Arc<dyn PasswordSource>,
        refused: Option<u64>,
    ) -> Result<Credentials, CallError> {
        let mut asked = self.asked.subscribe();
        if let Some(usable) = self.last().usable(refused, Instant::now()) {
            return Ok(usable.clone());
        }
        self.begin_asking(source, refused);
        // The sender lives as long as this login.
        let _changed = asked.changed().await;
        let last = self.last();
        match (&last.failure, &last.credentials) {
            // If the source fails, the last password may still be valid.
            (_, Some(known)) => Ok(known.clone()),
            (Some(failure), None) => Err(CallError::Final(config::misconfigured(failure.clone()))),
            (None, None) => Err(CallError::Refused("the source of the password failed".to_owned())),
        }
    }

    /// Starts a task that asks the source, unless there is one or it has just ended. A caller may stop waiting
    /// sooner than the source needs, and a thousand callers ask once.
    fn begin_asking(self: &Arc<Self>, source: &Arc<dyn PasswordSource>, refused: Option<u64>) {
        let is_needed = {
            let mut last = self.last();
            let is_usable = last.usable(refused, Instant::now()).is_some();
            !is_usable && !std::mem::replace(&mut last.is_asking, true)
        };
        if is_needed {
            let (asking, source) = (Asking(Arc::clone(self)), Arc::clone(source));
            tokio::spawn(async move { asking.0.ask_now(&*source).await });
        }
    }

    async fn ask_now(&self, source: &dyn PasswordSource) {
        let asked = Instant::now();
        self.last().asked = Some(asked);
        let answer = timeout(MAX_ANSWER_TIME, source.password()).await;
        let late = || {
            Err(config::misconfigured(format!(
                "the source of the password gave no answer within {MAX_ANSWER_TIME:?}"
            )))
        };
        let mut last = self.last();
        match answer.unwrap_or_else(|_| late()) {
            Ok(password) => {
                let lifetime = password.lifetime.or(self.lifetime);
                let after = |part: fn(Duration) -> Duration| asked.checked_add(part(lifetime?));
                let generation = last.credentials.as_ref().map_or(0, |known| known.generation) + 1;
                last.credentials = Some(Credentials {
                    user: self.user.clone(),
                    password: Some(password.text),
                    renew_at: after(|lifetime| lifetime / 4 * 3),
                    ends_at: after(|lifetime| lifetime),
                    generation,
                });
                last.failure = None;
            }
            Err(error) => {
                if last.credentials.is_some() {
                    tracing::warn!(%error, "the password cannot be renewed: the last one is used");
                }
                last.failure = Some(match error {
                    StoreError::Misconfigured(what) => what,
                    error => error.to_string(),
                });
            }
        }
    }
}

impl LastAnswer {
    /// Returns the last answer if it is valid.
    fn valid(&self, now: Instant) -> Option<Credentials> {
        self.credentials.clone().filter(|known| known.ends_at.is_none_or(|end| now < end))
    }

    /// Returns the last answer if the source does not have to be asked: it is still valid and was not refused.
    fn usable(&self, refused: Option<u64>, now: Instant) -> Option<&Credentials> {
        let known = self.credentials.as_ref()?;
        let is_refused = refused == Some(known.generation);
        let is_due = known.is_due(now);
        // While a task waits for the source, so does the caller.
        let is_recent =
            !self.is_asking && self.asked.is_some_and(|asked| now < asked + MIN_ASK_INTERVAL);
        (is_recent || !(is_refused || is_due)).then_some(known)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use async_trait::async_trait;
    use tokio::runtime::Builder;
    use tokio::time::sleep;

    use super::*;
    use crate::config::Password;

    /// Answers the first question, and then hangs.
    #[derive(Debug, Default)]
    struct HangsLater {
        asked: AtomicUsize,
    }

    #[async_trait]
    impl PasswordSource for HangsLater {
        async fn password(&self) -> Result<Password, StoreError> {
            if self.asked.fetch_add(1, Ordering::Relaxed) > 0 {
                std::future::pending::<()>().await;
            }
            Ok(Password::new("first").with_lifetime(Duration::from_secs(100)))
        }
    }

    fn login(source: &Arc<HangsLater>) -> Arc<Login> {
        let source: Arc<dyn PasswordSource> = source.clone();
        let password = LoginPassword::Source(source);
        Login::new(&config::Login { user: None, password }, None)
    }

    fn word(credentials: Result<Credentials, CallError>) -> String {
        credentials.unwrap().words().unwrap().1.to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_hangs_delays_no_login_while_the_password_is_valid() {
        let source = Arc::new(HangsLater::default());
        let login = login(&source);
        assert_eq!(word(login.current().await), "first");
        let begun = Instant::now();
        for _ in 0..3 {
            sleep(Duration::from_secs(30)).await;
            let before = Instant::now();
            assert_eq!(word(login.current().await), "first");
            assert_eq!(before.elapsed(), Duration::ZERO, "after {:?}", begun.elapsed());
        }
        // It ends, so that there is nothing else than to wait.
        sleep(Duration::from_secs(30)).await;
        let before = Instant::now();
        assert_eq!(word(login.current().await), "first", "the server decides whether it ended");
        assert!(before.elapsed() <= MAX_ANSWER_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn many_callers_that_give_up_ask_once() {
        let source = Arc::new(HangsLater::default());
        let login = login(&source);
        login.current().await.unwrap();
        sleep(Duration::from_secs(200)).await;
        for _ in 0..100 {
            let late = timeout(Duration::from_millis(10), login.current()).await;
            assert!(late.is_err());
        }
        // No task is left that asks for a caller that gave up.
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(source.asked.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_runtime_that_ends_while_a_source_is_asked_leaves_the_next_one_free_to_ask() {
        let source = Arc::new(HangsLater::default());
        let login = login(&source);
        let runtime =
            || Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime().block_on(async {
            login.current().await.unwrap();
            sleep(Duration::from_secs(80)).await;
            login.current().await.unwrap();
            tokio::task::yield_now().await;
            assert!(login.last().is_asking);
        });
        assert_eq!(source.asked.load(Ordering::Relaxed), 2);
        runtime().block_on(async {
            sleep(Duration::from_secs(90)).await;
            login.current().await.unwrap();
            tokio::task::yield_now().await;
        });
        assert_eq!(source.asked.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn the_source_is_asked_when_the_password_ends_or_is_refused() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let credentials = Credentials {
            user: None,
            password: None,
            renew_at: Some(after(60)),
            ends_at: Some(after(80)),
            generation: 3,
        };
        let mut last = LastAnswer::default();
        assert!(last.usable(None, now).is_none(), "it was never asked");
        last = LastAnswer { credentials: Some(credentials), asked: Some(now), ..last };
        assert!(last.usable(None, after(59)).is_some());
        assert!(last.usable(None, after(60)).is_none(), "the password ends");
        assert!(last.usable(Some(2), after(5)).is_some(), "there is a newer one already");
        assert!(last.usable(Some(3), after(5)).is_none(), "it was refused");
        assert!(last.valid(after(79)).is_some(), "it is valid until it ends");
        assert!(last.valid(after(80)).is_none());
        let soon = now + MIN_ASK_INTERVAL / 2;
        assert!(last.usable(Some(3), soon).is_some(), "it was asked a moment ago");
    }
}
