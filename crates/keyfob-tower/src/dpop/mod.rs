//! Requests that prove possession of a key by DPoP (RFC 9449).
//!
//! | module | what |
//! |---|---|
//! | `no_proof` | why a request has no proof that counts |
//! | `used` | proofs that were used: each counts once |
//!
//! A token that is bound to a key is presented with the scheme `DPoP`, and the header `DPoP` has a proof. The
//! proof is checked first, then the token, with the key that was proven; then the proof is used up. So only a
//! request with a token that is accepted takes room in the store of used proofs.
//!
//! Each proof is counted once (`keyfob_proofs_total`): when it is refused, or when it is used up. A proof that
//! is valid, of a token that is refused, is not counted: the validation of the token is.

mod no_proof;
mod used;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use keyfob::clock::Clock;
use keyfob::limit::IntoLimitStore;
use keyfob::metrics::ProofOutcome;
use keyfob::{InvalidValue, Metrics, Timestamp, Token, TokenManager};
use keyfob_jwt::dpop::{Nonces, verify};

use crate::credentials::{AuthScheme, PresentedBearer};
use crate::error_response::ErrorResponse;
use used::UsedProofs;

pub use keyfob_jwt::dpop::{BadProof, InvalidUri, Proof, ProofPolicy, ProofRequest, TargetUri};
pub use no_proof::NoProof;

/// The header that has a proof.
pub const PROOF: HeaderName = HeaderName::from_static("dpop");
/// The header that has the nonce for the next proof (RFC 9449 section 8).
pub const NONCE: HeaderName = crate::error_response::DPOP_NONCE;

/// Checks proofs of possession (DPoP, RFC 9449). Clones share what they remember.
///
/// ```
/// use keyfob::{LocalLimits, MemoryStore, TokenManager, ValidationChain};
/// use keyfob_tower::{AuthLayer, dpop::Dpop};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = TokenManager::new(MemoryStore::new()?);
/// let dpop = Dpop::new(&manager, LocalLimits::new())?;
/// let auth = AuthLayer::new(manager, ValidationChain::new())?
///     .dpop(dpop, "https://shop.example".parse()?);
/// # let _ = auth;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Dpop {
    shared: Arc<Shared>,
}

#[derive(Clone, Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    nonces: Nonces,
    needs_nonce: bool,
    used: UsedProofs,
}

