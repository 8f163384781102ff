//! The caller itself, and sessions of people.

use keyfob_api::{IssuedBody, OpenSessionBody, TokenBody};

use crate::client::Client;
use crate::error::Error;
use crate::request::Request;
use crate::retry::Repeat;

/// Who calls.
impl Client {
    /// Returns the token that this client authenticates with (`GET /v1/caller`): what it may do.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn caller(&self) -> Result<TokenBody, Error> {
        self.call(&Request::get("/v1/caller")).await
    }

    /// Opens a session for a person (`POST /v1/sessions`). This client has to authenticate with an API
    /// key.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn open_session(&self, session: &OpenSessionBody) -> Result<IssuedBody, Error> {
        self.call(&Request::post("/v1/sessions", session, Repeat::Unsafe)?).await
    }
}
