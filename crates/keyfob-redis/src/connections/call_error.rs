//! The errors of one attempt of a call, by what to do about them.

use keyfob_store::StoreError;
use redis::{ErrorKind, RedisError};

use super::server_error::{Handling, ServerErrorRule, rule_for, without_position};
use super::tls::certificate_advice;
use crate::config::{Address, misconfigured};

const LATE: &str = "no server could be reached in time";

#[derive(Debug)]
pub(crate) enum CallError {
    /// The call was not sent, or certainly not executed. It may be sent again.
    Refused(String),
    /// The same: there was no connection in the time that was left.
    Late,
    /// The same: the slot is being moved, and the server has only some of the keys.
    Split(String),
    /// The same: the server does not serve calls yet, or not at present.
    NotServing(String),
    /// The same: the server is a replica.
    Replica {
        detail: String,
        /// Whether it answers other calls.
        is_serving: bool,
    },
    /// The same: the server is a node of a cluster that is down, or that it is cut off from.
    CutOff(String),
    /// The same: the server does not have the script.
    NoScript(String),
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
    Moved(Redirect),
    /// The slot is being moved; this call should be sent to the other server.
    Ask(Redirect),
    /// Sending the call again would fail again.
    Final(StoreError),
}

/// Where an error sends a call.
#[derive(Debug)]
pub(crate) struct Redirect {
    /// The server, or `None` if the one that answered does not know its name.
    pub(crate) to: Option<Address>,
    /// The port of the server.
    pub(super) port: Option<u16>,
    /// The whole error, for a store that is not a cluster.
    pub(super) detail: String,
}

impl CallError {
    /// Returns the error for an answer of the server at `address`, or for a missing answer.
    pub(super) fn of(error: &RedisError, address: &Address) -> Self {
        let detail = describe(error);
        match error.kind() {
            ErrorKind::Server(_) | ErrorKind::Extension => Self::of_answer(&detail, address),
            ErrorKind::InvalidClientConfig => Self::Final(misconfigured(detail)),
            _ => Self::lost(&detail, address),
        }
    }

    /// Returns the error for a connection that failed.
    pub(super) fn lost(detail: &str, address: &Address) -> Self {
        // Under TLS 1.3 the server refuses a certificate after the handshake.
        match certificate_advice(detail) {
            Some(advice) => Self::Final(misconfigured(format!("{address} {advice} ({detail})"))),
            None => Self::Lost(format!("the connection to {address} failed: {detail}")),
        }
    }

    /// Returns the error for an answer that is an error, in the words of the server at `address`.
    pub(super) fn of_answer(words: &str, address: &Address) -> Self {
        let (code, text) = words.split_once(' ').unwrap_or((words, ""));
        match rule_for(code, text) {
            Some(rule) => Self::by_rule(rule, words, address),
            // The server cannot run the script or does not accept an argument.
            None if code == "ERR" => Self::Final(StoreError::unavailable(format!(
                "{address} refused a command ({})",
                without_position(words)
            ))),
            // Nothing is known about it, so it may pass by itself.
            None => Self::Refused(format!("{address} answers {words}")),
        }
    }

    fn by_rule(rule: &ServerErrorRule, words: &str, address: &Address) -> Self {
        let detail = rule.explain(&address.to_string(), words);
        let redirect = |detail| {
            let (host, port) = target(words).unzip();
            let to = host.zip(port).and_then(|(host, port)| named(host, port, address));
            Redirect { to, port, detail }
        };
        match rule.handling {
            Handling::RepeatUntilItServes => Self::NotServing(detail),
            Handling::Repeat => Self::Refused(detail),
            Handling::RepeatWhileMoved => Self::Split(detail),
            Handling::AskOtherNodes => Self::CutOff(detail),
            Handling::FindPrimary => Self::Replica { detail, is_serving: true },
            Handling::LeaveReplica => Self::Replica { detail, is_serving: false },
            Handling::LoadScript => Self::NoScript(detail),
            Handling::FollowMoved => Self::Moved(redirect(detail)),
            Handling::FollowAsk => Self::Ask(redirect(detail)),
            Handling::Unavailable => Self::Final(StoreError::unavailable(detail)),
            Handling::RefusedLogin => Self::LoginRefused(detail),
            Handling::Misconfigured => Self::Final(misconfigured(detail)),
            Handling::NotAStore => {
                Self::Final(StoreError::NotAStore { what: "this namespace".to_owned(), detail })
            }
        }
    }

