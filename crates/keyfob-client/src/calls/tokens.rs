//! The life of tokens: issue, read, change.

use futures_util::{Stream, TryStreamExt as _, stream};
use http::{HeaderValue, Method};
use keyfob_api::{
    CountBody, DeriveBody, GrantSpec, HistoryBody, HistoryEntryBody, IssueOutcome, IssuedBody,
    RefreshBody, RefreshedBody, RotateBody, TokenBody, TokenPageBody, UpdateBody,
};
use keyfob_core::id::TokenId;
use keyfob_core::random::{OsRandom, Random as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::error::Error;
use crate::query::ListQuery;
use crate::request::{IDEMPOTENCY_KEY, Request};
use crate::retry::Repeat;

/// Issuing, reading and changing tokens.
impl Client {
    /// Issues a token (`POST /v1/tokens`). Its bearer is in the answer and nowhere else.
    ///
    /// # Errors
    /// See [`Error`]. [`Error::is_outcome_unknown`] says whether a token may have been issued.
    pub async fn issue(&self, grant: &GrantSpec) -> Result<IssuedBody, Error> {
        self.create("/v1/tokens", grant).await
    }

    /// Issues up to a thousand tokens. The outcomes come in the order of the grants. Nothing is issued
    /// unless every grant is valid.
    ///
    /// # Errors
    /// If none was issued.
    pub async fn issue_many(&self, grants: &[GrantSpec]) -> Result<Vec<IssueOutcome>, Error> {
        if grants.is_empty() {
            return Ok(Vec::new());
        }
        self.create("/v1/tokens", &grants).await
    }

    /// Sends a request that creates, under an idempotency key.
    async fn create<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let request = Request::post(path, body, Repeat::Safe)?;
        self.call(&request.header(IDEMPOTENCY_KEY, idempotency_key()?)).await
    }

    /// Returns a token in any state (`GET /v1/tokens/{id}`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get(&self, id: TokenId) -> Result<TokenBody, Error> {
        self.call(&Request::get(format!("/v1/tokens/{id}"))).await
    }

    /// Returns one page of the tokens that match a filter (`GET /v1/tokens`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list(&self, query: &ListQuery) -> Result<TokenPageBody, Error> {
        self.call(&Request::get(query.path())).await
    }

    /// Returns all tokens that match a filter, reading page by page as the stream is read. All pages
    /// belong to one list: relative times in the filter count from the first page.
    pub fn list_all(&self, query: ListQuery) -> impl Stream<Item = Result<TokenBody, Error>> + '_ {
        let pages = stream::try_unfold(Some(query), move |query| async move {
            let Some(query) = query else { return Ok::<_, Error>(None) };
            let page = self.list(&query).await?;
            let next = page.next.map(|cursor| query.next_page(cursor, page.filter));
            Ok(Some((stream::iter(page.tokens.into_iter().map(Ok)), next)))
        });
        pages.try_flatten()
    }

    /// Counts the tokens that match a filter (`GET /v1/tokens/count`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn count(&self, query: &ListQuery) -> Result<CountBody, Error> {
        self.call(&Request::get(query.count_path())).await
    }

    /// Returns the changes of a token, the oldest first (`GET /v1/tokens/{id}/history`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn history(&self, id: TokenId) -> Result<Vec<HistoryEntryBody>, Error> {
        let history: HistoryBody =
            self.call(&Request::get(format!("/v1/tokens/{id}/history"))).await?;
        Ok(history.changes)
    }

    /// Changes the metadata of a token (`PATCH /v1/tokens/{id}`). Returns the token.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn update(&self, id: TokenId, changes: &UpdateBody) -> Result<TokenBody, Error> {
        let path = format!("/v1/tokens/{id}");
        self.call(&Request::with_body(Method::PATCH, path, changes, Repeat::Unsafe)?).await
    }

    /// Gives an API key a new secret (`POST /v1/tokens/{id}/rotate`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn rotate(&self, id: TokenId, request: &RotateBody) -> Result<IssuedBody, Error> {
        let path = format!("/v1/tokens/{id}/rotate");
        // A repeat replaces the secret that no client has used.
        self.call(&Request::post(path, request, Repeat::Safe)?).await
    }

    /// Exchanges a refresh token for an access token and the next refresh token (`POST /v1/refresh`).
    ///
    /// # Errors
    /// See [`Error`]. If [`Error::is_outcome_unknown`], do it again with the same bearer at once: within the
    /// retry window of the family, that gets the same pair.
    pub async fn refresh(&self, request: &RefreshBody) -> Result<RefreshedBody, Error> {
        // A repeat gets the same pair. After the retry window it ends the family, whose bearer is lost by
        // then.
        self.call(&Request::post("/v1/refresh", request, Repeat::Safe)?).await
    }

    /// Derives a narrower token from a presented one (`POST /v1/tokens/{id}/derive`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn derive(&self, parent: TokenId, request: &DeriveBody) -> Result<IssuedBody, Error> {
        self.create(&format!("/v1/tokens/{parent}/derive"), request).await
    }
}

fn idempotency_key() -> Result<HeaderValue, Error> {
    let mut bytes = [0; 16];
    let no_random =
        |error: keyfob_core::random::RandomUnavailable| Error::Request(error.to_string());
    OsRandom.fill(&mut bytes).map_err(no_random)?;
    let text = format!("{:032x}", u128::from_be_bytes(bytes));
    HeaderValue::try_from(text).map_err(|error| Error::Request(error.to_string()))
}
