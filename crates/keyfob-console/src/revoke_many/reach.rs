//! Whether a revocation reaches the person who asks for it: the session, or the key that opened it.

use keyfob_api::TokenBody;
use keyfob_client::ListQuery;
use keyfob_core::TokenId;
use maud::{Markup, html};

use super::target::Target;
use crate::visit::Visit;

/// What a revocation would end of the person who asks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    Nothing,
    /// The session. One can sign in again.
    Session,
    /// The key that the session was opened with.
    Key,
}

impl Reach {
    pub(super) async fn of(visit: &Visit, target: &Target) -> Self {
        let Some(viewer) = &visit.viewer else { return Self::Nothing };
        let own = &viewer.0;
        // What is minted from a token ends with it. So each ancestor of the session takes the key along.
        for id in &own.ancestors {
            if has_ancestor(visit, target, *id).await {
                return Self::Key;
            }
        }
        let is_own = match target {
            Target::Filter(filter) => is_listed(visit, filter, own.id).await,
            target => has(target, own),
        };
        if is_own { Self::Session } else { Self::Nothing }
    }

    /// Warns the person.
    pub(super) fn warning(self) -> Markup {
        html! {
            @match self {
                Self::Nothing => {},
                Self::Session => p.wrong {
                    strong { "Your own session is among them." } " You will be signed out."
                },
                Self::Key => p.wrong {
                    strong { "The API key that you signed in with is among them." }
                    " You will be signed out, and you need another admin key to sign in again."
                },
            }
        }
    }
}

fn has(target: &Target, token: &TokenBody) -> bool {
    match target {
        Target::Subject(subject) => token.subject.as_ref() == Some(subject),
        Target::Client(client) => token.client.as_ref() == Some(client),
        Target::Tokens(tokens) => tokens.contains(&token.id),
        Target::Filter(_) => false,
    }
}

async fn has_ancestor(visit: &Visit, target: &Target, id: TokenId) -> bool {
    match target {
        Target::Filter(filter) => is_listed(visit, filter, id).await,
        Target::Tokens(tokens) => tokens.contains(&id),
        target => visit.api.get(id).await.is_ok_and(|token| has(target, &token)),
    }
}

/// Returns whether a filter finds a token. One that names an id takes no second one; then nothing is said.
async fn is_listed(visit: &Visit, filter: &str, id: TokenId) -> bool {
    let query = ListQuery::new(format!("{filter} id:{id}")).limit(1);
    visit.api.list(&query).await.is_ok_and(|page| !page.tokens.is_empty())
}
