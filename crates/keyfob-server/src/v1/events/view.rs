//! An event as it is written.

use keyfob::event::CloudEvent;
use serde::Serialize;

/// An event with the cursor after it.
#[derive(Serialize)]
pub(super) struct EventView<'a> {
    #[serde(flatten)]
    pub(super) event: CloudEvent<'a>,
    /// An extension attribute. CloudEvents requires a name of lower-case letters and digits.
    #[serde(rename = "keyfobcursor", skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<String>,
}
