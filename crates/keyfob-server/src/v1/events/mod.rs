//! Events: one page after a cursor, or a stream of server-sent events.

mod selection;
mod stream;
mod view;

use http::header::ACCEPT;
use keyfob::Timestamp;
use keyfob::event::CloudEvent;
use keyfob::store::Cursor;
use keyfob_api::EventsPageBody;

use selection::Selection;
use view::EventView;

use super::parameters::{AFTER, EVENT_LIMIT, EVENT_TOKEN, EVENT_TYPE, LAST_EVENT_ID, OBSERVATIONS};
use super::view::check_unconfined;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// Answers `GET /v1/events`.
///
/// Events are about all tokens, so a caller that is confined to its audiences reads none.
pub(crate) async fn handle(call: Call) -> Answer {
    check_unconfined(call.caller()?)?;
    let query = &call.query;
    let selection = Selection {
        kind: query.text(&EVENT_TYPE).map(str::to_owned),
        token: query.value(&EVENT_TOKEN)?,
    };
    let observations = query.flag(&OBSERVATIONS)?;
    if wants_stream(&call) {
        if observations {
            let detail = "observations are read by page, not as a stream";
            return Err(Failure::bad("invalid_parameter", detail));
        }
        let after = start(&call, query.text(&AFTER), "latest").await?;
        return Ok(stream::answer(call, selection, after));
    }
    let limit = query.number(&EVENT_LIMIT)?;
    if observations {
        let after = match Place::parse(query.text(&AFTER).unwrap_or("start"))? {
            Place::Latest => call.manager().latest_observation().await?,
            Place::Since(time) => call.manager().latest_observation().await?.back_to(time),
            Place::After(cursor) => cursor,
        };
        return observations_page(&call, &selection, &after, limit).await;
    }
    let after = start(&call, query.text(&AFTER), "start").await?;
    let page = call.manager().events(&after, limit).await?;
    let wanted = page.events.iter().filter(|(event, _)| selection.has_event(event));
    let events = wanted.map(|(event, after)| EventView {
        event: CloudEvent::new(event),
        cursor: Some(after.to_string()),
    });
    json::ok(&EventsPageBody {
        events: events.collect(),
        cursor: page.cursor.to_string(),
        more: page.more,
        trimmed: page.trimmed,
    })
}

async fn observations_page(
    call: &Call,
    selection: &Selection,
    after: &Cursor,
    limit: usize,
) -> Answer {
    let page = call.manager().observations(after, limit).await?;
    let wanted = page.observations.iter().filter(|(seen, _)| selection.has_observation(seen));
    let events = wanted.map(|(seen, id)| EventView {
        event: CloudEvent::for_observation(seen, id.as_str()),
        cursor: None,
    });
    json::ok(&EventsPageBody {
        events: events.collect(),
        cursor: page.cursor.to_string(),
        more: page.more,
        trimmed: false,
    })
}

fn wants_stream(call: &Call) -> bool {
    let accepted = call.parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/event-stream"))
}

/// Returns the cursor to start after: that of the last event that a client of a stream has seen, that
/// of the query, or the default.
async fn start(call: &Call, named: Option<&str>, default: &str) -> Result<Cursor, Failure> {
    let last = call.parts.headers.get(LAST_EVENT_ID.name);
    let last = last.map(|id| id.to_str().unwrap_or_default());
    match Place::parse(last.or(named).unwrap_or(default))? {
        Place::Latest => Ok(call.manager().latest_event().await?),
        Place::Since(time) => Ok(call.manager().latest_event().await?.back_to(time)),
        Place::After(cursor) => Ok(cursor),
    }
}

/// A place in a log, as a request names it.
enum Place {
    /// After the newest entry.
    Latest,
    /// Before what was written at this time or later.
    Since(Timestamp),
    After(Cursor),
}

impl Place {
    fn parse(text: &str) -> Result<Self, Failure> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        // No cursor has a colon, and every time has one.
        Ok(if text.contains(':') { Self::Since(text.parse()?) } else { Self::After(text.parse()?) })
    }
}
