//! From the text of a token to the decision about it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keyfob::clock::Clock;
use keyfob::token::Confirmation;
use keyfob::{InvalidValue, Timestamp, Ttl};
use keyfob_jwt::access_token::{self, AccessToken, AccessTokenPolicy, StatusReference};
use keyfob_jwt::key_set::{KeySet, NotSigned};
use keyfob_jwt::status_list::{self, BadList, StatusListToken};

use super::fetch::{Fetch, FetchFailed, Introspect};
use super::freshness::{Clocks, Freshness, Moment};
use super::lists::{Lists, take};
use super::opened::OpenedTokens;
use super::refused::Refused;
use super::slot::{Slot, Source};
use super::verified::{Verified, of_answer};

/// After how long the keys of the issuer are fetched again.
const KEYS_TTL: Duration = Duration::from_secs(300);

/// What is done about a token that cannot be decided about without the issuer. None lets it through.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fallback {
    /// The token is refused.
    #[default]
    Refuse,
    /// The issuer is asked. If it does not answer, the token is refused.
    Introspect,
}

/// Checks access tokens that are JWTs (RFC 9068), with the keys of the issuer and its status lists.
///
/// Clones share what they have fetched. See the [module](super) for what it does when something fails.
#[derive(Clone, Debug)]
pub struct JwtVerifier {
    settings: Settings,
    shared: Arc<Shared>,
}

#[derive(Clone, Debug)]
struct Settings {
    issuer: Arc<str>,
    audience: Arc<str>,
    jwks_uri: Arc<str>,
    lists_below: Arc<str>,
    clock_skew: Ttl,
    grace: Duration,
    max_key_age: Duration,
    introspect: Option<Arc<dyn Introspect>>,
    opaque: Fallback,
    no_keys: Fallback,
    no_status: Fallback,
    opened: Arc<OpenedTokens>,
    clocks: Clocks,
}

#[derive(Debug)]
struct Shared {
    fetch: Box<dyn Fetch>,
    keys: Slot<KeySet>,
    lists: Lists,
}

impl JwtVerifier {
    /// Creates a verifier for the tokens of one issuer that are for one service. The keys are at
    /// `/.well-known/jwks.json` below the issuer.
    ///
    /// # Errors
    /// If the issuer is no address with `https`, or `http`.
    pub fn new(
        issuer: &str,
        audience: &str,
        fetch: impl Fetch + 'static,
    ) -> Result<Self, InvalidValue> {
        let issuer = keyfob::values::Issuer::new(issuer)?;
        let base = issuer.as_str().trim_end_matches('/');
        let settings = Settings {
            jwks_uri: format!("{base}/.well-known/jwks.json").into(),
            lists_below: format!("{base}/").into(),
            issuer: issuer.as_str().into(),
            audience: audience.into(),
            clock_skew: Ttl::from_secs(5),
            grace: Duration::from_secs(60),
            max_key_age: Duration::from_secs(3600),
            introspect: None,
            opaque: Fallback::Refuse,
            no_keys: Fallback::Refuse,
            no_status: Fallback::Refuse,
            opened: Arc::default(),
            clocks: Clocks::system(),
        };
        let shared =
            Shared { fetch: Box::new(fetch), keys: Slot::default(), lists: Lists::default() };
        Ok(Self { settings, shared: Arc::new(shared) })
    }

    /// Sets where the keys are: `jwks_uri` of the metadata of the issuer.
    #[must_use]
    pub fn jwks_uri(mut self, uri: &str) -> Self {
        self.settings.jwks_uri = uri.into();
        self
    }

    /// Sets what the addresses of status lists begin with. Default: the issuer and a slash. No list is fetched from
    /// another address.
    #[must_use]
    pub fn status_lists_below(mut self, uri: &str) -> Self {
        self.settings.lists_below = uri.into();
        self
    }

    /// Sets how much the clock of the issuer and this one may differ. Default: 5 seconds.
    #[must_use]
    pub fn clock_skew(mut self, skew: Ttl) -> Self {
        self.settings.clock_skew = skew;
        self
    }

    /// Sets for how long a list that cannot be fetched again is used after its `ttl`, or not at all (`None`). It is never
    /// used after its `exp`. Default: one minute.
    #[must_use]
    pub fn grace(mut self, grace: Option<Ttl>) -> Self {
        self.settings.grace = grace.map_or(Duration::ZERO, Ttl::as_duration);
        self
    }

