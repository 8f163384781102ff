//! From the URL of a subscription to who sends there.

use keyfob_api::webhook::WebhookFormat;
use keyfob_webhook::destination::Destination;

use super::registry::{Registry, WebhookError};
use super::sender::{Message, Outcome, Proof};
use super::stored::{SecretHeader, Subscription};

impl Registry {
    /// Checks where the events of a subscription are to be sent.
    pub(super) fn check_destination(
        &self,
        url: &str,
        format: WebhookFormat,
    ) -> Result<(), WebhookError> {
        match (url.parse()?, format) {
            (Destination::Http(_), _) => Ok(()),
            (Destination::Nats(_), WebhookFormat::Set) => {
                let detail = "format: security event tokens are pushed to a URL with https";
                Err(WebhookError::Invalid(detail.to_owned()))
            }
            (Destination::Nats(prefix), WebhookFormat::CloudEvents) => {
                self.publisher.check(&prefix).map_err(WebhookError::Nats)
            }
        }
    }

    /// Sends a message, signed by what signs now.
    pub(super) async fn send(&self, subscription: &Subscription, message: &Message) -> Outcome {
        let now = self.now();
        let signed = match self.signed(message) {
            Ok(signed) => signed,
            Err(cannot) => return Outcome::failed(cannot.to_string()),
        };
        let secrets = &subscription.secrets(now);
        match subscription.url.parse() {
            Ok(Destination::Http(endpoint)) => {
                let stream = subscription.stream.as_ref();
                let authorization = stream.and_then(|stream| stream.authorization.as_ref());
                let authorization = authorization.map(|SecretHeader(value)| value.as_str());
                let proof = Proof { secrets, authorization };
                let addresses = match stream {
                    Some(_) => &self.settings.stream_addresses,
                    None => &self.settings.addresses,
                };
                self.sender.send(&endpoint, addresses, proof, &signed, now).await
            }
            Ok(Destination::Nats(prefix)) => {
                self.publisher.publish(&prefix, secrets, &signed, now).await
            }
            Err(invalid) => Outcome::failed(invalid.to_string()),
        }
    }
}
