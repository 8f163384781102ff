//! The subject and the client of tokens: where their pages are, and links to them.

use maud::{Markup, html};

use super::text;
use crate::fields::below;

/// Returns the address of the page of a subject.
pub(crate) fn subject_address(subject: &str) -> String {
    below("/console/subjects", subject)
}

/// Returns the address of the page of a client.
pub(crate) fn client_address(client: &str) -> String {
    below("/console/clients", client)
}

/// Shows a subject as a link to its page, cut where it is long.
pub(crate) fn subject(subject: &str, max_chars: usize) -> Markup {
    html! { a href=(subject_address(subject)) { (text::short(subject, max_chars)) } }
}

/// Shows a client as a link to its page, cut where it is long.
pub(crate) fn client(client: &str, max_chars: usize) -> Markup {
    html! { a href=(client_address(client)) { (text::short(client, max_chars)) } }
}
