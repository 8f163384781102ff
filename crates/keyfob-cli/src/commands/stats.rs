//! `stats`: all tokens, counted by state and kind.

use std::collections::BTreeMap;

use keyfob::{Filter, Kind, TokenState};
use serde::Serialize;

use super::walk::walk;
use crate::context::Context;
use crate::failure::Failure;

type Counts = BTreeMap<&'static str, u64>;

#[derive(Serialize)]
struct Stats {
    total: u64,
    by_state: Counts,
    by_kind: BTreeMap<&'static str, Counts>,
}

pub(super) async fn run(context: &mut Context) -> Result<(), Failure> {
    let now = context.now();
    let mut counts = BTreeMap::<(Kind, TokenState), u64>::new();
    walk(&Filter::new(), context, |token| {
        *counts.entry((token.kind, token.state(now))).or_default() += 1;
    })
    .await?;
    let count = |kind: Option<Kind>, state: Option<TokenState>| -> u64 {
        let counted = counts.iter().filter(|((of_kind, in_state), _)| {
            kind.is_none_or(|kind| kind == *of_kind) && state.is_none_or(|state| state == *in_state)
        });
        counted.map(|(_, count)| count).sum()
    };
    if context.output.is_json() {
        let states = |kind| -> Counts {
            let states = TokenState::ALL.into_iter();
            states.map(|state| (state.as_str(), count(kind, Some(state)))).collect()
        };
        let kinds = Kind::ALL.into_iter();
        let by_kind = kinds.map(|kind| (kind.as_str(), states(Some(kind)))).collect();
        let stats = Stats { total: count(None, None), by_state: states(None), by_kind };
        return context.output.object(&stats);
    }
    let mut headings = vec!["KIND"];
    headings.extend(TokenState::ALL.map(TokenState::as_str));
    headings.push("total");
    let row = |name: &str, kind| {
        let states = TokenState::ALL.into_iter().map(|state| count(kind, Some(state)));
        let numbers = states.chain([count(kind, None)]).map(|number| number.to_string());
        std::iter::once(name.to_owned()).chain(numbers).collect::<Vec<_>>()
    };
    let kinds = Kind::ALL.into_iter().map(|kind| row(kind.as_str(), Some(kind)));
    let rows: Vec<_> = kinds.chain([row("total", None)]).collect();
    context.output.rows(&headings, &rows)
}