    /// Sets for how long keys that cannot be fetched again are used. Default: one hour.
    #[must_use]
    pub fn max_key_age(mut self, age: Ttl) -> Self {
        self.settings.max_key_age = age.as_duration();
        self
    }

    /// Sets how the issuer is asked about a token. Say for which tokens by [`JwtVerifier::opaque`],
    /// [`JwtVerifier::without_keys`] and [`JwtVerifier::without_status`].
    #[must_use]
    pub fn introspection(mut self, introspect: impl Introspect + 'static) -> Self {
        self.settings.introspect = Some(Arc::new(introspect));
        self
    }

    /// Sets what is done about a token that is no JWT. Default: it is refused.
    #[must_use]
    pub fn opaque(mut self, fallback: Fallback) -> Self {
        self.settings.opaque = fallback;
        self
    }

    /// Sets what is done about a JWT while the keys of the issuer are not known. Default: it is refused.
    #[must_use]
    pub fn without_keys(mut self, fallback: Fallback) -> Self {
        self.settings.no_keys = fallback;
        self
    }

    /// Sets what is done about a JWT that is valid, while its status list is not known. Default: it is refused.
    #[must_use]
    pub fn without_status(mut self, fallback: Fallback) -> Self {
        self.settings.no_status = fallback;
        self
    }

    /// Sets of how many tokens it remembers that a key has signed them, so that it does not verify the signature of each
    /// request. Time, audience, status and the key itself are checked for each request. Zero: of none. Default: 10,000.
    #[must_use]
    pub fn max_remembered(mut self, tokens: usize) -> Self {
        self.settings.opened = Arc::new(OpenedTokens::new(tokens));
        self
    }

