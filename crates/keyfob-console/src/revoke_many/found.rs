//! What a target finds: how many tokens are alive, and some of them.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use keyfob_api::TokenBody;
use keyfob_client::{Client, ListQuery};
use keyfob_core::{TokenId, TokenState};

use super::target::Target;
use crate::token_list::conditions::conditions;
use crate::trouble::Trouble;

/// How long a page waits for the number. A filter without an index may read every token.
const MAX_COUNTING: Duration = Duration::from_secs(3);
/// How long tokens are looked for.
const MAX_LOOKING: Duration = Duration::from_secs(1);
/// How many tokens a page of the API has at most.
const PAGE: usize = 1_000;

/// How many tokens are alive: active or pending.
#[derive(Debug)]
pub(crate) enum Count {
    Exactly(u64),
    /// It is not known, and why.
    Unknown(String),
}

/// Some of the tokens that a target finds.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    pub(crate) tokens: Vec<TokenBody>,
    /// Whether there may be more.
    pub(crate) more: bool,
}

/// Returns whether a token is accepted now, or will be.
pub(crate) fn is_alive(token: &TokenBody) -> bool {
    !token.state.is_final()
}

/// Counts the tokens that are alive.
pub(crate) async fn count(api: &Client, target: &Target) -> Result<Count, Trouble> {
    let Some(wanted) = target.for_api() else {
        let Target::Tokens(ids) = target else { return Ok(Count::Exactly(0)) };
        let alive = get(api, ids).await?.into_iter().filter(is_alive).count();
        return Ok(Count::Exactly(alive as u64));
    };
    match tokio::time::timeout(MAX_COUNTING, api.count_revocable(wanted)).await {
        Err(_) => {
            let seconds = MAX_COUNTING.as_secs();
            Ok(Count::Unknown(format!("counting them takes more than {seconds} s")))
        }
        Ok(Ok(answer)) => match answer.count {
            Some(count) => Ok(Count::Exactly(count)),
            None => Ok(Count::Unknown("the server did not count them".to_owned())),
        },
        Ok(Err(error)) => match Trouble::from(error) {
            Trouble::SignedOut => Err(Trouble::SignedOut),
            trouble if trouble.status() >= 500 => Ok(Count::Unknown(trouble.detail())),
            trouble => Err(trouble),
        },
    }
}

/// Returns the first tokens that are alive.
pub(crate) async fn living(api: &Client, target: &Target, max: usize) -> Result<Sample, Trouble> {
    find(api, target, target.filter(), max, is_alive).await
}

/// Returns the first tokens that are revoked. Conditions on the state do not count: what was revoked no
/// longer meets them.
pub(crate) async fn revoked(api: &Client, target: &Target, max: usize) -> Result<Sample, Trouble> {
    let filter = target.filter().map(|filter| {
        let others = conditions(&filter).into_iter().filter(|it| !it.starts_with("state:"));
        others.collect::<Vec<_>>().join(" ")
    });
    if filter.as_ref().is_some_and(String::is_empty) {
        return Ok(Sample { tokens: Vec::new(), more: true });
    }
    find(api, target, filter, max, |token| token.state == TokenState::Revoked).await
}

async fn find(
    api: &Client,
    target: &Target,
    filter: Option<String>,
    max: usize,
    is_wanted: impl Fn(&TokenBody) -> bool,
) -> Result<Sample, Trouble> {
    let Some(filter) = filter else {
        let Target::Tokens(ids) = target else { return Ok(Sample::default()) };
        let mut tokens = get(api, ids).await?;
        tokens.retain(is_wanted);
        let more = tokens.len() > max;
        tokens.truncate(max);
        return Ok(Sample { tokens, more });
    };
    let begun = Instant::now();
    let mut found = Sample::default();
    let mut query = ListQuery::new(filter).limit(max.clamp(1, PAGE));
    loop {
        let page = api.list(&query).await?;
        found.tokens.extend(page.tokens.into_iter().filter(|token| is_wanted(token)));
        found.more = page.next.is_some() || found.tokens.len() > max;
        let is_enough = found.tokens.len() >= max || begun.elapsed() >= MAX_LOOKING;
        let Some(cursor) = page.next.filter(|_| !is_enough) else { break };
        // What follows is read in larger pages: what is wanted is rare.
        query = ListQuery::new(page.filter).limit(PAGE).after(Some(cursor));
    }
    found.tokens.truncate(max);
    Ok(found)
}

/// Reads tokens by their ids. Those that no longer exist are left out.
async fn get(api: &Client, ids: &[TokenId]) -> Result<Vec<TokenBody>, Trouble> {
    let answers = join_all(ids.iter().map(|id| api.get(*id))).await;
    let mut tokens = Vec::with_capacity(ids.len());
    for answer in answers {
        match answer {
            Ok(token) => tokens.push(token),
            Err(error) if error.code() == "token_not_found" => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(tokens)
}
