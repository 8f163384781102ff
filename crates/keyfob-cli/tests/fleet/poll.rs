//! Asks one server about one bearer token until it is refused.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::client::{Client, Verdict};

/// The max staleness of a server: no token is active later than this after its revocation returned.
pub(crate) const BOUND: Duration = Duration::from_millis(250);
/// How long a server may take to be right again after a fault.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Asks one server about one bearer token all the time.
pub(crate) struct Poll {
    /// Returns when the last request was sent whose answer was "active", and when "inactive" came.
    task: JoinHandle<(Instant, Instant)>,
}

impl Poll {
    /// Begins when the server has answered "active" from its cache.
    pub(crate) async fn begin(client: &Client, bearer: &str) -> Self {
        for _ in 0..3 {
            assert_eq!(client.introspect(bearer).await, Verdict::Active);
        }
        let (client, bearer) = (client.clone(), bearer.to_owned());
        let task = tokio::spawn(async move {
            let mut last_active = Instant::now();
            let begun = Instant::now();
            loop {
                let sent = Instant::now();
                match client.introspect(&bearer).await {
                    Verdict::Active => last_active = sent,
                    Verdict::Inactive => return (last_active, Instant::now()),
                    Verdict::Unknown => sleep(Duration::from_millis(5)).await,
                }
                assert!(begun.elapsed() < PATIENCE, "the token is never refused");
            }
        });
        Self { task }
    }

    /// Waits for the refusal. Returns how long after the revocation it came.
    pub(crate) async fn refused_after(self, returned: Instant) -> Duration {
        let (last_active, refused) = self.task.await.unwrap();
        let late = last_active.saturating_duration_since(returned);
        assert!(
            late <= BOUND,
            "a request of {late:?} after the revocation was answered \"active\""
        );
        refused.saturating_duration_since(returned)
    }
}
