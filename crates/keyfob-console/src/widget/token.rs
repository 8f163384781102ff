//! Tokens: their state, kind and id.

use keyfob_core::{Kind, TokenId, TokenState};
use maud::{Markup, html};

/// Returns the sign of a state, which reads without colour.
pub(crate) const fn sign(state: TokenState) -> &'static str {
    match state {
        TokenState::Active => "●",
        TokenState::Pending => "◔",
        TokenState::Expired => "○",
        TokenState::Exhausted => "◇",
        TokenState::Revoked => "✕",
    }
}

/// Shows the state of a token: its sign and its name.
pub(crate) fn state(state: TokenState) -> Markup {
    html! {
        span.state data-state=(state.as_str()) {
            span aria-hidden="true" { (sign(state)) } " " (state.as_str())
        }
    }
}

/// Shows the kind of a token.
pub(crate) fn kind(kind: Kind) -> Markup {
    html! { span.kind { (kind.as_str()) } }
}

/// Returns the address of the page of a token.
pub(crate) fn address(id: TokenId) -> String {
    format!("/console/tokens/{id}")
}

/// Shows the id of a token as a link to its page.
pub(crate) fn id(id: TokenId) -> Markup {
    html! { a.id href=(address(id)) { (id) } }
}
