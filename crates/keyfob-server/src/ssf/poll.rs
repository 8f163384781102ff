//! Polls (RFC 8936).

use keyfob_api::signals::PollBody;

use super::{STREAM, body, failure, receiver, stream_id};
use crate::call::Call;
use crate::listen::phase::{Phase, reached};
use crate::respond::json::{self, Answer};
use crate::v1::input::check_items;

/// Answers `POST /ssf/streams/{stream}/poll`: at once if there are tokens, and otherwise after a while.
pub(crate) async fn handle(call: Call) -> Answer {
    let wanted: PollBody = body(&call)?;
    check_items("tokens", wanted.ack.len() + wanted.set_errs.len())?;
    let (registry, owner) = receiver(&call)?;
    let id = stream_id(call.path.get(STREAM.name).map(String::as_str).unwrap_or_default())?;
    let mut phases = call.shared.phases.subscribe();
    let draining = reached(&mut phases, Phase::Draining);
    // The answer comes before the request takes too long.
    let wait = call.shared.settings.request_timeout / 2;
    let answer = registry.poll(&owner, &id, &wanted, wait, draining).await.map_err(failure)?;
    // The key may have been revoked while the answer waited.
    call.revalidate(call.caller()?).await?;
    json::ok(&answer)
}
