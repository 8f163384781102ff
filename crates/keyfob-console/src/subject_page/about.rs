//! The heading of every page about a subject.

use keyfob_core::text::Subject;
use maud::{Markup, html};

use crate::widget::text;

pub(super) fn heading(subject: &Subject) -> Markup {
    html! { h1 { "Subject " (text::short(subject.as_str(), 80)) } }
}
