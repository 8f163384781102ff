//! One client: its keys, its limits, and revoking everything of it.

use std::time::Duration;

use futures_util::future::join3;
use keyfob_client::{LimitsQuery, ListQuery};
use keyfob_core::text::ClientId;
use keyfob_core::{Filter, Kind, TokenState};
use maud::{Markup, html};

use super::{keys, limits};
use crate::fields::{below, link};
use crate::reply::Answer;
use crate::reply::{Page, Reply};
use crate::shell::Section;
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::ApiCall;
use crate::widget::text;

/// How many keys are shown.
const MAX_KEYS: usize = 100;
/// How long the page waits for the number of tokens.
const MAX_COUNTING: Duration = Duration::from_secs(1);

/// Leads to the page of a client.
pub(crate) async fn find(visit: Visit) -> Answer {
    let client = visit.query.text("client").unwrap_or_default();
    if client.parse::<ClientId>().is_err() {
        return Err(Trouble::BadForm("A client has an id of 1 to 256 bytes."));
    }
    Ok(Reply::SeeOther(below("/console/clients", client)))
}

/// Shows the page.
pub(crate) async fn show(visit: Visit) -> Answer {
    let client: ClientId = visit.named("client")?;
    let all = Filter::new().client(client.clone());
    let keys = ListQuery::new(all.clone().kind(Kind::ApiKey).to_string()).limit(MAX_KEYS);
    let limits = LimitsQuery::new().client(client.clone());
    let (keys, limits, alive) =
        join3(visit.api.list(&keys), visit.api.limits(&limits), count(&visit, &all)).await;
    let keys = keys?;
    let rotations = keys::rotations(&visit.api, &keys.tokens).await;
    let older_used = keys::older_secret_uses(&visit, &keys.tokens).await?;
    let filter = all.to_string();
    let body = html! {
        h1 { "Client " (text::short(client.as_str(), 80)) }
        div.tools {
            @if visit.may("keyfob:revoke") {
                a.button.danger href=(link("/console/revoke", &[("client", client.as_str())])) {
                    span { "Revoke everything of " (text::short(client.as_str(), 40)) "…" }
                }
            }
            a.button href=(link("/console/tokens", &[("filter", &filter)])) { "All tokens" }
        }
        (number(alive))
        h2 { "API keys" }
        (keys::table(&keys.tokens, &rotations, &older_used, &client, visit.now))
        @if keys.next.is_some() {
            p { "These are the newest. " a href=(link("/console/tokens", &[("filter", &keys.filter)])) { "All keys" } }
        }
        h2 { "Limits" }
        @match limits.map_err(Trouble::from) {
            Ok(limits) => (limits::table(&limits)),
            Err(trouble) => p.wrong { (text::visible(&trouble.detail())) },
        }
    };
    let title = format!("Client {}", text::visible(client.as_str()));
    let keys_path = link("/v1/tokens", &[("filter", &keys.filter)]);
    let limits_path = link("/v1/limits", &[("client", client.as_str())]);
    let page = Page::new(Section::Clients, title, body)
        .call(ApiCall::get(keys_path).command(["list", &keys.filter]))
        .call(ApiCall::get(limits_path));
    Ok(page.into())
}

/// Counts what is alive of the client; `None` if that takes too long.
async fn count(visit: &Visit, all: &Filter) -> Option<u64> {
    let filter = all.clone().state(TokenState::Active).state(TokenState::Pending);
    let query = ListQuery::new(filter.to_string());
    let counted = tokio::time::timeout(MAX_COUNTING, visit.api.count(&query)).await;
    Some(counted.ok()?.ok()?.count)
}

fn number(alive: Option<u64>) -> Markup {
    html! {
        @match alive {
            Some(count) => p.alive data-alive=(count) { strong { (count) } " alive, keys included" },
            None => p.quiet { "There are too many tokens to count them while you wait. The overview has estimates." },
        }
    }
}
