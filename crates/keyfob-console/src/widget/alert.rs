//! Why a part of a page is missing, or was not done.

use maud::{Markup, html};

use super::text;
use crate::trouble::Trouble;

/// Shows a trouble in a paragraph, which screen readers read at once.
pub(crate) fn trouble(trouble: &Trouble) -> Markup {
    html! { p.wrong role="alert" { (trouble.title()) ": " (text::visible(&trouble.detail())) } }
}