    /// Sets the clock, for tests. Ages are counted by it too.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.settings.clocks = Clocks::One(Arc::new(clock));
        self
    }

    /// Checks a token. One that is bound to a key is refused.
    ///
    /// # Errors
    /// Why it is refused.
    pub async fn verify(&self, token: &str) -> Result<Verified, Refused> {
        self.verify_with(token, None).await
    }

    /// Checks a token, with the key that the request has proven, by DPoP or by its certificate.
    ///
    /// With DPoP, read the proof first, then check the token with its key, then accept the proof:
    ///
    /// ```
    /// # #[cfg(not(feature = "dpop"))]
    /// # fn main() {}
    /// # #[cfg(feature = "dpop")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use http::HeaderMap;
    /// use keyfob::LocalLimits;
    /// use keyfob::clock::{Clock, SystemClock};
    /// use keyfob::random::{OsRandom, Random};
    /// use keyfob_tower::dpop::{Dpop, ProofRequest, TargetUri};
    /// use keyfob_tower::jwt::{JwtVerifier, Verified};
    /// use keyfob_tower::{ErrorResponse, PresentedBearer};
    ///
    /// /// Checks a request for `GET` at an address of this service.
    /// async fn check(
    ///     tokens: &JwtVerifier,
    ///     proofs: &Dpop,
    ///     headers: &HeaderMap,
    ///     uri: &TargetUri,
    /// ) -> Result<Verified, ErrorResponse> {
    ///     let presented = PresentedBearer::read(headers, "", None)?;
    ///     let presented = presented.ok_or_else(ErrorResponse::unauthenticated)?;
    ///     let token = presented.bearer();
    ///     let request = ProofRequest { method: "GET", uri, access_token: Some(token) };
    ///     let proof = proofs.proof_of(&presented, headers, &request)?;
    ///     let key = proof.as_ref().map(|proof| &proof.key);
    ///     let verified = tokens.verify_with(token, key).await?;
    ///     if let Some(proof) = &proof {
    ///         proofs.accept_jwt(proof, &verified).await?;
    ///     }
    ///     Ok(verified)
    /// }
    ///
    /// # use keyfob_jwt::dpop::ProofKey;
    /// # use keyfob_jwt::signing::{SigningAlgorithm, SigningKey};
    /// # let (key, now) = (ProofKey::generate()?, SystemClock.now());
    /// # let issuer_key = SigningKey::derive(&[1; 32], SigningAlgorithm::Es256)?;
    /// # let list_uri = "https://tokens.example/status-lists/a";
    /// # let token: keyfob_jwt::access_token::AccessToken = serde_json::from_value(serde_json::json!({
    /// #     "iss": "https://tokens.example", "sub": "alice", "aud": "https://orders.example",
    /// #     "exp": now.as_secs() + 900, "iat": now.as_secs(), "jti": "tok_1", "client_id": "app",
    /// #     "cnf": key.confirmation(), "status": { "status_list": { "idx": 7, "uri": list_uri } },
    /// # }))?;
    /// # let jwt = token.sign(&issuer_key)?;
    /// # let list = keyfob_jwt::status_list::StatusListToken {
    /// #     uri: list_uri.into(),
    /// #     issued_at: now,
    /// #     expires_at: None,
    /// #     ttl: None,
    /// #     list: keyfob_jwt::status_list::StatusList::new(64),
    /// # };
    /// # let keys = keyfob_jwt::key_set::KeySet::new([issuer_key.public().clone()]);
    /// # let http = Issuer { keys: serde_json::to_vec(&keys)?, list: list.sign(&issuer_key)?.into() };
    /// # #[derive(Debug)]
    /// # struct Issuer { keys: Vec<u8>, list: Vec<u8> }
    /// # #[async_trait::async_trait]
    /// # impl keyfob_tower::jwt::Fetch for Issuer {
    /// #     async fn fetch(&self, uri: &str) -> Result<Vec<u8>, keyfob_tower::jwt::FetchFailed> {
    /// #         Ok(if uri.ends_with("jwks.json") { &self.keys } else { &self.list }.clone())
    /// #     }
    /// # }
    /// let tokens = JwtVerifier::new("https://tokens.example", "https://orders.example", http)?;
    /// let mut nonce_key = [0; 32];
    /// OsRandom.fill(&mut nonce_key)?;
    /// let proofs = Dpop::with(SystemClock, &nonce_key, LocalLimits::new())?;
    ///
    /// // The client signs a proof for its request, with the key that its JWT is bound to.
    /// let uri: TargetUri = "https://orders.example/orders".parse()?;
    /// let request = ProofRequest { method: "GET", uri: &uri, access_token: Some(&jwt) };
    /// let mut headers = HeaderMap::new();
    /// headers.insert("authorization", format!("DPoP {jwt}").parse()?);
    /// headers.insert("dpop", key.sign(&request, "id of the proof", None, now)?.parse()?);
    ///
    /// let verified = check(&tokens, &proofs, &headers, &uri).await;
    /// assert!(verified.is_ok_and(|verified| verified.subject.as_deref() == Some("alice")));
    /// assert!(check(&tokens, &proofs, &headers, &uri).await.is_err(), "each proof counts once");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Why it is refused.
    pub async fn verify_with(
        &self,
        token: &str,
        proven: Option<&Confirmation>,
    ) -> Result<Verified, Refused> {
        let verified = self.decide(token).await?;
        match &verified.confirmation {
            Some(wanted) if proven != Some(wanted) => Err(Refused::NotProven),
            _ => Ok(verified),
        }
    }

    async fn decide(&self, text: &str) -> Result<Verified, Refused> {
        // A brace and a quote in base64url: so does every JWT begin.
        if !text.starts_with("eyJ") {
            return self.fall_back(self.settings.opaque, text, Refused::Opaque).await;
        }
        let token = match self.open(text).await {
            Err(Refused::NoKeys) => {
                return self.fall_back(self.settings.no_keys, text, Refused::NoKeys).await;
            }
            opened => opened?,
        };
        token.check(&self.policy(), self.now())?;
        let status = token.status.as_ref().map(|status| &status.status_list);
        let list = match status {
            Some(place) => self.list(&place.uri).await,
            None => None,
        };
        match is_revoked(status, list.as_deref(), self.now()) {
            Some(false) => Ok((&*token).into()),
            Some(true) => Err(Refused::Revoked),
            None => {
                let refused = Refused::NoStatus;
                let answer = self.fall_back(self.settings.no_status, text, refused).await?;
                // What is signed counts, also where the answer leaves something out, such as the key.
                Ok(Verified { decided_by: answer.decided_by, ..(&*token).into() })
            }
        }
    }

    /// Asks the issuer, if the settings say so.
    async fn fall_back(
        &self,
        fallback: Fallback,
        text: &str,
        refused: Refused,
    ) -> Result<Verified, Refused> {
        match (fallback, &self.settings.introspect) {
            (Fallback::Introspect, Some(issuer)) => {
                let answer = issuer.introspect(text).await.map_err(|error| {
                    tracing::warn!(%error, "the issuer does not answer about a token");
                    Refused::NoAnswer
                })?;
                of_answer(&answer, &self.policy(), self.now())
            }
            _ => Err(refused),
        }
    }

    /// Returns the token, if a key of the issuer has signed it.
    async fn open(&self, text: &str) -> Result<Arc<AccessToken>, Refused> {
        let (opened, keys) = (&self.settings.opened, self.keys().await.ok_or(Refused::NoKeys)?);
        let place = match opened.find(text, &keys) {
            Ok(token) => return Ok(token),
            Err(place) => place,
        };
        let newer;
        let (token, key) = match access_token::open(text, &keys) {
            Err(NotSigned::UnknownKey) => {
                newer = self.newer_keys(&keys).await.ok_or(NotSigned::UnknownKey)?;
                access_token::open(text, &newer)?
            }
            opened => opened?,
        };
        Ok(opened.keep(place, token, key))
    }

    async fn keys(&self) -> Option<Arc<KeySet>> {
        self.shared.keys.get(&self.settings.clocks, &Keys(self)).await
    }

    /// Returns keys that are newer than these, if they may be fetched now.
    async fn newer_keys(&self, than: &Arc<KeySet>) -> Option<Arc<KeySet>> {
        self.shared.keys.get_newer(than, &self.settings.clocks, &Keys(self)).await
    }

    /// Returns a status list that may be used now.
    async fn list(&self, uri: &str) -> Option<Arc<StatusListToken>> {
        if !uri.starts_with(&*self.settings.lists_below) {
            return None;
        }
        self.shared.lists.slot(uri).get(&self.settings.clocks, &List(self, uri)).await
    }

    async fn open_list(&self, body: &[u8]) -> Result<StatusListToken, FetchFailed> {
        let failed = |error: BadList| FetchFailed(error.to_string());
        let text = std::str::from_utf8(body).map_err(|error| FetchFailed(error.to_string()))?;
        let no_keys = || FetchFailed("the keys of the issuer are not known".into());
        let keys = self.keys().await.ok_or_else(no_keys)?;
        match status_list::open(text.trim_end(), &keys) {
            Err(BadList::NotSigned(NotSigned::UnknownKey)) => {
                let newer = self.newer_keys(&keys).await;
                let newer = newer.ok_or_else(|| failed(NotSigned::UnknownKey.into()))?;
                status_list::open(text.trim_end(), &newer).map_err(failed)
            }
            opened => opened.map_err(failed),
        }
    }

    fn policy(&self) -> AccessTokenPolicy<'_> {
        AccessTokenPolicy {
            issuer: &self.settings.issuer,
            audience: Some(&self.settings.audience),
            clock_skew: self.settings.clock_skew,
        }
    }

    fn now(&self) -> Timestamp {
        self.settings.clocks.now().wall
    }
}

