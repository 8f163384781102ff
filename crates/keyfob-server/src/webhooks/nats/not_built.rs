//! What stands for the publisher in a build without the feature `nats`.

use std::time::Duration;

use keyfob::values::Timestamp;
use keyfob_webhook::nats::SubjectPrefix;
use keyfob_webhook::secret::Secret;

use super::super::sender::{Message, Outcome};
use super::{NatsSettings, NatsUnusable};

/// Publishes nothing.
pub(in crate::webhooks) struct Publisher;

impl Publisher {
    pub(in crate::webhooks) fn new(_: Option<NatsSettings>, _: Duration) -> Self {
        Self
    }

    pub(in crate::webhooks) fn check(&self, _: &SubjectPrefix) -> Result<(), NatsUnusable> {
        Err(NatsUnusable::NotBuilt)
    }

    pub(in crate::webhooks) async fn publish(
        &self,
        _: &SubjectPrefix,
        _: &[Secret],
        _: &Message,
        _: Timestamp,
    ) -> Outcome {
        Outcome::failed(NatsUnusable::NotBuilt.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_the_client_says_so() {
        let publisher = Publisher::new(None, Duration::from_secs(1));
        let unusable = publisher.check(&SubjectPrefix::default()).unwrap_err();
        assert_eq!(unusable.code(), "no_nats");
        assert!(unusable.to_string().contains("build it with the feature nats"), "{unusable}");
    }
}
