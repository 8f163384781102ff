//! What an application adds to a chain: rules of its own, and who presents the bearer.

use std::borrow::Cow;
use std::net::IpAddr;

use async_trait::async_trait;

use crate::text::DeviceId;
use crate::time::Timestamp;
use crate::token::{Confirmation, Token};

/// A rule of the application's own. It may wait for something; whoever validates waits with it.
///
/// A closure from `(&Token, Timestamp)` to `Result<(), Denied>` is a rule.
#[async_trait]
pub trait Rule: Send + Sync {
    /// Whether the token is good as far as this rule goes.
    ///
    /// # Errors
    /// When it is not.
    async fn check(&self, token: &Token, now: Timestamp) -> Result<(), Denied>;
}

#[async_trait]
impl<F: Fn(&Token, Timestamp) -> Result<(), Denied> + Send + Sync> Rule for F {
    async fn check(&self, token: &Token, now: Timestamp) -> Result<(), Denied> {
        self(token, now)
    }
}

/// A rule's refusal: a code that stays the same, and a sentence.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Denied {
    code: Cow<'static, str>,
    message: Cow<'static, str>,
}

impl Denied {
    /// A refusal with this code and this sentence. Neither may hold a secret.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// The code.
    pub fn code(&self) -> &str {
        &self.code
    }
}

/// A bearer as it was presented, with what is known of who presents it.
///
/// A `&str` is a presentation of which nothing else is known.
#[derive(Clone, Copy)]
pub struct Presentation<'a> {
    pub bearer: &'a str,
    pub device: Option<&'a DeviceId>,
    pub ip: Option<IpAddr>,
    pub confirmation: Option<&'a Confirmation>,
}

impl<'a> Presentation<'a> {
    /// A presentation of this bearer.
    pub fn new(bearer: &'a str) -> Self {
        Self { bearer, device: None, ip: None, confirmation: None }
    }

    /// The device that presents it.
    pub fn device(self, device: &'a DeviceId) -> Self {
        Self { device: Some(device), ..self }
    }

    /// The key of which possession was proven with the request. From a token that is bound to a key
    /// nothing is derived without it. What a validation gives names the key, for whoever verifies
    /// proofs.
    pub fn confirmation(self, key: &'a Confirmation) -> Self {
        Self { confirmation: Some(key), ..self }
    }

    /// The address that it comes from, whose failed attempts are counted where the manager has a
    /// limit on them. Behind a proxy, the address that the proxy names.
    pub fn ip(self, ip: IpAddr) -> Self {
        Self { ip: Some(ip), ..self }
    }
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
