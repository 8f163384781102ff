//! What can come of an attempt, sorted by what to do about it.

use keyfob_store::StoreError;
use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::config::{Address, misconfigured};

#[derive(Debug)]
pub(crate) enum CallError {
    /// It was not sent, or certainly not done. It may be tried again.
    Refused(String),
    /// It was sent, and no answer came. It may be sent again if it is the same when done twice.
    Lost(String),
    /// It was done, and is not as safe as was asked for. It may be sent again.
    Unsafe(String),
    /// The slot is elsewhere for good.
    Moved(Address),
    /// The key is elsewhere for now.
    Ask(Address),
    /// Trying again is of no use.
    Final(StoreError),
}

impl CallError {
    /// The trouble that an answer of the server, or its absence, means.
    pub(super) fn of(error: &RedisError) -> Self {
        let detail = describe(error);
        match error.kind() {
            ErrorKind::Server(kind) => match kind {
                ServerErrorKind::Moved => {
                    redirect(error).map_or(Self::Refused(detail), Self::Moved)
                }
                ServerErrorKind::Ask => redirect(error).map_or(Self::Refused(detail), Self::Ask),
                ServerErrorKind::NoPerm => Self::Final(misconfigured(format!(
                    "the Redis user may not do what keyfob needs: {detail}"
                ))),
                // A script that the server could not run, or an argument that it does not take.
                ServerErrorKind::ResponseError => Self::Final(StoreError::unavailable(detail)),
                _ => Self::Refused(detail),
            },
            ErrorKind::AuthenticationFailed => Self::Final(refused_login(&detail)),
            ErrorKind::Extension => match error.code() {
                Some("NOAUTH" | "WRONGPASS") => Self::Final(refused_login(&detail)),
                Some("WRONGTYPE") => {
                    Self::Final(StoreError::NotAStore { what: "this namespace".to_owned(), detail })
                }
                // OOM, NOREPLICAS, MISCONF and their like pass when somebody mends the server.
                _ => Self::Refused(detail),
            },
            ErrorKind::InvalidClientConfig => Self::Final(misconfigured(detail)),
            _ => Self::Lost(detail),
        }
    }

    /// Whether the connection is of no further use, or no longer leads to a primary.
    pub(super) fn condemns_link(&self) -> bool {
        match self {
            Self::Lost(_) => true,
            Self::Refused(detail) => detail.starts_with("READONLY"),
            _ => false,
        }
    }

    /// The trouble of a call that was done, with what came after it. Whatever that was, it is not
    /// true that nothing was changed.
    pub(super) fn after_the_call(self) -> Self {
        if self.condemns_link() {
            return match self.into_error() {
                StoreError::Unavailable { detail } => Self::Lost(detail),
                error => Self::Final(error),
            };
        }
        Self::Unsafe(self.into_error().to_string())
    }

    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Final(error) => error,
            Self::Refused(detail) | Self::Lost(detail) | Self::Unsafe(detail) => {
                StoreError::unavailable(detail)
            }
            Self::Moved(address) | Self::Ask(address) => {
                StoreError::unavailable(format!("the slot is at {address}"))
            }
        }
    }
}

fn refused_login(detail: &str) -> StoreError {
    misconfigured(format!(
        "the Redis refused the login ({detail}): give one such as redis://user:password@host"
    ))
}

/// The error in the server's words. None of them repeats what we sent but for names of keys.
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
