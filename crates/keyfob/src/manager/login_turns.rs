//! Logins of one subject take turns: all of them write one session index.
//!
//! Within a process, a login waits for the one before it. Between processes, a login whose index was
//! changed by another one waits for a random time, which gets longer. Both end with a budget.

use std::fmt;
use std::time::Duration;

use keyfob_core::namespace::Term;
use keyfob_core::random::{self, Random};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep, timeout_at};

/// How long a login waits for other logins of its subject.
const BUDGET: Duration = Duration::from_secs(3);
/// After the first lost race a login tries again without a pause: the other login is done. The pause after the
/// second one is random, up to this; each further one is up to twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const MAX_PAUSE: Duration = Duration::from_millis(64);
/// How many subjects can have their logins stored at the same time.
const STRIPES: u64 = 256;

/// The turns of this process.
pub(super) struct LoginTurns(Box<[Mutex<()>]>);

/// The turn of one login. The next login in this process has its turn when this one is dropped.
pub(super) struct LoginTurn<'a> {
    _turn: MutexGuard<'a, ()>,
    ends: Instant,
    pause: Duration,
}

impl fmt::Debug for LoginTurns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginTurns")
    }
}

impl LoginTurns {
    pub(super) fn new() -> Self {
        Self((0..STRIPES).map(|_| Mutex::default()).collect())
    }

    /// Waits for the turn of a login; `None` if it did not come within the budget.
    pub(super) async fn begin(&self, subject: Term) -> Option<LoginTurn<'_>> {
        let ends = Instant::now() + BUDGET;
        let stripe = self.0.get((subject.number() % STRIPES) as usize)?;
        let turn = timeout_at(ends, stripe.lock()).await.ok()?;
        Some(LoginTurn { _turn: turn, ends, pause: Duration::ZERO })
    }
}

impl LoginTurn<'_> {
    /// Waits after a login of another process was faster. Returns whether there is time to try again.
    pub(super) async fn wait(&mut self, random: &dyn Random) -> bool {
        if !self.pause.is_zero() {
            // Without randomness, the pause has its whole length.
            let part = random::array::<1>(random).map_or(255, |[byte]| byte);
            sleep(self.pause * u32::from(part) / 255).await;
        }
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, MAX_PAUSE);
        Instant::now() < self.ends
    }
}
