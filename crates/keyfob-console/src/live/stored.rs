//! Events that are stored. What is wanted may be rare among them, so they are searched for as long as a person
//! waits, and the page says how far it came.

use std::time::{Duration, Instant};

use keyfob_api::EventBody;
use keyfob_client::{Client, EventsQuery};
use keyfob_core::{Timestamp, TokenId, Ttl};
use maud::{Markup, html};

use super::event_row;
use super::wanted::Wanted;
use crate::trouble::Trouble;
use crate::widget::call::copyable;
use crate::widget::facts;

/// How many events a page has.
const ROWS: usize = 100;
/// How many events a page of the API has at most.
const PAGE: usize = 1_000;
/// How long events are looked for before the reader is asked whether to continue.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long before now reading may begin, and what that is called.
const BEGINNINGS: [(Ttl, &str); 2] =
    [(Ttl::from_hours(1), "the last hour"), (Ttl::from_hours(24), "the last day")];

/// Returns where reading begins if nobody says where: the last hour.
pub(super) fn usual_start(now: Timestamp) -> String {
    now.saturating_sub(BEGINNINGS[0].0).to_string()
}

/// Events that were found.
pub(super) struct Found {
    events: Vec<EventBody>,
    /// Where to continue; `None` at the end of what is stored.
    next: Option<String>,
    /// When the first event happened that was not looked at.
    searched_to: Option<Timestamp>,
    trimmed: bool,
}

/// Looks for events after a place, until a page is full or the reader has waited long enough.
pub(super) async fn find(api: &Client, wanted: &Wanted, after: &str) -> Result<Found, Trouble> {
    let begun = Instant::now();
    let is_selective = wanted.token.is_some() || !wanted.kind.is_empty();
    let query = wanted.select(EventsQuery::new().limit(if is_selective { PAGE } else { ROWS }));
    let mut found = Found { events: Vec::new(), next: None, searched_to: None, trimmed: false };
    let mut after = after.to_owned();
    loop {
        let page = api.events(&query.clone().after(&after)).await?;
        found.trimmed |= page.trimmed;
        found.events.extend(page.events);
        found.next = page.more.then_some(page.cursor.clone());
        if found.events.len() > ROWS {
            found.events.truncate(ROWS);
            found.next = found.events.last().and_then(|last| last.cursor.clone());
        }
        after = page.cursor;
        if !page.more || found.events.len() >= ROWS || begun.elapsed() >= PATIENCE {
            break;
        }
    }
    if let Some(next) = &found.next
        && found.events.len() < ROWS
    {
        // The API returns no time of what was not wanted. So the next event of any kind says it.
        let page = api.events(&EventsQuery::new().after(next).limit(1)).await?;
        found.searched_to = page.events.first().and_then(|event| event.time.parse().ok());
    }
    Ok(found)
}

/// Shows where reading began, and other places to begin.
pub(super) fn beginnings(wanted: &Wanted, now: Timestamp) -> Markup {
    let from = wanted.from.as_deref().unwrap_or_default();
    html! {
        p {
            @match from.parse::<Timestamp>() {
                Ok(from) => { "From " (facts::exact(from, now)) " on, the oldest first." }
                Err(_) if from == "start" => "From the first event that is stored, the oldest first.",
                Err(_) => "The oldest first.",
            }
            " Begin with: "
            @for (time, name) in BEGINNINGS {
                a href=(wanted.stored_from(&now.saturating_sub(time).to_string())) { (name) } ", "
            }
            a href=(wanted.stored_from("start")) { "the start" }
        }
    }
}

/// Shows a page of events, and leads on.
pub(super) fn show(found: &Found, wanted: &Wanted, now: Timestamp) -> Markup {
    html! {
        @if found.trimmed { p.wrong { "Older events have been deleted already." } }
        @if !found.events.is_empty() {
            (event_row::table(found.events.iter().map(|event| event_row::row(event, now)), ""))
        }
        @match &found.next {
            Some(next) if found.events.len() < ROWS => {
                p role="status" {
                    @if found.events.is_empty() { "None found yet: " }
                    "not all that is stored has been searched"
                    @if let Some(to) = found.searched_to { ", only what happened before " (facts::exact(to, now)) }
                    "."
                }
                a.button rel="next" href=(wanted.stored_after(next)) { "Search on" }
            }
            Some(next) => p { a.button rel="next" href=(wanted.stored_after(next)) { "Next page" } },
            None if found.events.is_empty() => (nothing(wanted, now)),
            None => p.quiet { "These are all, up to now." },
        }
    }
}

/// Says that there are none. Everything from the beginning on was searched.
fn nothing(wanted: &Wanted, now: Timestamp) -> Markup {
    let from = wanted.from.as_deref().and_then(|from| from.parse::<Timestamp>().ok());
    html! {
        p {
            @if wanted.token.is_some() { "No events of this token" }
            @else if !wanted.kind.is_empty() { "No such events" }
            @else { "No events" }
            " are stored"
            @if let Some(from) = from { " from " (facts::exact(from, now)) " on" }
            "."
            @if wanted.token.is_some() { " Its history, on its page, is kept longer." }
        }
        @if from.is_none() && wanted.token.is_none() && wanted.kind.is_empty() {
            p { "Issue a token, and one will be:" }
            (copyable("keyfob issue --subject alice --scope read --ttl 15m"))
        }
    }
}

/// Returns where the events of a token are read: from a little before it was issued, since clocks differ.
pub(crate) fn address_of_token(id: TokenId, issued_at: Timestamp) -> String {
    let from = issued_at.saturating_sub(Ttl::from_mins(1)).to_string();
    Wanted { kind: String::new(), token: Some(id), from: None }.stored_from(&from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn shown(next: Option<&str>, kind: &str, from: &str) -> String {
        let wanted = Wanted { kind: kind.to_owned(), token: None, from: Some(from.to_owned()) };
        let found = Found {
            events: Vec::new(),
            next: next.map(str::to_owned),
            searched_to: Some(Timestamp::from_millis(NOW.as_millis() - 600_000)),
            trimmed: false,
        };
        show(&found, &wanted, NOW).into_string()
    }

    #[test]
    fn a_part_that_was_searched_is_not_called_all() {
        let part = shown(Some("c1"), "keyfob.token.issued", "start");
        for text in ["None found yet", "not all that is stored", "10 min ago", "Search on"] {
            assert!(part.contains(text), "{text} in {part}");
        }
        assert!(part.contains("after=c1&amp;from=start"), "{part}");
        assert!(!part.contains("are stored"), "{part}");
    }

    #[test]
    fn only_at_the_end_there_are_none() {
        assert!(shown(None, "keyfob.token.issued", "start").contains("No such events are stored."));
        assert!(shown(None, "", "start").contains("keyfob issue"));
        // What is older was not searched.
        let later = shown(None, "", "2026-11-18T10:00:00Z");
        assert!(later.contains("No events are stored from "), "{later}");
        assert!(!later.contains("keyfob issue"), "{later}");
    }
}
