//! One line of `issue --from`: a grant as JSON, with the field names of a token.

use keyfob::values::Actor;
use keyfob::{Error, Timestamp};
use keyfob_api::{GrantSpec, InvalidGrantSpec, InvalidJson, RefusalBody};

use crate::backend::{Backend, CheckedGrant, NotIssued};
use crate::failure::Failure;

/// A reason to refuse a line. It contains no value of the line.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("it is longer than {max} bytes")]
    TooLong { max: usize },
    #[error("it is not UTF-8")]
    NotText,
    #[error(transparent)]
    Json(#[from] InvalidJson),
    #[error(transparent)]
    Spec(InvalidGrantSpec),
    #[error(transparent)]
    Keyfob(#[from] Error),
    /// The server refuses the grant.
    #[error("{}", .0.message)]
    Refused(RefusalBody),
    /// The server cannot be asked.
    #[error(transparent)]
    Failed(Box<Failure>),
}

impl From<NotIssued> for LineError {
    fn from(not_issued: NotIssued) -> Self {
        match not_issued {
            NotIssued::Store(error) => Self::Keyfob(error),
            NotIssued::Server(refusal) => Self::Refused(refusal),
            NotIssued::Failed(failure) => Self::Failed(failure),
        }
    }
}

impl From<InvalidGrantSpec> for LineError {
    fn from(invalid: InvalidGrantSpec) -> Self {
        match invalid {
            InvalidGrantSpec::Invalid(invalid) => Self::Keyfob(invalid.into()),
            other => Self::Spec(other),
        }
    }
}

impl LineError {
    pub(super) fn code(&self) -> &str {
        match self {
            Self::TooLong { .. } | Self::NotText | Self::Json(_) => "invalid_line",
            Self::Spec(_) => "invalid_value",
            Self::Keyfob(error) => error.code(),
            Self::Refused(refusal) => &refusal.code,
            Self::Failed(failure) => failure.code(),
        }
    }
}

impl LineError {
    /// The failure that ends the command: later lines would fail too.
    pub(super) fn fatal(self) -> Option<Failure> {
        match self {
            Self::Keyfob(error @ Error::Store(_)) => Some(error.into()),
            Self::Failed(failure) => Some(*failure),
            _ => None,
        }
    }
}

/// Reads one line.
pub(super) fn parse(
    line: &str,
    by: Option<&Actor>,
    now: Timestamp,
    backend: &Backend,
) -> Result<CheckedGrant, LineError> {
    Ok(backend.check_grant(GrantSpec::from_json(line.trim())?, by, now)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<CheckedGrant, LineError> {
        let store = keyfob::MemoryStore::new().unwrap();
        let backend = Backend::store(keyfob::TokenManager::new(store));
        parse(line, None, Timestamp::from_millis(1_000), &backend)
    }

    fn refused(line: &str) -> String {
        read(line).unwrap_err().to_string()
    }

    #[test]
    fn a_line_has_the_field_names_of_a_token() {
        let line = r#" {"kind":"api-key","subject":"user123","issuer":"i","audience":["a","b"],
            "scopes":["read"],"client":"c","username":"u","auth_time":"now","acr":"aal2",
            "amr":["pwd","otp"],"cnf":{"jkt":"t"},"ttl":"never","not_before":"+5m",
            "idle":"1h","absolute":"90d","uses":3,"metadata":{"device":{"id":"d"},
            "labels":{"k":"v"},"tags":["t"]},"claims":{"plan":"team"}}"#;
        assert!(read(line).is_ok());
        assert!(read("{}").is_ok());
    }

    #[test]
    fn an_error_does_not_contain_the_value() {
        assert!(refused(r#"{"subjct":"x"}"#).contains("subjct"));
        assert!(refused(r#"{"subject":""}"#).contains("subject is empty"));
        assert!(refused(r#"{"amr":["pwd"]}"#).contains("Say when"));
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

    #[test]
    fn a_field_that_only_a_flag_has_is_unknown() {
        for line in [r#"{"tag":["a"]}"#, r#"{"jkt":"t"}"#, r#"{"device_id":"d"}"#] {
            assert!(refused(line).contains("unknown field"), "{line}");
        }
    }
}