impl Dpop {
    /// The names of the algorithms that proofs may be signed with (`dpop_signing_alg_values_supported`, RFC 9449
    /// section 5.1).
    pub const ALGORITHMS: [&'static str; 6] = keyfob_jwt::key::Algorithm::NAMES;

    /// Creates a check that remembers the used proofs in a store of limits.
    ///
    /// Where several nodes serve the tokens, they have to share that store, such as Redis. A store that loses
    /// writes, as Redis may at a failover, accepts a proof twice within its minute. The memory of a process
    /// ([`LocalLimits`](keyfob::LocalLimits)) is for a single node. There a proof that was made before the process
    /// began is refused: it may have been used before.
    ///
    /// # Errors
    /// If the times of the policy are too long to count with.
    pub fn new(manager: &TokenManager, used: impl IntoLimitStore) -> Result<Self, InvalidValue> {
        let clock = ClockOf(manager.clone());
        let dpop = Self::with(clock, &manager.key_for("dpop nonce"), used)?;
        Ok(dpop.metrics(manager.metrics()))
    }

    /// Creates a check for a service that has no manager, such as one that checks JWTs.
    ///
    /// The key is for [nonces](Dpop::require_nonce): 32 secret random bytes, the same on all nodes that share the
    /// store. For the store, see [`Dpop::new`].
    ///
    /// ```
    /// use http::HeaderMap;
    /// use keyfob::LocalLimits;
    /// use keyfob::clock::{Clock, SystemClock};
    /// use keyfob::random::{OsRandom, Random};
    /// use keyfob_jwt::dpop::ProofKey;
    /// use keyfob_tower::dpop::{Dpop, ProofRequest};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut nonce_key = [0; 32]; // a new one for each process: that is enough for a single node
    /// OsRandom.fill(&mut nonce_key)?;
    /// let proofs = Dpop::with(SystemClock, &nonce_key, LocalLimits::new())?;
    ///
    /// // The client signs a proof for its request.
    /// let (key, uri) = (ProofKey::generate()?, "https://orders.example/orders".parse()?);
    /// let request = ProofRequest { method: "GET", uri: &uri, access_token: Some("the token") };
    /// let mut headers = HeaderMap::new();
    /// headers.insert("dpop", key.sign(&request, "id of the proof", None, SystemClock.now())?.parse()?);
    ///
    /// let proof = proofs.read(&headers, &request)?.ok_or("no proof")?;
    /// assert_eq!(proof.key, key.confirmation());
    /// proofs.use_up(&proof).await?;
    /// assert!(proofs.use_up(&proof).await.is_err(), "each proof counts once");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// `JwtVerifier::verify_with` shows it with a JWT that is bound to the key (feature `jwt`).
    ///
    /// # Errors
    /// As [`Dpop::new`].
    pub fn with(
        clock: impl Clock + 'static,
        nonce_key: &[u8; 32],
        used: impl IntoLimitStore,
    ) -> Result<Self, InvalidValue> {
        let shared = Shared {
            clock: Arc::new(clock),
            metrics: Metrics::none(),
            nonces: Nonces::new(nonce_key),
            needs_nonce: false,
            used: UsedProofs::new(used.into_limit_store(), ProofPolicy::default())?,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Sets where proofs are counted. Default: in the metrics of the manager, or nowhere without one.
    #[must_use]
    pub fn metrics(self, metrics: &Metrics) -> Self {
        let shared = Shared { metrics: metrics.clone(), ..Shared::clone(&self.shared) };
        Self { shared: Arc::new(shared) }
    }

    /// Sets how old a proof may be. Default: [`ProofPolicy::default`].
    ///
    /// # Errors
    /// As [`Dpop::new`].
    pub fn policy(self, policy: ProofPolicy) -> Result<Self, InvalidValue> {
        let used = self.shared.used.with(policy)?;
        let shared = Shared { used, ..Shared::clone(&self.shared) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Demands a nonce of this service in each proof, so that no proof can be made in advance (RFC 9449 section
    /// 11.2). Every node of the namespace, or with the same key, accepts the nonces of the others.
    #[must_use]
    pub fn require_nonce(self) -> Self {
        let shared = Shared { needs_nonce: true, ..Shared::clone(&self.shared) };
        Self { shared: Arc::new(shared) }
    }

    /// Returns the nonce for the next proof, if proofs need one: the value of the header [`NONCE`].
    pub fn nonce(&self) -> Option<HeaderValue> {
        let nonce = || self.shared.nonces.at(self.shared.clock.now());
        self.shared.needs_nonce.then(nonce).and_then(|nonce| HeaderValue::try_from(nonce).ok())
    }

    /// Reads the proof in the header of a request, if there is a header, and checks it for the request. The caller
    /// checks the token with the key that was proven, and then [uses the proof up](Dpop::use_up).
    ///
    /// # Errors
    /// If the proof does not count.
    pub fn read(
        &self,
        headers: &HeaderMap,
        request: &ProofRequest<'_>,
    ) -> Result<Option<Proof>, NoProof> {
        let mut values = headers.get_all(PROOF).iter();
        let Some(value) = values.next() else { return Ok(None) };
        match (value.to_str(), values.next()) {
            (Ok(text), None) => self.check(text, request).map(Some),
            _ => self.counted(Err(NoProof::Header)),
        }
    }

    /// Checks a proof for a request, as [`Dpop::read`] does.
    ///
    /// # Errors
    /// If the proof does not count.
    pub fn check(&self, proof: &str, request: &ProofRequest<'_>) -> Result<Proof, NoProof> {
        self.counted(self.checked(proof, request))
    }

    fn checked(&self, proof: &str, request: &ProofRequest<'_>) -> Result<Proof, NoProof> {
        let now = self.shared.clock.now();
        let proof = verify(proof, request, self.shared.used.policy(), now)?;
        let is_fresh = |nonce: &String| self.shared.nonces.accept(nonce, now);
        if self.shared.needs_nonce && !proof.nonce.as_ref().is_some_and(is_fresh) {
            return Err(NoProof::Nonce);
        }
        Ok(proof)
    }

    /// Uses a proof up: it counts once, for all nodes.
    ///
    /// # Errors
    /// If it was used before, or is too old by the clock of the store; if the store cannot tell.
    pub async fn use_up(&self, proof: &Proof) -> Result<(), NoProof> {
        self.counted(self.shared.used.add(proof).await)?;
        self.count(ProofOutcome::Accepted);
        Ok(())
    }

    /// Counts what is wrong with a proof.
    fn counted<T>(&self, checked: Result<T, NoProof>) -> Result<T, NoProof> {
        checked.inspect_err(|no_proof| self.count(no_proof.outcome()))
    }

    fn count(&self, outcome: ProofOutcome) {
        self.shared.metrics.handles.proofs.of(outcome).increment(1);
    }

    /// Returns the proof of a request that presents a token with the scheme `DPoP`. A token with another scheme
    /// needs none, unless it is bound to a key: the validation chain sees to that.
    ///
    /// # Errors
    /// If it needs a proof and has none that counts.
    pub fn proof_of(
        &self,
        presented: &PresentedBearer<'_>,
        headers: &HeaderMap,
        request: &ProofRequest<'_>,
    ) -> Result<Option<Proof>, ErrorResponse> {
        if presented.scheme() == AuthScheme::Bearer {
            return Ok(None);
        }
        let read = self.read(headers, request).transpose();
        let read = read.unwrap_or_else(|| self.counted(Err(NoProof::Header)));
        read.map(Some).map_err(|no_proof| self.refuse(&no_proof))
    }

    /// Accepts the proof of a request whose token was validated with its key, and uses it up.
    ///
    /// # Errors
    /// If the token is not bound to the key, or the proof was used before.
    pub async fn accept(&self, proof: &Proof, token: &Token) -> Result<(), ErrorResponse> {
        self.accept_if(token.claims.registered.is_bound_to(&proof.key), proof).await
    }

    /// Accepts the proof of a request whose JWT was [verified](crate::jwt::JwtVerifier::verify_with) with its key, and
    /// uses it up.
    ///
    /// # Errors
    /// As [`Dpop::accept`].
    #[cfg(feature = "jwt")]
    pub async fn accept_jwt(
        &self,
        proof: &Proof,
        verified: &crate::jwt::Verified,
    ) -> Result<(), ErrorResponse> {
        self.accept_if(verified.confirmation.as_ref() == Some(&proof.key), proof).await
    }

    async fn accept_if(&self, is_bound: bool, proof: &Proof) -> Result<(), ErrorResponse> {
        // RFC 9449 section 7.1: what is presented with this scheme has to be bound to the key.
        if !is_bound {
            return Err(ErrorResponse::new(keyfob::ErrorClass::InvalidToken).offer_dpop());
        }
        self.use_up(proof).await.map_err(|no_proof| self.refuse(&no_proof))
    }

    /// Returns the response to a request without a proof that counts (RFC 9449 section 7.1).
    pub fn refuse(&self, no_proof: &NoProof) -> ErrorResponse {
        tracing::debug!(code = no_proof.code(), "a proof of possession does not count");
        match no_proof {
            NoProof::Undecided => ErrorResponse::new(keyfob::ErrorClass::Unavailable),
            NoProof::Nonce => ErrorResponse::use_dpop_nonce(self.nonce()),
            NoProof::Header | NoProof::Bad(_) | NoProof::Used => {
                ErrorResponse::invalid_dpop_proof(self.nonce())
            }
        }
    }
}

/// The clock of a manager.
#[derive(Debug)]
struct ClockOf(TokenManager);

impl Clock for ClockOf {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}
