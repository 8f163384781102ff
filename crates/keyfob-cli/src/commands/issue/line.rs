//! One line of `issue --from`: a grant as JSON, with the field names of a token.

use keyfob::values::Actor;
use keyfob::{Error, Grant, Timestamp};
use keyfob_api::{GrantSpec, InvalidGrantSpec, InvalidJson};

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
        }
    }
}

/// Reads one line.
pub(super) fn parse(line: &str, by: Option<&Actor>, now: Timestamp) -> Result<Grant, LineError> {
    Ok(GrantSpec::from_json(line.trim())?.into_grant(by, now)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> String {
        parse(line, None, Timestamp::from_millis(1_000)).unwrap_err().to_string()
    }

    #[test]
    fn a_line_has_the_field_names_of_a_token() {
        let line = r#" {"kind":"api-key","subject":"user123","issuer":"i","audience":["a","b"],
            "scopes":["read"],"client":"c","username":"u","auth_time":"now","acr":"aal2",
            "amr":["pwd","otp"],"cnf":{"jkt":"t"},"ttl":"never","not_before":"+5m",
            "idle":"1h","absolute":"90d","uses":3,"metadata":{"device":{"id":"d"},
            "labels":{"k":"v"},"tags":["t"]},"claims":{"plan":"team"}}"#;
        assert!(parse(line, None, Timestamp::default()).unwrap().check().is_ok());
        assert!(parse("{}", None, Timestamp::default()).is_ok());
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
