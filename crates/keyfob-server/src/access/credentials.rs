//! The credentials of a client in a request (RFC 6749 section 2.3.1, RFC 6750 section 2.1).

use base64ct::{Base64, Encoding as _};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use keyfob_jwt::client_assertion::ASSERTION_TYPE;
use percent_encoding::percent_decode_str;

use crate::form::Form;

/// The maximum length of an `Authorization` header in bytes.
const MAX_HEADER_BYTES: usize = 2 * 1024;

/// How a request authenticates its client. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// `client_secret_basic`: the header with the scheme `Basic`.
    Basic { client_id: String, secret: String },
    /// `client_secret_post`: parameters of the form.
    Form { client_id: String, secret: String },
    /// The header with the scheme `Bearer`.
    Bearer(String),
    /// `private_key_jwt`: an assertion in the form (RFC 7523 section 2.2).
    Assertion { client_id: Option<String>, assertion: String },
    /// A client id without a secret: a public client.
    ClientId(String),
}

/// Why the credentials of a request cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadCredentials {
    SeveralHeaders,
    MalformedHeader,
    UnknownScheme,
    SeveralMethods,
    DifferentClient,
    SecretWithoutClient,
    AssertionType,
    NoAssertion,
    AssertionsNotTaken,
}

impl BadCredentials {
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::SeveralHeaders => "there is more than one Authorization header",
            Self::MalformedHeader => "the Authorization header is malformed",
            Self::UnknownScheme => "the Authorization header has to use the scheme Basic or Bearer",
            Self::SeveralMethods => "the client authenticates in more than one way: use one",
            Self::DifferentClient => "client_id names another client than the Authorization header",
            Self::SecretWithoutClient => "client_secret needs client_id",
            Self::AssertionType => {
                "client_assertion needs client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            }
            Self::NoAssertion => "client_assertion_type needs client_assertion",
            Self::AssertionsNotTaken => {
                "this service takes no client assertions: configure its issuer, or use a secret"
            }
        }
    }
}

impl Credentials {
    /// Reads the credentials of a request; `None` if there are none. The form counts only at
    /// endpoints of OAuth.
    pub(crate) fn read(
        headers: &HeaderMap,
        form: Option<&Form>,
    ) -> Result<Option<Self>, BadCredentials> {
        let header = from_header(headers)?;
        let Some(form) = form else { return Ok(header) };
        let (client_id, secret) = (form.get("client_id"), form.get("client_secret"));
        if let Some(assertion) = assertion(form)? {
            return match (header, secret) {
                (None, None) => {
                    let client_id = client_id.map(str::to_owned);
                    Ok(Some(Self::Assertion { client_id, assertion }))
                }
                _ => Err(BadCredentials::SeveralMethods),
            };
        }
        match (header, client_id, secret) {
            (Some(_), _, Some(_)) => Err(BadCredentials::SeveralMethods),
            (Some(Self::Basic { client_id: named, .. }), Some(client_id), None)
                if named != client_id =>
            {
                Err(BadCredentials::DifferentClient)
            }
            (Some(header), _, None) => Ok(Some(header)),
            (None, Some(client_id), Some(secret)) => {
                Ok(Some(Self::Form { client_id: client_id.to_owned(), secret: secret.to_owned() }))
            }
            (None, Some(client_id), None) => Ok(Some(Self::ClientId(client_id.to_owned()))),
            (None, None, Some(_)) => Err(BadCredentials::SecretWithoutClient),
            (None, None, None) => Ok(None),
        }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic",
            Self::Form { .. } => "Form",
            Self::Bearer(_) => "Bearer",
            Self::Assertion { .. } => "Assertion",
            Self::ClientId(_) => "ClientId",
        })
    }
}

fn assertion(form: &Form) -> Result<Option<String>, BadCredentials> {
    match (form.get("client_assertion_type"), form.get("client_assertion")) {
        (None, None) => Ok(None),
        (Some(ASSERTION_TYPE), Some(assertion)) => Ok(Some(assertion.to_owned())),
        (Some(ASSERTION_TYPE), None) => Err(BadCredentials::NoAssertion),
        (Some(_) | None, _) => Err(BadCredentials::AssertionType),
    }
}

