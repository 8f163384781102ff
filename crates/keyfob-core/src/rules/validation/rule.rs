//! The application's part of a validation: its own rules, and the presentation of a bearer token.

use std::borrow::Cow;
use std::net::IpAddr;

use async_trait::async_trait;

use crate::text::DeviceId;
use crate::time::Timestamp;
use crate::token::{Confirmation, Token};

/// A rule of the application's own. It may wait for something, and the validation waits with it.
///
/// A closure from `(&Token, Timestamp)` to `Result<(), Denied>` is a rule.
#[async_trait]
pub trait Rule: Send + Sync {
    /// Checks a token at `now`.
    ///
    /// # Errors
    /// If the rule does not accept the token.
    async fn check(&self, token: &Token, now: Timestamp) -> Result<(), Denied>;
}

#[async_trait]
impl<F: Fn(&Token, Timestamp) -> Result<(), Denied> + Send + Sync> Rule for F {
    async fn check(&self, token: &Token, now: Timestamp) -> Result<(), Denied> {
        self(token, now)
    }
}

/// A rule's refusal: a stable code and a sentence, for the log.
///
/// ```
/// use keyfob::Denied;
///
/// let denied = Denied::new("account_closed", "this account is closed");
/// assert_eq!(denied.code(), "account_closed");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Denied {
    code: Cow<'static, str>,
    message: Cow<'static, str>,
}

impl Denied {
    /// Creates a refusal with a code and a sentence. Neither may contain a secret.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// Returns the code.
    pub fn code(&self) -> &str {
        &self.code
    }
}

/// A bearer token as a request presents it, with what is known about the presenter.
///
/// A `&str` or a `BearerToken` converts into a presentation without further knowledge.
///
/// ```
/// use keyfob::{DeviceId, Presentation};
///
/// let device = DeviceId::new("phone-1")?;
/// let presented =
///     Presentation::new("fob_at_…").device(&device).ip(std::net::Ipv4Addr::LOCALHOST.into());
/// assert!(!format!("{presented:?}").contains("fob_at_"));
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
#[must_use]
pub struct Presentation<'a> {
    /// The text of the bearer token.
    pub bearer: &'a str,
    /// The device that presents it.
    pub device: Option<&'a DeviceId>,
    /// The client address.
    pub ip: Option<IpAddr>,
    /// The key whose possession the request proves.
    pub confirmation: Option<&'a Confirmation>,
}

impl<'a> Presentation<'a> {
    /// Creates a presentation of a bearer token.
    pub fn new(bearer: &'a str) -> Self {
        Self { bearer, device: None, ip: None, confirmation: None }
    }

    /// Sets the device that presents the token.
    pub fn device(self, device: &'a DeviceId) -> Self {
        Self { device: Some(device), ..self }
    }

    /// Sets the key whose possession the request proves. Without it, a token that is bound to a key is
    /// refused, unless the chain says [`KeyBinding::Unchecked`](super::KeyBinding::Unchecked).
    pub fn confirmation(self, key: &'a Confirmation) -> Self {
        Self { confirmation: Some(key), ..self }
    }

    /// Sets the client address. Its failed attempts are counted if the manager has a limit on them.
    /// Behind a proxy, give the address that the proxy names.
    pub fn ip(self, ip: IpAddr) -> Self {
        Self { ip: Some(ip), ..self }
    }

    /// Returns who presents the bearer token.
    #[inline]
    pub fn by(&self) -> PresentedBy<'a> {
        PresentedBy { device: self.device, key: self.confirmation }
    }
}

/// Who presents a bearer token, as far as a chain compares it with the token.
#[derive(Clone, Copy, Debug, Default)]
pub struct PresentedBy<'a> {
    /// The device, if it is known.
    pub device: Option<&'a DeviceId>,
    /// The key whose possession was proven, if any.
    pub key: Option<&'a Confirmation>,
}

impl<'a> From<&'a str> for Presentation<'a> {
    fn from(bearer: &'a str) -> Self {
        Self::new(bearer)
    }
}

impl<'a> From<&'a String> for Presentation<'a> {
    fn from(bearer: &'a String) -> Self {
        Self::new(bearer)
    }
}

impl<'a> From<&'a crate::bearer::BearerToken> for Presentation<'a> {
    fn from(bearer: &'a crate::bearer::BearerToken) -> Self {
        Self::new(bearer.expose())
    }
}

impl std::fmt::Debug for Presentation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presentation")
            .field("device", &self.device)
            .field("ip", &self.ip)
            .finish_non_exhaustive()
    }
}
