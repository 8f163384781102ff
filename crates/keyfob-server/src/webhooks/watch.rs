//! What one replica at a time does for a receiver that polls: it says how long its events wait, and moves the position
//! over events that it does not want, so that the log has to reach back to those that it wants and no further.

use std::time::Duration;

use keyfob::values::Ttl;

use super::registry::{Registry, WebhookError};
use super::stored::{self, WebhookId};
use super::supervisor::LIST_INTERVAL;
use super::window::Asked;

impl Registry {
    /// Looks at a stream that is polled, if no other replica does.
    pub(super) async fn watch(&self, id: &WebhookId, owner: &str) -> Result<(), WebhookError> {
        let found = self.subscription(id).await?.filter(|found| found.value.enabled);
        let (Some(subscription), Some(position)) = (found, self.position(id).await?) else {
            self.backlog.remove(id, self.now());
            return Ok(());
        };
        let (to, now) = (subscription.value, self.now());
        let mut kept = position.value;
        if kept.owner != owner && now < kept.lease_until {
            self.backlog.remove(id, now);
            return Ok(());
        }
        let start = kept.cursor();
        let window = self.window((id, &to), (&kept, start), &Asked::default(), Some(0)).await?;
        let was_trimmed = kept.trimmed_at;
        window.save(&mut kept, now);
        if kept.trimmed_at != was_trimmed {
            tracing::error!(webhook = id.as_str(), "events were trimmed before they were polled");
        }
        owner.clone_into(&mut kept.owner);
        kept.lease_until = now + lease(self.settings.lease.max(LIST_INTERVAL));
        match self.write(id.position(), Some(position.version), Some(stored::body(&kept))).await {
            // The receiver polls, or another replica looks.
            Err(WebhookError::Contended) => return Ok(()),
            written => written?,
        }
        self.backlog.set_oldest(id, kept.waiting_since, now);
        let count = self.count_dead_letters(id).await?;
        self.backlog.set_dead_letters(id, count, now);
        Ok(())
    }
}

/// Returns for how long a replica looks alone: until after its next look.
fn lease(interval: Duration) -> Ttl {
    Ttl::try_from(interval * 2).unwrap_or(Ttl::from_mins(1))
}
