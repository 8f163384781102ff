//! Where the events of a subscription are sent.

use std::fmt;
use std::str::FromStr;

use crate::endpoint::{Endpoint, InvalidEndpoint};
use crate::nats::{InvalidSubject, SubjectPrefix};

/// Where the events of a subscription are sent, as its `url` says.
///
/// ```
/// use keyfob_webhook::destination::Destination;
///
/// let receiver: Destination = "https://shop.example/hooks".parse()?;
/// assert!(matches!(receiver, Destination::Http(_)));
/// let Destination::Nats(prefix) = "nats:keyfob.shop".parse()? else { panic!() };
/// assert_eq!(prefix.as_str(), "keyfob.shop");
/// # Ok::<(), keyfob_webhook::destination::InvalidDestination>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    /// A receiver over HTTP.
    Http(Endpoint),
    /// Subjects of the NATS server that the service is connected to: `nats:` and their prefix.
    Nats(SubjectPrefix),
}

/// Why a text is no destination. It does not repeat the text, which may have a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidDestination {
    /// It is no URL of a receiver.
    #[error(transparent)]
    Endpoint(#[from] InvalidEndpoint),
    /// It has no prefix of subjects.
    #[error(transparent)]
    Subject(#[from] InvalidSubject),
    /// It names a NATS server.
    #[error(
        "it names a NATS server: write nats: and a subject, such as nats:keyfob. The operator sets the server in \
         [nats] servers"
    )]
    NamesServer,
}

/// What precedes the prefix of subjects.
const NATS: &str = "nats:";

impl FromStr for Destination {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, InvalidDestination> {
        match text.strip_prefix(NATS) {
            Some(rest) if rest.starts_with("//") => Err(InvalidDestination::NamesServer),
            Some(prefix) => Ok(Self::Nats(prefix.parse()?)),
            None => Ok(Self::Http(text.parse()?)),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(endpoint) => f.write_str(endpoint.as_str()),
            Self::Nats(prefix) => write!(f, "{NATS}{}", prefix.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_what_its_scheme_says() {
        for text in ["https://a.example/x", "http://127.0.0.1:80/", "nats:keyfob", "nats:a.b_1-C"] {
            assert_eq!(text.parse::<Destination>().unwrap().to_string(), text);
        }
        let refused = |text: &str| text.parse::<Destination>().unwrap_err();
        assert_eq!(refused("nats://a.example:4222"), InvalidDestination::NamesServer);
        assert_eq!(refused("nats:"), InvalidSubject::NotASubject.into());
        assert_eq!(refused("NATS:a"), InvalidEndpoint::NotAUrl.into());
        assert_eq!(refused("tls://a.example"), InvalidEndpoint::NotAUrl.into());
    }
}
