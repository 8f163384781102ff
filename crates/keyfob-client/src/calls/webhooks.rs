//! Webhooks and their dead letters.

use http::Method;
use keyfob_api::webhook::{
    CreateWebhookBody, DeadLettersBody, DeliveryBody, RotateWebhookBody, UpdateWebhookBody,
    WebhookBody, WebhookSecretBody, WebhooksBody,
};

use crate::client::Client;
use crate::error::Error;
use crate::request::Request;
use crate::retry::Repeat;

/// Webhooks.
impl Client {
    /// Has events sent to a receiver (`POST /v1/webhooks`). The answer has the secret, which is shown once.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn create_webhook(
        &self,
        webhook: &CreateWebhookBody,
    ) -> Result<WebhookSecretBody, Error> {
        self.call(&Request::post("/v1/webhooks", webhook, Repeat::Unsafe)?).await
    }

    /// Lists the webhooks (`GET /v1/webhooks`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn webhooks(&self) -> Result<Vec<WebhookBody>, Error> {
        let WebhooksBody { webhooks } = self.call(&Request::get("/v1/webhooks")).await?;
        Ok(webhooks)
    }

    /// Reads a webhook (`GET /v1/webhooks/{webhook}`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn webhook(&self, id: &str) -> Result<WebhookBody, Error> {
        self.call(&Request::get(path(id, ""))).await
    }

    /// Changes, disables or enables a webhook (`PATCH /v1/webhooks/{webhook}`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn update_webhook(
        &self,
        id: &str,
        changes: &UpdateWebhookBody,
    ) -> Result<WebhookBody, Error> {
        self.call(&Request::with_body(Method::PATCH, path(id, ""), changes, Repeat::Safe)?).await
    }

    /// Deletes a webhook and its dead letters (`DELETE /v1/webhooks/{webhook}`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_webhook(&self, id: &str) -> Result<(), Error> {
        let request = Request::new(Method::DELETE, path(id, ""), Repeat::Unsafe);
        self.call_raw(&request).await.map(drop)
    }

    /// Gives a webhook a new secret (`POST /v1/webhooks/{webhook}/rotate`). The older one signs too for a while.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn rotate_webhook(
        &self,
        id: &str,
        rotate: &RotateWebhookBody,
    ) -> Result<WebhookSecretBody, Error> {
        self.call(&Request::post(path(id, "/rotate"), rotate, Repeat::Unsafe)?).await
    }

    /// Sends a test event, and returns what the receiver answers (`POST /v1/webhooks/{webhook}/test`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn test_webhook(&self, id: &str) -> Result<DeliveryBody, Error> {
        self.call(&Request::new(Method::POST, path(id, "/test"), Repeat::Unsafe)).await
    }

    /// Lists deliveries that were given up (`GET /v1/webhooks/{webhook}/dead-letters`), after the last one of the page
    /// before.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn dead_letters(
        &self,
        id: &str,
        after: Option<&str>,
    ) -> Result<DeadLettersBody, Error> {
        let after = after.map(|after| format!("?after={}", escaped(after))).unwrap_or_default();
        self.call(&Request::get(path(id, &format!("/dead-letters{after}")))).await
    }

    /// Sends a dead letter again (`POST /v1/webhooks/{webhook}/dead-letters/{letter}/send`). It is dropped if it is
    /// delivered.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn send_dead_letter(&self, id: &str, letter: &str) -> Result<DeliveryBody, Error> {
        let path = path(id, &format!("/dead-letters/{}/send", escaped(letter)));
        self.call(&Request::new(Method::POST, path, Repeat::Unsafe)).await
    }

    /// Drops a dead letter (`DELETE /v1/webhooks/{webhook}/dead-letters/{letter}`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn drop_dead_letter(&self, id: &str, letter: &str) -> Result<(), Error> {
        let path = path(id, &format!("/dead-letters/{}", escaped(letter)));
        let request = Request::new(Method::DELETE, path, Repeat::Unsafe);
        self.call_raw(&request).await.map(drop)
    }
}

fn path(id: &str, rest: &str) -> String {
    format!("/v1/webhooks/{}{rest}", escaped(id))
}

/// Escapes a text for one part of a path, so that it names nothing else.
pub(super) fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