/// The keys of the issuer.
struct Keys<'a>(&'a JwtVerifier);

#[async_trait]
impl Source<KeySet> for Keys<'_> {
    async fn fetch(
        &self,
        _: Moment,
        _: Option<Arc<KeySet>>,
    ) -> Result<(KeySet, Freshness), FetchFailed> {
        let Self(JwtVerifier { settings, shared }) = self;
        let body = shared.fetch.fetch(&settings.jwks_uri).await?;
        let keys = KeySet::parse(&body).map_err(|error| FetchFailed(error.to_string()))?;
        let freshness = Freshness {
            refresh_after: KEYS_TTL / 4 * 3,
            stale_after: KEYS_TTL,
            useless_after: settings.max_key_age,
        };
        Ok((keys, freshness))
    }
}

/// The status list at an address.
struct List<'a>(&'a JwtVerifier, &'a str);

#[async_trait]
impl Source<StatusListToken> for List<'_> {
    async fn fetch(
        &self,
        since: Moment,
        before: Option<Arc<StatusListToken>>,
    ) -> Result<(StatusListToken, Freshness), FetchFailed> {
        let Self(verifier, uri) = self;
        let body = verifier.shared.fetch.fetch(uri).await?;
        let list = verifier.open_list(&body).await?;
        take(list, uri, before.as_deref(), since, verifier.settings.grace)
            .map_err(|error| FetchFailed(error.to_string()))
    }
}

/// Returns whether a token was revoked; `None` if that is not known. A place that the list does not have is not known.
fn is_revoked(
    place: Option<&StatusReference>,
    list: Option<&StatusListToken>,
    now: Timestamp,
) -> Option<bool> {
    let (place, list) = (place?, list?);
    if list.uri != place.uri || !list.is_current(now) {
        return None;
    }
    list.list.is_revoked(place.idx)
}
