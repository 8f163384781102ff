//! One runner for each subscription, and a look at each stream that is polled.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use keyfob_api::webhook::WebhookMethod;
use tokio::sync::watch::{Receiver, channel};
use tokio::task::JoinHandle;

use super::registry::Registry;
use super::runner::Runner;
use super::stored::WebhookId;

/// How often the subscriptions are listed, for those that other replicas create.
pub(super) const LIST_INTERVAL: Duration = Duration::from_secs(15);

impl Registry {
    /// Delivers events until `stop` completes. Then what is known to be delivered is saved.
    pub(crate) async fn run(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = channel(false);
        let owner = format!("{:032x}", owner());
        let mut runners: HashMap<WebhookId, JoinHandle<()>> = HashMap::new();
        let mut watched: HashSet<WebhookId> = HashSet::new();
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
                    watched.retain(|id| {
                        let is_there = all.iter().any(|(other, _)| other == id);
                        if !is_there {
                            self.backlog.remove(id, self.now());
                        }
                        is_there
                    });
                    for (id, subscription) in all {
                        let subscription = subscription.value;
                        let is_polled = subscription.method == WebhookMethod::Poll;
                        if runners.contains_key(&id) || !(is_polled || subscription.enabled) {
                            continue;
                        }
                        let (registry, owner) = (Arc::clone(&self), owner.clone());
                        let runner = match subscription.method {
                            WebhookMethod::Poll => {
                                watched.insert(id.clone());
                                tokio::spawn(watch(registry, id.clone(), owner))
                            }
                            WebhookMethod::Push => {
                                watched.remove(&id);
                                let stopped = stopped.clone();
                                tokio::spawn(deliver(registry, id.clone(), owner, stopped))
                            }
                        };
                        runners.insert(id, runner);
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

/// Looks at a stream that is polled, if no other replica does.
async fn watch(registry: Arc<Registry>, id: WebhookId, owner: String) {
    if let Err(error) = registry.watch(&id, &owner).await {
        tracing::warn!(webhook = id.as_str(), ?error, "a stream cannot be looked at");
    }
}

/// Delivers for one subscription, if its lease is free.
async fn deliver(
    registry: Arc<Registry>,
    id: WebhookId,
    owner: String,
    mut stopped: Receiver<bool>,
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
