//! What operators ask: events, statistics, the report of `doctor`.

use keyfob_api::{DoctorBody, EventsPageBody, StatsBody};

use crate::client::Client;
use crate::error::Error;
use crate::events::EventStream;
use crate::query::EventsQuery;
use crate::request::Request;

/// Events and the state of the service.
impl Client {
    /// Returns one page of events (`GET /v1/events`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn events(&self, query: &EventsQuery) -> Result<EventsPageBody, Error> {
        self.call(&Request::get(query.path())).await
    }

    /// Follows events as they happen. Without [`EventsQuery::after`], the stream starts with the first
    /// event that is stored. Observations are read by [`Self::events`] only.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn follow_events(&self, query: EventsQuery) -> Result<EventStream, Error> {
        // A name for a place would be another place after the connection broke.
        let cursor = match query.after.as_deref() {
            Some("latest") => self.events(&query.clone().limit(1)).await?.cursor,
            Some(cursor) => cursor.to_owned(),
            None => "start".to_owned(),
        };
        Ok(EventStream::new(self.clone(), query, cursor))
    }

    /// Returns how many tokens there are, from counters (`GET /v1/stats`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn stats(&self) -> Result<StatsBody, Error> {
        self.call(&Request::get("/v1/stats")).await
    }

    /// Returns the report on the store, the clock and the settings (`GET /v1/doctor`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn doctor(&self) -> Result<DoctorBody, Error> {
        self.call(&Request::get("/v1/doctor")).await
    }
}
