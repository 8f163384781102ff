//! What the servers have seen lately, such as refusals: a bounded number of observations from the end.
//!
//! Observations of all tokens are in one log, and it is read forward. So a page reads those of the last day,
//! and if these are too many, of a shorter time.

use keyfob_api::EventBody;
use keyfob_client::{Client, EventsQuery};
use keyfob_core::{Timestamp, Ttl};

use crate::trouble::Trouble;

/// The times that are tried, the longest first.
const TIMES: [Ttl; 4] =
    [Ttl::from_hours(24), Ttl::from_hours(1), Ttl::from_mins(5), Ttl::from_secs(30)];
/// How many observations a page of the API has at most.
const PAGE: usize = 1_000;
/// How many pages of each time are read at most.
const MAX_PAGES: usize = 4;

/// The observations of the last time, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// Those that were wanted.
    pub(crate) events: Vec<EventBody>,
    /// How long before now they begin.
    pub(crate) time: Option<Ttl>,
    /// Whether all of that time were read.
    pub(crate) is_complete: bool,
}

impl Recent {
    /// Says of what time they are, such as `of the last 24 h`.
    pub(crate) fn bound(&self) -> String {
        let length = self.time.map_or(0, Ttl::as_secs);
        let length = crate::widget::time::length(length);
        if self.is_complete {
            format!("of the last {length}")
        } else {
            format!("of a part of the last {length}: there are too many to read all")
        }
    }
}

/// Reads the observations that are wanted.
///
/// # Errors
/// If the API refuses or does not answer.
pub(crate) async fn recent(
    api: &Client,
    now: Timestamp,
    is_wanted: impl Fn(&EventBody) -> bool,
) -> Result<Recent, Trouble> {
    let mut recent = Recent::default();
    for time in TIMES {
        recent = of_time(api, now, time, &is_wanted).await?;
        if recent.is_complete {
            break;
        }
    }
    Ok(recent)
}

async fn of_time(
    api: &Client,
    now: Timestamp,
    time: Ttl,
    is_wanted: impl Fn(&EventBody) -> bool,
) -> Result<Recent, Trouble> {
    let mut query = EventsQuery::new().observations().limit(PAGE).since(now.saturating_sub(time));
    let mut recent = Recent { time: Some(time), ..Recent::default() };
    for _ in 0..MAX_PAGES {
        let page = api.events(&query).await?;
        recent.events.extend(page.events.into_iter().filter(|event| is_wanted(event)));
        if !page.more {
            recent.is_complete = true;
            break;
        }
        query = query.after(page.cursor);
    }
    Ok(recent)
}

/// Returns the code of a refusal; `None` if the event is no refusal.
pub(crate) fn code_of(event: &EventBody) -> Option<&str> {
    match event.kind.as_str() {
        "keyfob.token.expired" => Some("token_expired"),
        "keyfob.token.refused" | "keyfob.token.untrue" => event.data.get("code")?.as_str(),
        _ => None,
    }
}
