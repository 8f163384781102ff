//! The report of a revocation, as a line or as JSON.

use keyfob_api::RevocationBody;
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Target;
use crate::context::Context;
use crate::failure::Failure;
use crate::visible::visible;

/// The report of a revocation, as JSON.
#[derive(Serialize)]
pub(super) struct RevokeReport<'a> {
    pub(super) target: Value,
    pub(super) outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) revocation: Option<&'a RevocationBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) count: Option<u64>,
    /// The tokens listed under the subject or the client, up to the maximum of one page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) listed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) examined: Option<u64>,
    /// The lanes in which it is done, and those that could not be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lanes: Option<Lanes>,
    /// The cursor to resume an interrupted run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// How many lanes of the store a revocation has reached.
#[derive(Serialize)]
pub(super) struct Lanes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) done: Option<u16>,
    pub(super) pending: usize,
    pub(super) pending_lanes: Vec<u16>,
}

impl Lanes {
    pub(super) fn new(done: Option<u16>, pending: &[u16]) -> Self {
        Self { done, pending: pending.len(), pending_lanes: pending.to_vec() }
    }
}

impl RevokeReport<'_> {
    pub(super) fn new(target: &Target, outcome: &'static str) -> Self {
        let target = match target {
            Target::Token(id) => json!({ "id": id }),
            Target::Family(family) => json!({ "family": family }),
            Target::Subject(subject) => json!({ "subject": subject }),
            Target::Client(client) => json!({ "client": client }),
            Target::All => json!({ "all": true }),
            Target::Matching(text) => json!({ "where": text }),
        };
        Self {
            target,
            outcome,
            revocation: None,
            count: None,
            listed: None,
            examined: None,
            lanes: None,
            next: None,
        }
    }

    /// Writes the line, or this object with `--json`.
    pub(super) fn write(&self, line: &str, context: &mut Context) -> Result<(), Failure> {
        if context.output.is_json() {
            return context.output.object(self);
        }
        context.output.line(visible(line))
    }
}
