//! One runner for each subscription.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::registry::Registry;
use super::runner::Runner;
use super::stored::WebhookId;

/// How often the subscriptions are listed, for those that other replicas create.
const LIST_INTERVAL: Duration = Duration::from_secs(15);

impl Registry {
    /// Delivers events until `stop` completes. Then what is known to be delivered is saved.
    pub(crate) async fn run(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let owner = format!("{:032x}", owner());
        let mut runners: HashMap<WebhookId, JoinHandle<()>> = HashMap::new();
        // No replica looks for a lease later than it may have ended.
        let interval = LIST_INTERVAL.min(self.settings.lease);
        tokio::pin!(stop);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            runners.retain(|_, runner| !runner.is_finished());
            match self.subscriptions().await {
                Ok(all) => {
                    for (id, subscription) in all {
                        if subscription.value.enabled && !runners.contains_key(&id) {
                            let stopped = stopped.clone();
                            let runner =
                                deliver(Arc::clone(&self), id.clone(), owner.clone(), stopped);
                            runners.insert(id, tokio::spawn(runner));
                        }
                    }
                }
                // A store without documents has no webhooks.
                Err(error) => tracing::debug!(?error, "the webhooks cannot be listed"),
            }
            tokio::select! {
                () = &mut stop => break,
                () = changed => {}
                () = tokio::time::sleep(interval) => {}
            }
        }
        let _no_runner_is_left = stopping.send(true);
        for runner in runners.into_values() {
            let _ended = runner.await;
        }
    }
}

/// Delivers for one subscription, if its lease is free.
async fn deliver(
    registry: Arc<Registry>,
    id: WebhookId,
    owner: String,
    mut stopped: watch::Receiver<bool>,
) {
    match Runner::take(&registry, &id, &owner).await {
        Ok(Some(runner)) => {
            let ended = runner
                .run(async {
                    let _dropped_too = stopped.wait_for(|stopped| *stopped).await;
                })
                .await;
            tracing::debug!(webhook = id.as_str(), ?ended, "a run of a webhook has ended");
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(webhook = id.as_str(), ?error, "a webhook cannot be run"),
    }
}

fn owner() -> u128 {
    use keyfob::random::{OsRandom, Random as _};
    let mut bytes = [0; 16];
    if OsRandom.fill(&mut bytes).is_err() {
        // Two processes without randomness differ by their ids.
        return std::process::id().into();
    }
    u128::from_be_bytes(bytes)
}
