//! The errors of one attempt of a call, by what to do about them.

use keyfob_store::StoreError;
use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::tls::certificate_advice;
use crate::config::{Address, misconfigured};

#[derive(Debug)]
pub(crate) enum CallError {
    /// The call was not sent, or certainly not executed. It may be sent again.
    Refused(String),
    /// The call was sent, and no answer came. It may be sent again if it has the same effect twice.
    Lost(String),
    /// The call was executed, but too few replicas confirmed it. It may be sent again.
    Unsafe(String),
    /// The call was executed, and it is not known whether its server is still at its address. It may be
    /// sent again.
    Unconfirmed(String),
    /// The server refused the login, or asks for one. The call was not executed.
    LoginRefused(String),
    /// The slot has moved to another server.
    Moved(Address),
    /// The slot is being moved; this call should be sent to the other server.
    Ask(Address),
    /// Sending the call again would fail again.
    Final(StoreError),
}

impl CallError {
    /// Returns the error for an answer of the server, or for a missing answer.
    pub(super) fn of(error: &RedisError) -> Self {
        let detail = describe(error);
        match error.kind() {
            ErrorKind::Server(kind) => match kind {
                ServerErrorKind::Moved => {
                    redirect(error).map_or(Self::Refused(detail), Self::Moved)
                }
                ServerErrorKind::Ask => redirect(error).map_or(Self::Refused(detail), Self::Ask),
                ServerErrorKind::NoPerm => Self::Final(misconfigured(format!(
                    "the Redis user lacks a permission that keyfob needs: {detail}"
                ))),
                // The server cannot run the script or does not accept an argument.
                ServerErrorKind::ResponseError => Self::Final(StoreError::unavailable(detail)),
                _ => Self::Refused(detail),
            },
            ErrorKind::AuthenticationFailed => Self::LoginRefused(detail),
            ErrorKind::Extension => match error.code() {
                Some("NOAUTH" | "WRONGPASS") => Self::LoginRefused(detail),
                Some("WRONGTYPE") => {
                    Self::Final(StoreError::NotAStore { what: "this namespace".to_owned(), detail })
                }
                // OOM, NOREPLICAS, MISCONF and similar errors pass when the server is repaired.
                _ => Self::Refused(detail),
            },
            ErrorKind::InvalidClientConfig => Self::Final(misconfigured(detail)),
            // Under TLS 1.3 the server refuses a certificate after the handshake.
            _ => match certificate_advice(&detail) {
                Some(advice) => {
                    Self::Final(misconfigured(format!("the server {advice} ({detail})")))
                }
                None => Self::Lost(detail),
            },
        }
    }

    /// Returns whether the connection cannot be used further, or no longer leads to a primary.
    pub(super) fn ends_connection(&self) -> bool {
        match self {
            Self::Lost(_) | Self::LoginRefused(_) => true,
            Self::Refused(detail) => detail.starts_with("READONLY"),
            _ => false,
        }
    }

    /// Returns whether another server has the slot, or is about to.
    pub(super) fn is_redirection(&self) -> bool {
        matches!(self, Self::Moved(_) | Self::Ask(_))
    }

    /// Turns the error of a command after the call into one of the call. The call was executed, so the error
    /// must not say that nothing was changed.
    pub(super) fn after_the_call(self) -> Self {
        if self.ends_connection() {
            return match self.into_error() {
                StoreError::Unavailable { detail } => Self::Lost(detail),
                error => Self::Final(error),
            };
        }
        Self::Unsafe(self.into_error().to_string())
    }

    /// Returns the cause in words.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::Refused(detail)
            | Self::Lost(detail)
            | Self::LoginRefused(detail)
            | Self::Unsafe(detail)
            | Self::Unconfirmed(detail) => detail.clone(),
            Self::Moved(address) | Self::Ask(address) => format!("the slot is at {address}"),
            Self::Final(error) => error.to_string(),
        }
    }

    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Final(error) => error,
            Self::Refused(detail) | Self::Lost(detail) | Self::Unsafe(detail) => {
                StoreError::unavailable(detail)
            }
            Self::Unconfirmed(detail) => StoreError::AddressUnconfirmed { detail },
            Self::LoginRefused(detail) => refused_login(&detail),
            Self::Moved(address) | Self::Ask(address) => {
                StoreError::unavailable(format!("the slot is at {address}"))
            }
        }
    }
}

/// What a server answers that can serve no call yet.
const NOT_SERVING: [&str; 4] = ["LOADING", "MASTERDOWN", "CLUSTERDOWN", "BUSY"];

/// Returns whether the error of a call that was sent shows that its server does not serve calls.
pub(super) fn is_no_answer(error: &CallError) -> bool {
    match error {
        CallError::Lost(_) | CallError::Unconfirmed(_) => true,
        CallError::Refused(detail) => NOT_SERVING.iter().any(|code| detail.starts_with(code)),
        _ => false,
    }
}

pub(super) fn refused_login(detail: &str) -> StoreError {
    misconfigured(format!(
        "Redis refused the login ({detail}): set one, such as redis://user:password@host"
    ))
}

/// Returns the error in the server's words. They repeat nothing of a call but names of keys.
fn describe(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) if !detail.starts_with(code) => format!("{code} {detail}"),
        (_, Some(detail)) => detail.to_owned(),
        _ => error.to_string(),
    }
}

fn redirect(error: &RedisError) -> Option<Address> {
    let (address, _) = error.redirect_node()?;
    let (host, port) = address.rsplit_once(':')?;
    Some(Address::new(host, port.parse().ok()?))
}
