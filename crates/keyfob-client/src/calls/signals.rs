//! Shared Signals: streams of a receiver, and polls.

use http::Method;
use keyfob_api::signals::{
    ChangeStreamBody, CreateStreamBody, PollAnswer, PollBody, StreamBody, StreamStatusBody,
    StreamSubjectBody, VerifyStreamBody,
};

use super::webhooks::escaped;
use crate::client::Client;
use crate::error::Error;
use crate::request::Request;
use crate::retry::Repeat;

/// Shared Signals, for a receiver: a client whose key has the scope `keyfob:signals`.
impl Client {
    /// Creates a stream that begins now (`POST /ssf/streams`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn create_stream(&self, stream: &CreateStreamBody) -> Result<StreamBody, Error> {
        self.call(&Request::post("/ssf/streams", stream, Repeat::Unsafe)?).await
    }

    /// Lists the streams of the receiver (`GET /ssf/streams`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn streams(&self) -> Result<Vec<StreamBody>, Error> {
        self.call(&Request::get("/ssf/streams")).await
    }

    /// Reads a stream (`GET /ssf/streams`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn stream(&self, id: &str) -> Result<StreamBody, Error> {
        self.call(&Request::get(named("/ssf/streams", id))).await
    }

    /// Changes a stream (`PATCH /ssf/streams`). What is left out stays.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn update_stream(&self, changes: &ChangeStreamBody) -> Result<StreamBody, Error> {
        let path = "/ssf/streams".to_owned();
        self.call(&Request::with_body(Method::PATCH, path, changes, Repeat::Safe)?).await
    }

    /// Replaces the settings of a stream (`PUT /ssf/streams`). What is left out is removed.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn replace_stream(&self, settings: &ChangeStreamBody) -> Result<StreamBody, Error> {
        let path = "/ssf/streams".to_owned();
        self.call(&Request::with_body(Method::PUT, path, settings, Repeat::Safe)?).await
    }

    /// Deletes a stream (`DELETE /ssf/streams`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_stream(&self, id: &str) -> Result<(), Error> {
        let request = Request::new(Method::DELETE, named("/ssf/streams", id), Repeat::Unsafe);
        self.call_raw(&request).await.map(drop)
    }

    /// Reads whether a stream transmits (`GET /ssf/status`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn stream_status(&self, id: &str) -> Result<StreamStatusBody, Error> {
        self.call(&Request::get(named("/ssf/status", id))).await
    }

    /// Enables, pauses or disables a stream (`POST /ssf/status`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn set_stream_status(
        &self,
        status: &StreamStatusBody,
    ) -> Result<StreamStatusBody, Error> {
        self.call(&Request::post("/ssf/status", status, Repeat::Safe)?).await
    }

    /// Has a stream transmit an event that tests it (`POST /ssf/verify`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn verify_stream(&self, verify: &VerifyStreamBody) -> Result<(), Error> {
        let request = Request::post("/ssf/verify", verify, Repeat::Unsafe)?;
        self.call_raw(&request).await.map(drop)
    }

    /// Has a stream tell of a subject again (`POST /ssf/subjects/add`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn add_stream_subject(&self, subject: &StreamSubjectBody) -> Result<(), Error> {
        let request = Request::post("/ssf/subjects/add", subject, Repeat::Safe)?;
        self.call_raw(&request).await.map(drop)
    }

    /// Has a stream leave out a subject (`POST /ssf/subjects/remove`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn remove_stream_subject(&self, subject: &StreamSubjectBody) -> Result<(), Error> {
        let request = Request::post("/ssf/subjects/remove", subject, Repeat::Safe)?;
        self.call_raw(&request).await.map(drop)
    }

    /// Fetches tokens, and acknowledges earlier ones (`POST /ssf/streams/{stream}/poll`). Without tokens the answer takes
    /// up to half of the server's request timeout, so a client must not wait less.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn poll_stream(&self, id: &str, poll: &PollBody) -> Result<PollAnswer, Error> {
        let path = format!("/ssf/streams/{}/poll", escaped(id));
        // What comes twice has the same ids.
        self.call(&Request::post(path, poll, Repeat::Safe)?).await
    }
}

fn named(path: &str, id: &str) -> String {
    format!("{path}?stream_id={}", escaped(id))
}
