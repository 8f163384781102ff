//! `stats`: counts tokens by kind, state and client, from stored counters or by reading every token.

use std::collections::BTreeMap;

use keyfob::{ClientId, Filter, Kind, TokenState};
use keyfob_api::operations::CountsByState;
use keyfob_api::{ClientStats, StatsBody};

use super::pages::{MissingLanes, for_each_match};
use crate::args::StatsArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::table::Column;

pub(super) async fn run(args: &StatsArgs, context: &mut Context) -> Result<(), Failure> {
    let stats =
        if args.exact { count_exactly(context).await? } else { context.backend.stats().await? };
    if context.output.is_json() {
        context.output.object(&stats)?;
        return check_lanes(&stats);
    }
    let is_counted = |state: &&str| stats.by_state.contains_key(*state);
    let states = TokenState::ALL.map(TokenState::as_str).into_iter().filter(is_counted);
    let states: Vec<&'static str> = states.collect();
    let numbers = states.iter().copied().chain(["total"]).map(Column::whole);
    let columns: Vec<_> =
        [Column::whole("BY"), Column::cut("NAME")].into_iter().chain(numbers).collect();
    let row = |by: &str, name: &str, counts: &CountsByState| -> Vec<String> {
        let numbers = states.iter().map(|state| counts.get(*state).copied().unwrap_or_default());
        let numbers = numbers.chain([counts.values().sum()]).map(|number| number.to_string());
        [by.to_owned(), name.to_owned()].into_iter().chain(numbers).collect()
    };
    let kinds = Kind::ALL
        .into_iter()
        .filter_map(|kind| Some(row("kind", kind.as_str(), stats.by_kind.get(kind.as_str())?)));
    let clients = stats.by_client.iter().map(|of| row("client", &name(of), &of.counts));
    let total = row("all", "", &stats.by_state);
    let rows: Vec<_> = kinds.chain(clients).chain([total]).collect();
    context.output.rows(&columns, &rows)?;
    note_limits_of_counters(&stats, context);
    check_lanes(&stats)
}

/// Reads every token.
async fn count_exactly(context: &Context) -> Result<StatsBody, Failure> {
    let mut tokens = BTreeMap::<(Kind, TokenState, Option<ClientId>), u64>::new();
    let missing_lanes = for_each_match(&Filter::new(), context, |token| {
        *tokens.entry((token.kind, token.state, token.client.clone())).or_default() += 1;
    })
    .await?;
    let none = || {
        TokenState::ALL
            .map(|state| (state.as_str().to_owned(), 0))
            .into_iter()
            .collect::<CountsByState>()
    };
    let mut by_state = none();
    let mut by_kind: BTreeMap<_, _> =
        Kind::ALL.map(|kind| (kind.as_str().to_owned(), none())).into();
    let mut by_client: BTreeMap<Option<ClientId>, CountsByState> = BTreeMap::new();
    for ((kind, state, client), count) in tokens {
        let of_client = by_client.entry(client).or_insert_with(none);
        for counts in
            [&mut by_state, by_kind.entry(kind.as_str().to_owned()).or_insert_with(none), of_client]
        {
            *counts.entry(state.as_str().to_owned()).or_default() += count;
        }
    }
    let mut by_client: Vec<_> = by_client
        .into_iter()
        .map(|(client, counts)| ClientStats {
            client: client.map(|client| client.to_string()),
            digest: None,
            counts,
        })
        .collect();
    by_client.sort_by_key(|of| std::cmp::Reverse(of.counts.values().sum::<u64>()));
    let total = by_state.values().sum();
    let missing_lanes = missing_lanes.numbers();
    Ok(StatsBody { exact: true, total, by_state, by_kind, by_client, unsure: None, missing_lanes })
}

fn name(of: &ClientStats) -> String {
    match (&of.client, &of.digest) {
        (Some(client), _) => client.clone(),
        (None, Some(digest)) => format!("unknown ({digest})"),
        (None, None) => "-".to_owned(),
    }
}

/// Fails if lanes are missing, after the output that lacks what they hold.
fn check_lanes(stats: &StatsBody) -> Result<(), Failure> {
    let mut missing = MissingLanes::default();
    missing.add(stats.missing_lanes.iter().copied());
    missing.check()
}

fn note_limits_of_counters(stats: &StatsBody, context: &Context) {
    let Some(unsure) = stats.unsure else { return };
    let mut message = "expired tokens are not counted. Tokens that ended with an ancestor may be \
                       counted as active until they expire"
        .to_owned();
    if unsure > 0 {
        message.push_str(&format!(
            ". For {unsure} tokens it is estimated how many have expired or become valid by now"
        ));
    }
    message.push_str(". --exact looks at every token");
    context.output.note("counts", message);
}
