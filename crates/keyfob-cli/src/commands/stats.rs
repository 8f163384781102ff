//! `stats`: counts tokens by kind, state and client, from stored counters or by reading every token.

use std::collections::BTreeMap;

use keyfob::stats::{CountedClient, StateCounts};
use keyfob::{ClientId, Filter, Kind, TokenState};
use serde::Serialize;

use super::pages::{MissingLanes, for_each_match};
use crate::args::StatsArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::table::Column;

/// Numbers of tokens by state.
type CountsByState = BTreeMap<&'static str, u64>;

/// The numbers, as JSON.
#[derive(Serialize)]
struct Stats {
    exact: bool,
    total: u64,
    by_state: CountsByState,
    by_kind: BTreeMap<&'static str, CountsByState>,
    by_client: Vec<ClientStats>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsure: Option<u64>,
    #[serde(skip_serializing_if = "MissingLanes::is_empty")]
    missing_lanes: MissingLanes,
}

#[derive(Serialize)]
struct ClientStats {
    client: Option<String>,
    /// Identifies a client whose name is not available.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    counts: CountsByState,
}

pub(super) async fn run(args: &StatsArgs, context: &mut Context) -> Result<(), Failure> {
    let stats =
        if args.exact { count_exactly(context).await? } else { read_counters(context).await? };
    if context.output.is_json() {
        context.output.object(&stats)?;
        return stats.missing_lanes.check();
    }
    let states: Vec<&str> = stats.by_state.keys().copied().collect();
    let states = TokenState::ALL.map(TokenState::as_str).into_iter().filter(|s| states.contains(s));
    let states: Vec<&'static str> = states.collect();
    let numbers = states.iter().copied().chain(["total"]).map(Column::whole);
    let columns: Vec<_> =
        [Column::whole("BY"), Column::cut("NAME")].into_iter().chain(numbers).collect();
    let row = |by: &str, name: &str, counts: &CountsByState| -> Vec<String> {
        let numbers = states.iter().map(|state| counts.get(state).copied().unwrap_or_default());
        let numbers = numbers.chain([counts.values().sum()]).map(|number| number.to_string());
        [by.to_owned(), name.to_owned()].into_iter().chain(numbers).collect()
    };
    let kinds = Kind::ALL
        .into_iter()
        .filter_map(|kind| Some(row("kind", kind.as_str(), stats.by_kind.get(kind.as_str())?)));
    let clients = stats.by_client.iter().map(|of| row("client", &of.name(), &of.counts));
    let total = row("all", "", &stats.by_state);
    let rows: Vec<_> = kinds.chain(clients).chain([total]).collect();
    context.output.rows(&columns, &rows)?;
    note_limits_of_counters(&stats, context);
    stats.missing_lanes.check()
}

/// Reads the stored counters. The cost does not depend on the number of tokens.
async fn read_counters(context: &Context) -> Result<Stats, Failure> {
    let stats = context.manager.stats().await?;
    let clients = stats.by_client.iter().map(|of| {
        let (client, digest) = match &of.client {
            CountedClient::None => (None, None),
            CountedClient::Known(client) => (Some(client.to_string()), None),
            CountedClient::Unknown(field) => {
                (None, Some(format!("{:016x}", u64::from_be_bytes(*field.as_bytes()))))
            }
        };
        ClientStats { client, digest, counts: counts_of(&of.counts) }
    });
    let mut missing_lanes = MissingLanes::default();
    missing_lanes.add(stats.missing_lanes.iter().copied());
    let kinds = stats.by_kind.iter().map(|(kind, counts)| (kind.as_str(), counts_of(counts)));
    Ok(Stats {
        exact: false,
        total: stats.total().total(),
        by_state: counts_of(&stats.total()),
        by_kind: kinds.collect(),
        by_client: clients.collect(),
        unsure: Some(stats.unsure),
        missing_lanes,
    })
}

/// Reads every token.
async fn count_exactly(context: &Context) -> Result<Stats, Failure> {
    let now = context.now();
    let mut tokens = BTreeMap::<(Kind, TokenState, Option<ClientId>), u64>::new();
    let missing_lanes = for_each_match(&Filter::new(), context, |token| {
        *tokens.entry((token.kind, token.state(now), token.client.clone())).or_default() += 1;
    })
    .await?;
    let none =
        || TokenState::ALL.map(|state| (state.as_str(), 0)).into_iter().collect::<CountsByState>();
    let mut by_state = none();
    let mut by_kind: BTreeMap<_, _> = Kind::ALL.map(|kind| (kind.as_str(), none())).into();
    let mut by_client: BTreeMap<Option<ClientId>, CountsByState> = BTreeMap::new();
    for ((kind, state, client), count) in tokens {
        let of_client = by_client.entry(client).or_insert_with(none);
        for counts in [&mut by_state, by_kind.entry(kind.as_str()).or_insert_with(none), of_client]
        {
            *counts.entry(state.as_str()).or_default() += count;
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
    Ok(Stats { exact: true, total, by_state, by_kind, by_client, unsure: None, missing_lanes })
}

fn counts_of(counts: &StateCounts) -> CountsByState {
    let states = TokenState::ALL.into_iter();
    states.filter_map(|state| Some((state.as_str(), counts.of(state)?))).collect()
}

impl ClientStats {
    fn name(&self) -> String {
        match (&self.client, &self.digest) {
            (Some(client), _) => client.clone(),
            (None, Some(digest)) => format!("unknown ({digest})"),
            (None, None) => "-".to_owned(),
        }
    }
}

fn note_limits_of_counters(stats: &Stats, context: &Context) {
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
