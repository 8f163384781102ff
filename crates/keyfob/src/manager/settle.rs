//! What happens when a presented bearer token is not accepted.
//!
//! Validation, derivation and refresh all end here, so that the same refusal has the same
//! consequences whichever of them found it:
//!
//! 1. It counts as a failed attempt of the client address, where the manager limits those. An address
//!    that has to wait learns nothing else than that.
//! 2. An observation is recorded.
//! 3. The caller gets the error.
//!
//! What differs is the metric that the outcome counts under: each operation has its own.

use std::net::IpAddr;

use super::TokenManager;
use super::load_queue::{LoadPermit, Source};
use crate::codec::{self, Record};
use crate::error::Error;
use keyfob_core::event::ObservationKind;
use keyfob_core::id::TokenId;
use keyfob_core::namespace::IdOrigin;
use keyfob_core::rotation::RefreshRefused;
use keyfob_core::validation::Refusal;
use keyfob_limit::{Ipv6Prefix, Network};
use keyfob_store::{Loaded, StoreError};

/// Why a presented bearer token is not accepted.
#[derive(Debug)]
pub(super) struct Rejection {
    error: Error,
    token: Option<TokenId>,
}

impl Rejection {
    /// A rejection that names a token: one that the presenter proved to hold, or whose record cannot
    /// be read.
    pub(super) fn of(token: TokenId, error: impl Into<Error>) -> Self {
        Self { error: error.into(), token: Some(token) }
    }

    /// Returns the error, without any consequences.
    pub(super) fn into_error(self) -> Error {
        self.error
    }
}

/// A rejection that names no token: none was proven.
impl<E: Into<Error>> From<E> for Rejection {
    fn from(error: E) -> Self {
        Self { error: error.into(), token: None }
    }
}

impl TokenManager {
    /// Does everything that the rejection of a bearer token from this address entails, and returns
    /// the error for the caller.
    pub(super) async fn settle(&self, ip: Option<IpAddr>, rejection: Rejection) -> Error {
        if let (Error::Refused(refusal), Some(ip)) = (&rejection.error, ip)
            && refusal.is_failed_attempt()
        {
            if let Some(throttled) = self.throttled(Some(ip)) {
                return self.record_rejection(throttled.into());
            }
            if let Some(limiter) = &self.inner.limiter {
                // Boxed, so that a rejection which waits for nothing stays small.
                Box::pin(limiter.failed(ip, self.now())).await;
            }
        }
        self.record_rejection(rejection)
    }

    /// Records the observation of a rejection that counts against no address, and returns the error
    /// for the caller.
    pub(super) fn record_rejection(&self, rejection: Rejection) -> Error {
        let Rejection { error, token } = rejection;
        match &error {
            Error::Refused(refusal) => self.record_observation(|| match (refusal, token) {
                (Refusal::Expired { .. }, Some(token)) => ObservationKind::Expired { token },
                _ => ObservationKind::Refused { token, code: refusal.code().to_owned() },
            }),
            Error::Refresh(refused) => {
                if let RefreshRefused::AheadOfStore { token } = refused {
                    tracing::error!(%token, "the store has lost a rotation: check its durability");
                }
                let (token, code) = (Some(refused.token()), refused.code().to_owned());
                self.record_observation(|| ObservationKind::Refused { token, code });
            }
            Error::Store(refused @ StoreError::Unverifiable { integrity, .. }) => {
                // A missing key is a fault of this node and says nothing about the token.
                if let Some(token) = token.filter(|_| !integrity.is_missing_key()) {
                    let code = || refused.code().to_owned();
                    self.record_observation(|| ObservationKind::Unverifiable {
                        token,
                        code: code(),
                    });
                }
            }
            _ => {}
        }
        error
    }

    /// Loads the record of a presented bearer token, which may turn out to prove nothing.
    pub(super) async fn load_presented(
        &self,
        id: TokenId,
        ip: Option<IpAddr>,
    ) -> Result<(Loaded, Record), Rejection> {
        let permit = self.begin_presented_load(id, ip).await?;
        let loaded = self.load_shared(id).await;
        drop(permit);
        let Some(loaded) = loaded.map_err(|error| Rejection::of(id, error))? else {
            self.count_unknown(ip);
            return Err(Refusal::Unknown.into());
        };
        let record = codec::decode(&loaded.body).map_err(|error| Rejection::of(id, error))?;
        Ok((loaded, record))
    }

    /// Waits until there is room to load what a bearer token names.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] if the id was not drawn in this namespace: then the store is not asked.
    pub(super) async fn begin_presented_load(
        &self,
        id: TokenId,
        ip: Option<IpAddr>,
    ) -> Result<LoadPermit, Refusal> {
        let origin = self.origin_of(id);
        if origin == IdOrigin::Foreign {
            return Err(Refusal::Unknown);
        }
        let network = ip.map(|ip| self.network_of(ip));
        let source = Source { network, is_proven: origin == IdOrigin::Proven };
        Ok(self.inner.loads.begin(source, self.now()).await)
    }

    /// Returns what an id proves. While it is not certain that the store holds this node's namespace, no
    /// id proves to be of another one: the store may hold that.
    pub(super) fn origin_of(&self, id: TokenId) -> IdOrigin {
        match self.inner.store.namespace().origin_of(id) {
            IdOrigin::Foreign if !self.inner.store.is_namespace_certain() => IdOrigin::Unproven,
            origin => origin,
        }
    }

    /// Counts a presented bearer token that a load did not find.
    pub(super) fn count_unknown(&self, ip: Option<IpAddr>) {
        self.inner.loads.count_unknown(ip.map(|ip| self.network_of(ip)), self.now());
    }

    fn network_of(&self, ip: IpAddr) -> Network {
        match &self.inner.limiter {
            Some(limiter) => limiter.network_of(ip),
            None => Ipv6Prefix::DEFAULT.network_of(ip),
        }
    }

    /// Returns the refusal of an address that had too many failed attempts.
    pub(super) fn throttled(&self, ip: Option<IpAddr>) -> Option<Refusal> {
        let (limiter, ip) = (self.inner.limiter.as_ref()?, ip?);
        let retry_after = limiter.throttled(ip, self.now())?;
        Some(Refusal::Throttled { retry_after })
    }
}
