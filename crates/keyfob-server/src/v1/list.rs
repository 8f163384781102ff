//! Pages of the tokens that match a filter, and their number.

use keyfob::manager::PageCursor;
use keyfob::store::Lane;
use keyfob::{Filter, Paging, Ttl};
use keyfob_api::{CountBody, TokenPageBody};

use super::input::query_filter;
use super::parameters::{CURSOR, EXPIRING, MAX_TIME, ORDER, PAGE_LIMIT};
use crate::bodies;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// Answers `GET /v1/tokens`.
pub(crate) async fn list(call: Call) -> Answer {
    let filter = query_filter(&call.query, call.manager().now())?;
    let cursor = call.query.value::<PageCursor>(&CURSOR)?;
    let paging = Paging::new(call.query.number(&PAGE_LIMIT)?);
    let paging = match call.query.word(&ORDER)? {
        EXPIRING => paging.expiring_soonest(),
        _ => paging,
    };
    let max_time = call.query.value::<Ttl>(&MAX_TIME)?;
    let paging = max_time.into_iter().fold(paging.after(cursor), Paging::max_time);
    let page = call.manager().list(&filter, paging).await?;
    let (caller, now) = (call.caller()?, call.manager().now());
    let tokens = page.tokens.iter().filter(|token| caller.may_see(token));
    json::ok(&TokenPageBody {
        tokens: tokens.map(|token| token.view(now)).collect(),
        next: page.next.as_ref().map(ToString::to_string),
        filter: filter.to_string(),
        examined: page.examined,
        unreadable: page.unreadable,
        missing_lanes: bodies::lanes(&page.missing_lanes),
    })
}

/// Answers `GET /v1/tokens/count`.
pub(crate) async fn count(call: Call) -> Answer {
    let filter = query_filter(&call.query, call.manager().now())?;
    if call.caller()?.may_see_all() {
        let found = call.manager().count_reachable(&filter).await?;
        let missing_lanes = bodies::lanes(&found.missing_lanes);
        return json::ok(&CountBody { count: found.count, missing_lanes });
    }
    let mut found = Found::default();
    let mut after = None;
    loop {
        after = found.add_page(&call, &filter, after).await?;
        if after.is_none() {
            break;
        }
    }
    found.missing_lanes.sort_unstable();
    found.missing_lanes.dedup();
    json::ok(&CountBody { count: found.count, missing_lanes: bodies::lanes(&found.missing_lanes) })
}

#[derive(Default)]
struct Found {
    count: u64,
    missing_lanes: Vec<Lane>,
}

impl Found {
    /// Counts the tokens of one page that the caller may read. Returns the cursor of the next.
    async fn add_page(
        &mut self,
        call: &Call,
        filter: &Filter,
        after: Option<PageCursor>,
    ) -> Result<Option<PageCursor>, Failure> {
        let caller = call.caller()?;
        let paging = Paging::new(Paging::MAX_LIMIT).after(after);
        let page = call.manager().list(filter, paging).await?;
        self.count += page.tokens.iter().filter(|token| caller.may_see(token)).count() as u64;
        self.missing_lanes.extend(page.missing_lanes);
        Ok(page.next)
    }
}
