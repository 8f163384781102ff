//! What an edge asks: a node that validates by itself and has no connection to the store.
//!
//! Records and changes are about all tokens, so the key of an edge is not confined to audiences.

mod wire;

use std::time::Duration;

use keyfob::manager::Relay;
use keyfob::store::{LastUse, RecordVersion, StoreError};
use keyfob_api::edge::{
    EdgeBeatBody, EdgeBody, EdgeChargesBody, EdgeConsumeBody, EdgeFirstUseBody,
    EdgeObservationsBody, EdgeTaken, EdgeUsesBody,
};

use super::input::{body, check_items, not_found, token_id};
use super::limits::limiter;
use super::view::check_unconfined;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};

/// Answers `GET /v1/edge`.
pub(crate) async fn describe(call: Call) -> Answer {
    let relay = relay(&call)?;
    let namespace = relay.namespace();
    json::ok(&EdgeBody {
        lanes: namespace.lanes().get(),
        key: (*namespace.key().as_bytes()).into(),
        requires_id_macs: namespace.requires_id_macs(),
        prefix: call.manager().prefix().as_str().to_owned(),
        now_ms: call.manager().now().as_millis(),
    })
}

/// Answers `POST /v1/edge/beat`: as soon as there is news, and after a while without it.
pub(crate) async fn beat(call: Call) -> Answer {
    let relay = relay(&call)?;
    let asked: EdgeBeatBody = body(&call)?;
    let hold = Duration::from_micros(asked.hold_us);
    let beat = relay.beat(&wire::since(&asked)?, hold).await?;
    json::ok(&wire::beat(&beat))
}

/// Answers `GET /v1/edge/records/{id}`.
pub(crate) async fn record(call: Call) -> Answer {
    let (relay, id) = (relay(&call)?, token_id(&call)?);
    match relay.load(id).await? {
        Some(loaded) => json::ok(&wire::record(loaded)),
        None => Err(not_found(id)),
    }
}

/// Answers `POST /v1/edge/records/{id}/consume`.
pub(crate) async fn consume(call: Call) -> Answer {
    let (relay, id) = (relay(&call)?, token_id(&call)?);
    let asked: EdgeConsumeBody = body(&call)?;
    let operation = wire::operation(&asked.operation, call.manager().now())?;
    let consumed = relay.consume(operation, id).await?;
    json::ok(&wire::consumed(consumed))
}

/// Answers `POST /v1/edge/records/{id}/first-use`.
pub(crate) async fn first_use(call: Call) -> Answer {
    let (relay, id) = (relay(&call)?, token_id(&call)?);
    let EdgeFirstUseBody { operation, version, body } = body(&call)?;
    let operation = wire::operation(&operation, call.manager().now())?;
    let version = RecordVersion(version);
    let replaced = relay.write_first_use(operation, id, version, &body.0).await?;
    json::ok(&wire::replaced(replaced))
}

/// Answers `POST /v1/edge/uses`.
pub(crate) async fn uses(call: Call) -> Answer {
    let relay = relay(&call)?;
    let EdgeUsesBody { uses } = body(&call)?;
    check_items("uses", uses.len())?;
    let uses: Vec<LastUse> = uses.iter().map(wire::last_use).collect();
    relay.touch(&uses).await?;
    json::ok(&EdgeTaken { taken: uses.len() })
}

/// Answers `POST /v1/edge/observations`.
pub(crate) async fn observations(call: Call) -> Answer {
    let relay = relay(&call)?;
    let EdgeObservationsBody { observations } = body(&call)?;
    check_items("observations", observations.len())?;
    let taken = observations.len();
    let observed = relay.observe(observations.into_iter().map(|entry| entry.0).collect()).await;
    observed.map_err(|error| match error {
        keyfob::Error::Store(StoreError::Corrupt { .. } | StoreError::NewerFormat { .. }) => {
            let detail = "an entry of observations is none that this server knows: it may be older than its edge";
            Failure::bad("invalid_value", detail)
        }
        error => error.into(),
    })?;
    json::ok(&EdgeTaken { taken })
}

/// Answers `POST /v1/edge/charges`: in the same store of limits as this server, so that all count together.
pub(crate) async fn charges(call: Call) -> Answer {
    let _checked = relay(&call)?;
    let asked: EdgeChargesBody = body(&call)?;
    let charges = wire::charges(&asked)?;
    let charged = limiter(&call)?.store().charge(&charges).await.map_err(keyfob::Error::from)?;
    json::ok(&wire::charged(&charged))
}

fn relay(call: &Call) -> Result<Relay, Failure> {
    check_unconfined(call.caller()?)?;
    Ok(call.manager().relay())
}
