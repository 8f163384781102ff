//! One line of `issue --from`: a grant as JSON, in the names of the JSON of a token.

use keyfob::{
    Actor, Audience, AuthenticationContext, AuthenticationMethod, ClientId, Confirmation, Error,
    Grant, Issuer, Kind, Metadata, NameSet, PrivateClaims, Scope, Subject, Timestamp, Ttl,
    Username,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::args::{AuthTime, Lifetime, TimeArg};

/// Why a line is no grant. It holds nothing of the line's values.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("it is longer than {most} bytes")]
    TooLong { most: usize },
    #[error("it is not UTF-8")]
    NotText,
    #[error("{0}")]
    Json(String),
    #[error("ttl and expires_at exclude each other: keep one of them")]
    TwoEnds,
    #[error("acr and amr say how the subject was authenticated: say when, by auth_time")]
    NotAuthenticated,
    #[error(transparent)]
    Keyfob(#[from] Error),
}

impl Refused {
    pub(super) fn code(&self) -> &str {
        match self {
            Self::TooLong { .. } | Self::NotText | Self::Json(_) => "invalid_line",
            Self::TwoEnds | Self::NotAuthenticated => "invalid_value",
            Self::Keyfob(error) => error.code(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantLine {
    kind: Option<Kind>,
    subject: Option<Subject>,
    issuer: Option<Issuer>,
    #[serde(default)]
    audience: NameSet<Audience>,
    #[serde(default)]
    scopes: NameSet<Scope>,
    client: Option<ClientId>,
    username: Option<Username>,
    auth_time: Option<AuthTime>,
    acr: Option<AuthenticationContext>,
    #[serde(default)]
    amr: NameSet<AuthenticationMethod>,
    cnf: Option<Confirmation>,
    ttl: Option<Lifetime>,
    expires_at: Option<TimeArg>,
    not_before: Option<TimeArg>,
    idle: Option<Ttl>,
    absolute: Option<Ttl>,
    uses: Option<u32>,
    metadata: Option<Metadata>,
    claims: Option<Box<RawValue>>,
}

/// Reads one line.
pub(super) fn parse(line: &str, by: Option<&Actor>, now: Timestamp) -> Result<Grant, Refused> {
    let line: GrantLine =
        serde_json::from_str(line.trim()).map_err(|error| Refused::Json(told(&error)))?;
    if line.ttl.is_some() && line.expires_at.is_some() {
        return Err(Refused::TwoEnds);
    }
    let mut grant = Grant::new(line.kind.unwrap_or(Kind::Access));
    grant = line.subject.into_iter().fold(grant, Grant::subject);
    grant = line.issuer.into_iter().fold(grant, Grant::issuer);
    grant = line.audience.iter().cloned().fold(grant, Grant::audience);
    grant = line.scopes.iter().cloned().fold(grant, Grant::scope);
    grant = line.client.into_iter().fold(grant, Grant::client);
    grant = line.username.into_iter().fold(grant, Grant::username);
    if line.auth_time.is_none() && (line.acr.is_some() || !line.amr.is_empty()) {
        return Err(Refused::NotAuthenticated);
    }
    let (acr, amr) = (line.acr, line.amr);
    grant = line
        .auth_time
        .into_iter()
        .fold(grant, |grant, at| grant.authenticated(at.from(now), acr.clone(), amr.clone()));
    grant = line.cnf.into_iter().fold(grant, Grant::confirmation);
    grant = match line.ttl {
        None => grant,
        Some(Lifetime::For(ttl)) => grant.ttl(ttl),
        Some(Lifetime::Never) => grant.never_expires(),
    };
    grant = line.expires_at.into_iter().fold(grant, |grant, at| grant.expires_at(at.from(now)));
    grant = line.not_before.into_iter().fold(grant, |grant, at| grant.not_before(at.from(now)));
    grant = line.idle.into_iter().fold(grant, Grant::idle_timeout);
    grant = line.absolute.into_iter().fold(grant, Grant::absolute_lifetime);
    grant = line.uses.into_iter().fold(grant, Grant::uses);
    grant = line.metadata.into_iter().fold(grant, Grant::metadata);
    grant = by.cloned().into_iter().fold(grant, Grant::by);
    if let Some(claims) = line.claims {
        let claims = PrivateClaims::from_json(claims.get()).map_err(Error::from)?;
        grant = grant.private_claims(claims);
    }
    Ok(grant)
}

/// The error in serde's words, without the value that they quote, and without the line, which is
/// the only one.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string().replace(" at line 1 column ", " at column ");
    match text.rsplit_once(", expected ") {
        Some((quoting, expected)) if quoting.starts_with("invalid ") => {
            format!("expected {expected}")
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> String {
        parse(line, None, Timestamp::from_millis(1_000)).unwrap_err().to_string()
    }

    #[test]
    fn a_line_takes_the_names_of_a_token() {
        let line = r#" {"kind":"api-key","subject":"user123","issuer":"i","audience":["a","b"],
            "scopes":["read"],"client":"c","username":"u","auth_time":"now","acr":"aal2",
            "amr":["pwd","otp"],"cnf":{"jkt":"t"},"ttl":"never","not_before":"+5m",
            "idle":"1h","absolute":"90d","uses":3,"metadata":{"device":{"id":"d"},
            "labels":{"k":"v"},"tags":["t"]},"claims":{"plan":"team"}}"#;
        assert!(parse(line, None, Timestamp::default()).unwrap().check().is_ok());
        assert!(parse("{}", None, Timestamp::default()).is_ok());
    }

    #[test]
    fn what_is_wrong_is_told_without_its_value() {
        assert!(refused(r#"{"subjct":"x"}"#).contains("subjct"));
        assert!(refused(r#"{"subject":""}"#).contains("subject is empty"));
        assert!(refused(r#"{"amr":["pwd"]}"#).contains("say when"));
        assert!(refused(r#"{"ttl":"1h","expires_at":"+1h"}"#).contains("exclude"));
        for line in [
            r#"{"audience":"hunter2"}"#,
            r#"{"uses":"hunter2"}"#,
            r#"{"ttl":"hunter2"}"#,
            r#"{"claims":{"sub":"hunter2"}}"#,
            r#"{"metadata":{"labels":{"a":"hunter2","a":"hunter2"}}}"#,
            r#""hunter2""#,
            "hunter2",
        ] {
            let refused = refused(line);
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
