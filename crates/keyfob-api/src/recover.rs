//! Revoking again what a restored store has forgotten.

use keyfob_core::id::{FamilyId, TokenId};
use keyfob_core::text::{Actor, ClientId, Reason, Subject};
use keyfob_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::many::{MAX_ITEMS, at_most};
use crate::problem::Problem;
use crate::revoke::{Everything, ProgressState};
#[cfg(feature = "schema")]
use crate::schema::{Text, TimeText, TokenIdText};

/// The body of `POST /v1/recover`: revocations of a log of events, to apply again in this order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RecoverBody {
    /// The revocations, at most 1,000.
    #[serde(deserialize_with = "at_most::<MAX_ITEMS, _, _>")]
    #[cfg_attr(feature = "schema", schemars(length(max = 1000)))]
    pub revocations: Vec<LoggedRevocation>,
    /// Only counts the tokens that would be revoked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// A revocation as a log of events has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LoggedRevocation {
    /// What was revoked.
    pub target: LoggedTarget,
    /// When. Of many tokens, those are revoked that were issued before.
    #[cfg_attr(feature = "schema", schemars(with = "TimeText"))]
    pub at: Timestamp,
    /// The reason that was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub reason: Option<Reason>,
    /// The actor that was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub by: Option<Actor>,
}

/// What was revoked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LoggedTarget {
    /// One token, and all tokens that were minted from it.
    Token(#[cfg_attr(feature = "schema", schemars(with = "TokenIdText"))] TokenId),
    /// A family: its root token, and all tokens that were minted from it.
    Family(#[cfg_attr(feature = "schema", schemars(with = "TokenIdText"))] FamilyId),
    /// All tokens of a subject.
    Subject(#[cfg_attr(feature = "schema", schemars(with = "Text<256>"))] Subject),
    /// All tokens of a client.
    Client(#[cfg_attr(feature = "schema", schemars(with = "Text<256>"))] ClientId),
    /// Every token of the store: `{"all": true}`.
    All(#[cfg_attr(feature = "schema", schemars(with = "crate::schema::True"))] Everything),
}

/// A line of the stream that answers `POST /v1/recover`: some while it runs, and a last one.
///
/// If the stream ends without a line whose `state` is `done`, send the revocations after the first
/// `applied` of them again. What is revoked stays revoked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecoverProgress {
    /// Whether there is more to come.
    pub state: ProgressState,
    /// How many of the revocations are done.
    pub applied: u64,
    /// How many tokens were revoked, or would be.
    pub count: u64,
    /// How many tokens that are named one by one were revoked before.
    pub already_revoked: u64,
    /// How many tokens that are named one by one the store does not have.
    pub not_found: u64,
    /// How many records could not be read. They may match and be active.
    pub unreadable: u64,
    /// Why the run failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<Problem>>,
}

impl RecoverProgress {
    /// Returns the progress of a run that has done nothing yet.
    pub fn start() -> Self {
        Self {
            state: ProgressState::Running,
            applied: 0,
            count: 0,
            already_revoked: 0,
            not_found: 0,
            unreadable: 0,
            error: None,
        }
    }

    /// Adds the numbers of another run.
    pub fn add(&mut self, other: &Self) {
        self.applied += other.applied;
        self.count += other.count;
        self.already_revoked += other.already_revoked;
        self.not_found += other.not_found;
        self.unreadable += other.unreadable;
    }
}

/// The body of `POST /v1/recover/accept`: `{}` without a reason.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AcceptBody {
    /// The reason to record in the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Text<256>>"))]
    pub reason: Option<Reason>,
}

/// The answer to `POST /v1/recover/accept`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AcceptedBody {
    /// In how many lanes tokens are accepted again that were refused since the store lost its last
    /// writes.
    pub accepted_lanes: u16,
}