    /// Returns whether the connection cannot be used further, or no longer leads to a primary.
    pub(super) fn ends_connection(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::LoginRefused(_) | Self::Replica { .. })
    }

    /// Returns whether another server has the slot, or is about to.
    pub(super) fn is_redirection(&self) -> bool {
        matches!(self, Self::Moved(_) | Self::Ask(_))
    }

    /// Returns whether the error of a call that was sent shows that its server does not serve calls.
    pub(super) fn is_no_answer(&self) -> bool {
        matches!(
            self,
            Self::Lost(_)
                | Self::Unconfirmed(_)
                | Self::NotServing(_)
                | Self::CutOff(_)
                | Self::Replica { is_serving: false, .. }
        )
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
            | Self::Split(detail)
            | Self::NotServing(detail)
            | Self::Replica { detail, .. }
            | Self::CutOff(detail)
            | Self::NoScript(detail)
            | Self::Lost(detail)
            | Self::LoginRefused(detail)
            | Self::Unsafe(detail)
            | Self::Unconfirmed(detail)
            | Self::Moved(Redirect { detail, .. })
            | Self::Ask(Redirect { detail, .. }) => detail.clone(),
            Self::Final(error) => error.to_string(),
            Self::Late => LATE.to_owned(),
        }
    }

    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Final(error) => error,
            Self::Late => StoreError::unavailable(LATE),
            Self::Refused(detail)
            | Self::Split(detail)
            | Self::NotServing(detail)
            | Self::Replica { detail, .. }
            | Self::CutOff(detail)
            | Self::NoScript(detail)
            | Self::Lost(detail)
            | Self::Unsafe(detail)
            | Self::Moved(Redirect { detail, .. })
            | Self::Ask(Redirect { detail, .. }) => StoreError::unavailable(detail),
            Self::Unconfirmed(detail) => StoreError::AddressUnconfirmed { detail },
            Self::LoginRefused(detail) => misconfigured(detail),
        }
    }
}

/// Reads the host and the port in a redirection, such as `MOVED 3999 host:6379`.
fn target(words: &str) -> Option<(&str, u16)> {
    let (host, port) = words.split(' ').nth(2)?.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    Some((host, port))
}

/// Returns the address that a redirection of the server at `answered` names. Without a host, its own host is
/// meant. `?` stands for a host whose name it does not know.
fn named(host: &str, port: u16, answered: &Address) -> Option<Address> {
    match host {
        "?" => None,
        "" => Some(Address::new(answered.host.clone(), port)),
        host => Some(Address::new(host, port)),
    }
}

/// Returns the error in the server's words. They repeat nothing of a call but names of keys.
fn describe(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) if !detail.starts_with(code) => format!("{code} {detail}"),
        (_, Some(detail)) => detail.to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_without_a_host_leads_to_the_server_that_answered() {
        let answered = Address::new("10.0.0.1", 6379);
        let read = |text| {
            let words = format!("MOVED 3999 {text}");
            let CallError::Moved(redirect) = CallError::of_answer(&words, &answered) else {
                panic!("it is a redirection")
            };
            redirect.to.map(|to| to.to_string())
        };
        assert_eq!(read("10.0.0.2:7000").as_deref(), Some("10.0.0.2:7000"));
        assert_eq!(read("::1:7000").as_deref(), Some("[::1]:7000"));
        assert_eq!(read(":7000").as_deref(), Some("10.0.0.1:7000"));
        for unknown in ["?:7000", "host:0", "host:port", "host", ""] {
            assert_eq!(read(unknown), None, "{unknown}");
        }
    }
}
