//! What a request names: the body, the id in the path, the parameters of the query, a filter.

use keyfob::filter::{FilterBindings, FilterError};
use keyfob::{Error, Filter, InvalidValue, Timestamp, TokenId};
use keyfob_api::{MAX_ITEMS, OneOrMany, json};
use serde::de::DeserializeOwned;

use super::parameters::{BIND, FILTER, TOKEN_ID};
use crate::call::Call;
use crate::query::Query;
use crate::respond::failure::Failure;

/// Checks that a request names no more than an array of bodies may have.
pub(crate) fn check_items(what: &str, items: usize) -> Result<(), Failure> {
    match items {
        0..=MAX_ITEMS => Ok(()),
        _ => {
            let detail = format!("there are too many {what}: at most {MAX_ITEMS}");
            Err(Failure::bad("too_many_items", detail))
        }
    }
}

/// Reads the body, which is an object.
pub(crate) fn body<T: DeserializeOwned>(call: &Call) -> Result<T, Failure> {
    json::parse_object(&call.body)
        .map_err(|invalid| Failure::bad(invalid.code(), invalid.to_string()))
}

/// Reads the body, which is an object, or an array of objects.
pub(super) fn one_or_many<T: DeserializeOwned>(call: &Call) -> Result<OneOrMany<T>, Failure> {
    json::parse(&call.body).map_err(|invalid| Failure::bad(invalid.code(), invalid.to_string()))
}

/// Reads the id in the path.
pub(super) fn token_id(call: &Call) -> Result<TokenId, Failure> {
    let text = call.path.get(TOKEN_ID.name).map(String::as_str).unwrap_or_default();
    text.parse().map_err(|invalid: InvalidValue| invalid.into())
}

/// Returns the filter of the query, with the values that `bind.NAME` gives.
pub(crate) fn query_filter(query: &Query, now: Timestamp) -> Result<Filter, Failure> {
    filter(query.text(&FILTER).unwrap_or_default(), query.named(&BIND), now)
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

/// Returns the failure of a text that is not a filter, or not one that can be used here.
pub(super) fn not_a_filter(error: &FilterError) -> Failure {
    Failure::bad(error.code(), error.to_string())
}

/// Returns the failure that answers for a token that is not there, or that the caller may not see.
pub(super) fn not_found(id: TokenId) -> Failure {
    Error::NotFound { id }.into()
}
