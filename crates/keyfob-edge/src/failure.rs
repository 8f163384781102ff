//! Errors of the client as errors of a store.

use keyfob_client::{Error, ErrorClass};
use keyfob_store::StoreError;

/// Returns the error of a store. Nothing is known about the token.
pub(crate) fn store_error(error: &Error) -> StoreError {
    if error.code() == "not_at_edge" {
        return StoreError::NotAtEdge { what: "looking at a refresh token" };
    }
    match error.api().map(keyfob_client::ApiError::status) {
        Some(status) if status == 401 || status == 403 => StoreError::Misconfigured(format!(
            "the central server refuses the key of this edge ({}): give it an API key with the scope \
             keyfob:edge and without audiences",
            error.code()
        )),
        _ if error.class() == ErrorClass::NotFound => StoreError::Misconfigured(
            "the central server does not serve edges: check its URL and its version".to_owned(),
        ),
        _ => StoreError::unavailable(format!("the central server: {error}")),
    }
}

/// Returns the error of an answer that is none.
pub(crate) fn malformed(what: &str) -> StoreError {
    StoreError::unavailable(format!("the central server answered with {what} that cannot be read"))
}
