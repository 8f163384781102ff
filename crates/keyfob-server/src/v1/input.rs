//! What a request names: the body, the id in the path, the parameters of the query, a filter.

use std::str::FromStr;

use http::StatusCode;
use keyfob::filter::{FilterBindings, FilterError};
use keyfob::{Error, Filter, InvalidValue, Timestamp, TokenId};
use keyfob_api::json;
use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::form::Form;
use crate::respond::failure::Failure;

/// The start of a parameter that binds a value to a name in the filter.
const BIND: &str = "bind.";

/// Reads the body.
pub(super) fn body<T: DeserializeOwned>(call: &Call) -> Result<T, Failure> {
    json::parse(&call.body).map_err(|invalid| Failure::bad(invalid.code(), invalid.to_string()))
}

/// Reads the id in the path.
pub(super) fn token_id(call: &Call) -> Result<TokenId, Failure> {
    let text = call.path.get("id").map(String::as_str).unwrap_or_default();
    text.parse().map_err(|invalid: InvalidValue| invalid.into())
}

/// The parameters of a query. A parameter that is not expected is refused, so that a mistyped name
/// changes nothing unnoticed.
pub(super) struct Query(Form);

impl Query {
    /// Reads the query, with parameters of these names and no others.
    pub(super) fn read(call: &Call, expected: &[&str]) -> Result<Self, Failure> {
        let query = call.parts.uri.query().unwrap_or_default();
        let form = Form::parse(query.as_bytes()).map_err(|bad| {
            Failure::bad("invalid_query", format!("the query is not valid: {}", bad.message()))
        })?;
        let is_expected = |name: &str| {
            expected.contains(&name) || (name.starts_with(BIND) && expected.contains(&BIND))
        };
        if !form.names().all(is_expected) {
            // The name is not repeated: it may be a secret in the wrong place.
            let names = expected.join(", ");
            let detail = format!("the query has an unknown parameter. It may have: {names}");
            return Err(Failure::bad("unknown_parameter", detail));
        }
        Ok(Self(form))
    }

    /// Returns a parameter as a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    /// Returns a parameter as a value of keyfob.
    pub(super) fn value<T: FromStr<Err = InvalidValue>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Failure> {
        Ok(self.text(name).map(str::parse).transpose()?)
    }

    /// Returns a number of at least one, and at most `max`.
    pub(super) fn number(&self, name: &str, default: usize, max: usize) -> Result<usize, Failure> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| (1..=max).contains(number));
        number.ok_or_else(|| {
            Failure::bad("invalid_parameter", format!("{name} has to be a number from 1 to {max}"))
        })
    }

    /// Returns a parameter that is `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => {
                Err(Failure::bad("invalid_parameter", format!("{name} has to be true or false")))
            }
        }
    }

    /// Returns the filter, with the values that `bind.NAME` gives.
    pub(super) fn filter(&self, now: Timestamp) -> Result<Filter, Failure> {
        let bound = self.0.names().filter_map(|name| {
            Some((name.strip_prefix(BIND)?, self.text(name).unwrap_or_default()))
        });
        filter(self.text("filter").unwrap_or_default(), bound, now)
    }
}

/// Parses a filter, with values for its names.
pub(super) fn filter<'a>(
    text: &str,
    bound: impl IntoIterator<Item = (&'a str, &'a str)>,
    now: Timestamp,
) -> Result<Filter, Failure> {
    let mut bindings = FilterBindings::new();
    for (name, value) in bound {
        bindings = bindings.bind(name, value)?;
    }
    Filter::parse_with(text, now, &bindings).map_err(|error| not_a_filter(&error))
}

fn not_a_filter(error: &FilterError) -> Failure {
    Failure::bad(error.code(), error.to_string())
}

/// Returns the failure that answers for a token that is not there, or that the caller may not see.
pub(super) fn not_found(id: TokenId) -> Failure {
    Error::NotFound { id }.into()
}

impl Failure {
    /// Returns the failure of a request that is not valid.
    pub(super) fn bad(code: &str, detail: impl Into<String>) -> Self {
        Self {
            code: code.to_owned().into(),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail.into())
        }
    }
}
