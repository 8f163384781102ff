//! Why tokens are revoked, and by whom.

use crate::codec::{self, Note};
use crate::manager::requester::Requester;
use keyfob_core::invalid::InvalidValue;
use keyfob_core::text::{Actor, Reason};

/// Why something is revoked, and by whom. Both are stored with the revocation and its event.
///
/// Every method that revokes takes anything that is a request: a text is a reason, and `()` is a
/// request without one.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyfob::{Grant, Kind, MemoryStore, RevokeRequest, Subject, TokenManager};
///
/// # let manager = TokenManager::new(MemoryStore::new()?);
/// # let grant = || Grant::new(Kind::Session).subject("user123");
/// # let [one, two, three] = [manager.issue(grant()).await?, manager.issue(grant()).await?,
/// #     manager.issue(grant()).await?].map(|issued| issued.token.id);
/// let admin = Subject::new("admin7")?;
/// manager.revoke(one, ()).await?;
/// manager.revoke(two, "user logout").await?;
/// manager.revoke(three, RevokeRequest::reason("stolen phone").by(&admin)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct RevokeRequest {
    pub(super) reason: Option<Reason>,
    requester: Requester,
}

impl RevokeRequest {
    /// Returns a request with this reason. [`RevokeRequest::default`] has none.
    pub fn reason(reason: impl TryInto<Reason, Error: Into<InvalidValue>>) -> Self {
        match reason.try_into() {
            Ok(reason) => Self { reason: Some(reason), ..Self::default() },
            Err(error) => Self { reason: None, requester: Requester::invalid(error.into()) },
        }
    }

    /// Sets the person or the service that revokes, such as a `&Subject`.
    pub fn by(self, actor: impl TryInto<Actor, Error: Into<InvalidValue>>) -> Self {
        Self { requester: self.requester.by(actor), ..self }
    }

    /// Checks the reason and the actor. Every method that takes a request does so first.
    ///
    /// # Errors
    /// The first that is not valid.
    pub fn check(&self) -> Result<(), InvalidValue> {
        self.requester.check()
    }

    pub(super) fn actor(&self) -> Option<&Actor> {
        self.requester.actor()
    }

    /// The bytes that a store keeps beside the revocation.
    pub(super) fn note(&self) -> Vec<u8> {
        codec::encode_note(&Note { reason: self.reason.clone(), by: self.actor().cloned() })
    }
}

impl From<()> for RevokeRequest {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl From<&str> for RevokeRequest {
    fn from(reason: &str) -> Self {
        Self::reason(reason)
    }
}

impl From<String> for RevokeRequest {
    fn from(reason: String) -> Self {
        Self::reason(reason)
    }
}

impl From<Reason> for RevokeRequest {
    fn from(reason: Reason) -> Self {
        Self { reason: Some(reason), ..Self::default() }
    }
}
