//! Where the page of a subject is, and its heading.

use keyfob_core::text::Subject;
use maud::{Markup, html};

use crate::fields::below;
use crate::widget::text;

/// Returns the address of the page of a subject.
pub(super) fn address(subject: &str) -> String {
    below("/console/subjects", subject)
}

pub(super) fn heading(subject: &Subject) -> Markup {
    html! { h1 { "Subject " (text::short(subject.as_str(), 80)) } }
}