fn from_header(headers: &HeaderMap) -> Result<Option<Credentials>, BadCredentials> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(BadCredentials::SeveralHeaders);
    }
    if value.len() > MAX_HEADER_BYTES {
        return Err(BadCredentials::MalformedHeader);
    }
    let text = value.to_str().map_err(|_| BadCredentials::MalformedHeader)?;
    let (scheme, rest) = text.split_once(' ').ok_or(BadCredentials::MalformedHeader)?;
    let rest = rest.trim_matches(' ');
    // RFC 9110 section 11.1: the scheme is compared without regard to case.
    if scheme.eq_ignore_ascii_case("bearer") {
        if rest.is_empty() || rest.contains(' ') {
            return Err(BadCredentials::MalformedHeader);
        }
        Ok(Some(Credentials::Bearer(rest.to_owned())))
    } else if scheme.eq_ignore_ascii_case("basic") {
        basic(rest).map(Some).ok_or(BadCredentials::MalformedHeader)
    } else {
        Err(BadCredentials::UnknownScheme)
    }
}

/// Reads the value of a Basic header. Both parts are encoded as in a form (RFC 6749 section 2.3.1).
fn basic(encoded: &str) -> Option<Credentials> {
    let decoded = String::from_utf8(Base64::decode_vec(encoded).ok()?).ok()?;
    let (client_id, secret) = decoded.split_once(':')?;
    Some(Credentials::Basic { client_id: form_decoded(client_id)?, secret: form_decoded(secret)? })
}

fn form_decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|decoded| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[&str], form: &str) -> Result<Option<Credentials>, BadCredentials> {
        let mut map = HeaderMap::new();
        for value in headers {
            map.append(AUTHORIZATION, value.parse().unwrap());
        }
        Credentials::read(&map, Some(&Form::parse(form.as_bytes()).unwrap()))
    }

    fn basic_of(text: &str) -> String {
        format!("basic {}", Base64::encode_string(text.as_bytes()))
    }

    #[test]
    fn a_client_authenticates_in_one_of_four_ways() {
        let (client_id, secret) = ("a b".to_owned(), "s".to_owned());
        assert_eq!(
            read(&[&basic_of("a+b:%73")], ""),
            Ok(Some(Credentials::Basic { client_id: client_id.clone(), secret: secret.clone() }))
        );
        assert_eq!(
            read(&[], "client_id=a+b&client_secret=s"),
            Ok(Some(Credentials::Form { client_id: client_id.clone(), secret }))
        );
        let typ = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let assertion = || "a.b.c".to_owned();
        for (named, client_id) in [("", None), ("&client_id=a", Some("a".to_owned()))] {
            let expected = Credentials::Assertion { client_id, assertion: assertion() };
            assert_eq!(
                read(&[], &format!("{typ}&client_assertion=a.b.c{named}")),
                Ok(Some(expected))
            );
        }
        assert_eq!(read(&["BEARER x"], ""), Ok(Some(Credentials::Bearer("x".into()))));
        assert_eq!(read(&[], "client_id=a+b"), Ok(Some(Credentials::ClientId(client_id))));
        assert_eq!(read(&[], "token=x"), Ok(None));
    }

    #[test]
    fn ambiguous_or_malformed_credentials_are_refused() {
        use BadCredentials::*;
        let basic = basic_of("a:s");
        assert_eq!(read(&[&basic, &basic], ""), Err(SeveralHeaders));
        assert_eq!(read(&[&basic], "client_id=a&client_secret=s"), Err(SeveralMethods));
        assert_eq!(read(&["Bearer x"], "client_secret=s"), Err(SeveralMethods));
        assert_eq!(read(&[&basic], "client_id=b"), Err(DifferentClient));
        assert_eq!(read(&[], "client_secret=s"), Err(SecretWithoutClient));
        let typ = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let assertion = format!("{typ}&client_assertion=a.b.c");
        for header in [&*basic, "Bearer x"] {
            assert_eq!(read(&[header], &assertion), Err(SeveralMethods));
        }
        let both = format!("{assertion}&client_id=a&client_secret=s");
        assert_eq!(read(&[], &both), Err(SeveralMethods));
        assert_eq!(read(&[], typ), Err(NoAssertion));
        assert_eq!(read(&[], "client_assertion=a.b.c&client_id=a"), Err(AssertionType));
        let other = "client_assertion_type=urn:saml2&client_assertion=a.b.c";
        assert_eq!(read(&[], other), Err(AssertionType));
        assert_eq!(read(&["Digest x"], ""), Err(UnknownScheme));
        for header in
            ["Basic", "Basic !", "Bearer ", "Bearer a b", &basic_of("no colon"), &basic_of("a:%ff")]
        {
            assert_eq!(read(&[header], ""), Err(MalformedHeader), "{header}");
        }
    }

    #[test]
    fn debug_output_hides_the_secret() {
        let credentials = read(&[], "client_id=a&client_secret=hunter2").unwrap();
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
