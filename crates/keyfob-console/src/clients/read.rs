//! Reading API keys: those that were added as clients by an index, others as far as time allows.
//!
//! `keyfob client add` labels the keys that it issues, so they are found however many tokens there are.
//! There is no index of kinds. Other keys are looked for among all tokens, or all of one client.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join;
use keyfob_api::{ClientStats, TokenBody};
use keyfob_client::{Client, ListQuery};
use keyfob_core::text::ClientId;
use keyfob_core::{Filter, Kind};

use crate::trouble::Trouble;

/// The label of keys that were added as clients.
const LABEL: (&str, &str) = ("keyfob", "client");
/// How long labelled keys are read.
const MAX_LABELLED: Duration = Duration::from_millis(500);
/// How long other keys are looked for.
const MAX_OTHERS: Duration = Duration::from_millis(60);
/// How many tokens a page of the API has at most.
const PAGE: usize = 1_000;

/// API keys, the newest first.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) keys: Vec<TokenBody>,
    /// Whether these are all.
    pub(super) is_whole: bool,
}

/// Returns the filter of the keys of a client, or of all.
pub(super) fn filter(client: Option<&ClientId>) -> Filter {
    client.cloned().into_iter().fold(Filter::new().kind(Kind::ApiKey), Filter::client)
}

/// Returns how many tokens of a client are accepted now, or will be.
pub(super) fn alive(stats: &ClientStats) -> u64 {
    ["active", "pending"].iter().filter_map(|state| stats.counts.get(*state)).sum()
}

/// Reads the keys of a client, or of all.
pub(super) async fn keys(
    api: &Client,
    client: Option<&ClientId>,
    max: usize,
) -> Result<Keys, Trouble> {
    let filter = filter(client);
    let labelled = filter.clone().label(LABEL.0, LABEL.1);
    let others = async {
        // One page of the API may read many tokens to find no key.
        let read = read(api, &filter, max, MAX_OTHERS);
        tokio::time::timeout(MAX_OTHERS, read).await.unwrap_or_else(|_| Ok(Keys::default()))
    };
    let (labelled, all) = join(read(api, &labelled, max, MAX_LABELLED), others).await;
    let (labelled, all) = (labelled?, all?);
    let by_id: BTreeMap<_, _> =
        labelled.keys.into_iter().chain(all.keys).map(|key| (key.id, key)).collect();
    let mut keys: Vec<_> = by_id.into_values().collect();
    keys.sort_by_key(|key| std::cmp::Reverse(key.issued_at));
    let is_whole = all.is_whole && keys.len() <= max;
    keys.truncate(max);
    Ok(Keys { keys, is_whole })
}

async fn read(api: &Client, filter: &Filter, max: usize, limit: Duration) -> Result<Keys, Trouble> {
    let begun = Instant::now();
    let mut query = ListQuery::new(filter.to_string()).limit(max.clamp(1, PAGE));
    let mut found = Keys::default();
    loop {
        let page = api.list(&query).await?;
        found.keys.extend(page.tokens);
        let Some(cursor) = page.next else {
            found.is_whole = page.missing_lanes.is_empty();
            return Ok(found);
        };
        if found.keys.len() >= max || begun.elapsed() >= limit {
            return Ok(found);
        }
        query = ListQuery::new(page.filter).limit(PAGE).after(Some(cursor));
    }
}
