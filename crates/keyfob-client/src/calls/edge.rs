//! What an edge asks: a node that validates by itself and has no store.

use keyfob_api::edge::{
    EdgeBeatAnswer, EdgeBeatBody, EdgeBody, EdgeCharged, EdgeChargesBody, EdgeConsumeBody,
    EdgeConsumed, EdgeFirstUseBody, EdgeObservationsBody, EdgeRecordBody, EdgeReplaced, EdgeTaken,
    EdgeUsesBody,
};
use keyfob_core::id::TokenId;

use crate::client::Client;
use crate::error::Error;
use crate::request::Request;
use crate::retry::Repeat;

/// The edge.
impl Client {
    /// Returns what an edge has to know (`GET /v1/edge`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn edge(&self) -> Result<EdgeBody, Error> {
        self.call(&Request::get("/v1/edge")).await
    }

    /// Waits for changes (`POST /v1/edge/beat`). It is never sent again.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn edge_beat(&self, since: &EdgeBeatBody) -> Result<EdgeBeatAnswer, Error> {
        self.call(&Request::post("/v1/edge/beat", since, Repeat::Unsafe)?).await
    }

    /// Returns the record of a token (`GET /v1/edge/records/{id}`); `None` if there is none.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn edge_record(&self, id: TokenId) -> Result<Option<EdgeRecordBody>, Error> {
        match self.call(&Request::get(format!("/v1/edge/records/{id}"))).await {
            Ok(record) => Ok(Some(record)),
            Err(error) if error.code() == "token_not_found" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Consumes a use of a token (`POST /v1/edge/records/{id}/consume`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn edge_consume(
        &self,
        id: TokenId,
        body: &EdgeConsumeBody,
    ) -> Result<EdgeConsumed, Error> {
        // The operation makes sure that it has its effect once.
        let path = format!("/v1/edge/records/{id}/consume");
        self.call(&Request::post(path, body, Repeat::Safe)?).await
    }

    /// Writes the first use of a secret (`POST /v1/edge/records/{id}/first-use`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn edge_first_use(
        &self,
        id: TokenId,
        body: &EdgeFirstUseBody,
    ) -> Result<EdgeReplaced, Error> {
        let path = format!("/v1/edge/records/{id}/first-use");
        self.call(&Request::post(path, body, Repeat::Safe)?).await
    }

    /// Writes when tokens were last used (`POST /v1/edge/uses`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn edge_uses(&self, uses: &EdgeUsesBody) -> Result<EdgeTaken, Error> {
        self.call(&Request::post("/v1/edge/uses", uses, Repeat::Safe)?).await
    }

    /// Writes what an edge has seen (`POST /v1/edge/observations`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn edge_observations(&self, seen: &EdgeObservationsBody) -> Result<EdgeTaken, Error> {
        self.call(&Request::post("/v1/edge/observations", seen, Repeat::Unsafe)?).await
    }

    /// Takes permits from rate limits (`POST /v1/edge/charges`).
    ///
    /// # Errors
    /// See [`Error`]. The permits may have been taken or not.
    pub async fn edge_charges(&self, charges: &EdgeChargesBody) -> Result<EdgeCharged, Error> {
        self.call(&Request::post("/v1/edge/charges", charges, Repeat::Unsafe)?).await
    }
}
