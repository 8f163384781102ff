//! One client: its keys, its limits, and revoking everything of it.

use std::time::Duration;

use futures_util::future::join3;
use keyfob_client::LimitsQuery;
use keyfob_core::text::ClientId;
use keyfob_core::{Filter, TokenState};
use maud::{Markup, html};

use super::read::{Keys, alive};
use super::{keys, limits, read};
use crate::fields::link;
use crate::reply::{Answer, Page, Reply};
use crate::shell::{Section, page};
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::ApiCall;
use crate::widget::{owner, text};

/// How many keys are shown.
const MAX_KEYS: usize = 100;
/// How long the page waits for the number of tokens.
const MAX_COUNTING: Duration = Duration::from_millis(50);
/// Up to how many tokens are counted one by one.
const MAX_EXACT: u64 = 1_000;

/// Leads to the page of a client.
pub(crate) async fn find(visit: Visit) -> Answer {
    let client = visit.query.text("client").unwrap_or_default();
    if client.parse::<ClientId>().is_err() {
        return Err(Trouble::BadForm("A client has an id of 1 to 256 bytes."));
    }
    Ok(Reply::SeeOther(owner::client_address(client)))
}

/// Shows the page. What has to be read follows.
pub(crate) async fn show(visit: Visit) -> Answer {
    let client: ClientId = visit.named("client")?;
    let keys_filter = read::filter(Some(&client)).to_string();
    let filter = Filter::new().client(client.clone()).to_string();
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
        (page::rest_here())
    };
    let title = format!("Client {}", text::visible(client.as_str()));
    let keys_path = link("/v1/tokens", &[("filter", &keys_filter)]);
    let limits_path = link("/v1/limits", &[("client", client.as_str())]);
    let page = Page::new(Section::Clients, title, body)
        .call(ApiCall::get(keys_path).command(["list", &keys_filter]))
        .call(ApiCall::get(limits_path));
    Ok(Reply::with_rest(page, async move { found(&visit, &client).await }))
}

async fn found(visit: &Visit, client: &ClientId) -> Result<Markup, Trouble> {
    let all = Filter::new().client(client.clone());
    let limits = LimitsQuery::new().client(client.clone());
    let (keys, limits, living) = join3(
        read::keys(&visit.api, Some(client), MAX_KEYS),
        visit.api.limits(&limits),
        count(visit, &all, client),
    )
    .await;
    let Keys { keys, is_whole } = keys?;
    let rotations = keys::rotations(&visit.api, &keys).await;
    let older_used = keys::older_secret_uses(visit, &keys).await?;
    let keys_filter = read::filter(Some(client)).to_string();
    Ok(html! {
        (number(&living))
        h2 { "API keys" }
        (keys::table(&keys, &rotations, &older_used, client, visit.now))
        @if !is_whole {
            p.quiet {
                "There may be more keys than were looked for here: "
                a href=(link("/console/tokens", &[("filter", &keys_filter)])) { "search all tokens of the client" } "."
            }
        }
        h2 { "Limits" }
        @match limits.map_err(Trouble::from) {
            Ok(limits) => (limits::table(&limits)),
            Err(trouble) => p.wrong { (text::visible(&trouble.detail())) },
        }
    })
}

/// How many tokens are alive.
enum Alive {
    Exactly(u64),
    /// By the counters of the store, which are estimates for tokens that end now.
    About(u64),
    Unknown,
}

/// Counts what is alive of the client.
async fn count(visit: &Visit, all: &Filter, client: &ClientId) -> Alive {
    let stats = visit.api.stats().await.ok();
    let of_client = stats.as_ref().and_then(|stats| {
        stats.by_client.iter().find(|it| it.client.as_deref() == Some(client.as_str()))
    });
    let about = of_client.map_or(Alive::Unknown, |counted| Alive::About(alive(counted)));
    if matches!(about, Alive::About(count) if count > MAX_EXACT) {
        return about;
    }
    let filter = all.clone().state(TokenState::Active).state(TokenState::Pending);
    visit.count(&filter.to_string(), MAX_COUNTING).await.map_or(about, Alive::Exactly)
}

fn number(alive: &Alive) -> Markup {
    html! {
        @match alive {
            Alive::Exactly(count) => p.alive data-alive=(count) { strong { (count) } " alive, keys included" },
            Alive::About(count) => p.alive { "about " strong { (count) } " alive, keys included" },
            Alive::Unknown => p.quiet { "There are too many tokens to count them while you wait." },
        }
    }
}
