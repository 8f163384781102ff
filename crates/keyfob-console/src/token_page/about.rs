//! Beginning of every page about a token, and whether the viewer may revoke it.

use std::time::Duration;

use keyfob_api::TokenBody;
use maud::{Markup, html};

use crate::visit::{Viewer, Visit};
use crate::widget::{text, token};

/// How long a page waits for the size of a family.
pub(super) const MAX_COUNTING: Duration = Duration::from_secs(2);

/// The heading of every page about a token.
pub(super) fn heading(token: &TokenBody) -> Markup {
    html! {
        h1 { "Token " span.id { (token.id) } }
        p {
            (token::state(token.state)) " " (token::kind(token.kind))
            @if let Some(subject) = &token.subject { " of subject " (text::short(subject.as_str(), 80)) }
            @if let Some(client) = &token.client { " of client " (text::short(client.as_str(), 80)) }
        }
    }
}

/// Returns whether the API lets the viewer revoke a token: one of its own client, or any with the scope.
pub(super) fn may_revoke(visit: &Visit, token: &TokenBody) -> bool {
    let is_own = |viewer: &Viewer| viewer.0.client.is_some() && viewer.0.client == token.client;
    visit.may("keyfob:revoke") || visit.viewer.as_ref().is_some_and(is_own)
}

/// Returns whether a token is the session of the person who looks.
pub(super) fn is_session_of_viewer(visit: &Visit, token: &TokenBody) -> bool {
    visit.viewer.as_ref().is_some_and(|viewer| viewer.0.id == token.id)
}

/// Returns whether a token is the session of the person who looks, or what that session descends from.
pub(super) fn is_of_viewer(visit: &Visit, token: &TokenBody) -> bool {
    visit.viewer.as_ref().is_some_and(|viewer| viewer.is_revoked_with(token.id))
}
