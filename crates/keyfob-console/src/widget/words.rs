//! Sentences for the names that the API has for reasons, scopes of revocations and refusals.

use maud::{Markup, html};

use super::text;

/// Returns in words what was revoked.
pub(crate) fn revoked_through(through: &str) -> &'static str {
    match through {
        "token" => "The token itself was revoked.",
        "ancestor" => "It fell with a token that it descends from.",
        "subject" => "Everything of its subject was revoked.",
        "client" => "Everything of its client was revoked.",
        "all" => "Every token was revoked.",
        _ => "It was revoked with others.",
    }
}

/// Shows the reason of a revocation. Some are given by keyfob itself.
pub(crate) fn reason(reason: &str) -> Markup {
    match reason {
        "session_limit" => {
            html! { "there were more sessions than the subject may have, and the oldest ended" }
        }
        "reuse_detected" => html! {
            "a refresh token was presented again that had been exchanged before, so it may have been stolen"
        },
        "generations_exhausted" => html! { "it was refreshed as often as is possible" },
        reason => text::value(reason),
    }
}

/// Returns why a token was refused, as the end of a sentence that begins with "because"; `None` if the code
/// is that of a rule of a service.
pub(crate) fn because(code: &str) -> Option<&'static str> {
    Some(match code {
        "token_revoked" => "it was revoked",
        "token_expired" => "it had expired",
        "token_exhausted" => "all its uses were taken",
        "token_not_yet_valid" => "it was not valid yet",
        "token_damaged" => "the store lost data that may have revoked it",
        "token_unknown" => "its secret is wrong, or it was deleted",
        "invalid_audience" => "it is not meant for the service that refused it",
        "invalid_kind" => "the service wants another kind of token",
        "invalid_issuer" => "the service wants another issuer",
        "insufficient_scope" => "it has not the scope that was needed",
        "missing_claim" => "it has not a claim that the service wants",
        "token_too_old" => "the service wants a newer sign-in",
        "device_mismatch" => "it came from another device",
        "confirmation_mismatch" => "it came without the key that it is bound to",
        "throttled" => "there were too many failed attempts from its address",
        _ => return None,
    })
}
