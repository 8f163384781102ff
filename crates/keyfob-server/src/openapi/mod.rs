//! The OpenAPI document, made from the table of routes and from the schemas of the bodies. There is no
//! second list of what the service does.
//!
//! | module | content |
//! |---|---|
//! | `document` | the whole document |
//! | `operation` | one route |
//! | `failures` | how routes fail |
//! | `schemas` | the schemas that routes share |

mod document;
mod failures;
mod operation;
mod schemas;

pub(crate) use document::document;

use http::StatusCode;

use crate::call::Call;
use crate::respond::json::{self, Answer};

/// Answers with the document.
pub(crate) async fn handle(call: Call) -> Answer {
    Ok(json::of_bytes(StatusCode::OK, call.shared.openapi.to_vec()))
}
