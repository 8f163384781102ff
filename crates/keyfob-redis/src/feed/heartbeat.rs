//! One heartbeat: a write in each lane that changes nothing, so it costs no replication and no disk. Only
//! the present primary of a lane accepts it.
//!
//! In a cluster, a primary that answers two heartbeats in a row may have lost a lane and got it back in
//! between. What was revoked elsewhere meanwhile was not signalled here. So each lane has a **mark** there:
//! a key that is named like a signal of nothing and that moves with the lane. When it leaves a server, and
//! when it comes, that server pushes its name, which invalidates the lane. A lane without a mark is not
//! trusted.

use std::time::Duration;

use keyfob_store::{Lane, MonotonicInstant};
use redis::{Pipeline, Value};

use crate::connections::{CallError, Connection, Reply};
use crate::keys::Keys;

/// How long a mark is kept. When a mark expires, each node drops what it has cached of the lane.
const MARK_LIFETIME: Duration = Duration::from_secs(90 * 86_400);

/// A heartbeat that was answered.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// When it was sent, not when it was answered.
    pub(super) sent: MonotonicInstant,
    /// The lanes for which the server accepted it.
    pub(super) lanes: Vec<Lane>,
    /// What the meta key holds, if the server was asked for it and answered.
    pub(super) meta: Option<Option<Vec<u8>>>,
    /// The error for the first lane that the server refused.
    pub(super) refused: Option<CallError>,
}

/// Sends a heartbeat for these lanes and waits for the answers. If lanes cannot move apart
/// (`each_lane` is false), one write stands for all. Reads the meta key too if it is given.
pub(super) async fn send_heartbeat(
    connection: &Connection,
    keys: &Keys,
    lanes: &[Lane],
    each_lane: bool,
    meta_key: Option<&[u8]>,
    limit: Duration,
) -> Result<Heartbeat, CallError> {
    let mut pipeline = Pipeline::new();
    let asked = if each_lane { lanes } else { lanes.get(..1).unwrap_or_default() };
    for lane in asked {
        let mark = keys.mark(*lane);
        // While a lane is being moved, its old primary refuses a key that it no longer has. Then the lane
        // is not trusted.
        if each_lane {
            pipeline.cmd("RENAME").arg(mark.as_slice()).arg(mark.as_slice());
        } else {
            pipeline.cmd("DEL").arg(mark.as_slice());
        }
    }
    if let Some(meta_key) = meta_key {
        pipeline.cmd("GET").arg(meta_key);
    }
    let sent = MonotonicInstant::now();
    let mut answers = connection.send_all(&pipeline, limit).await?;
    let mut heartbeat = Heartbeat { sent, lanes: Vec::new(), meta: None, refused: None };
    if meta_key.is_some() {
        match answers.pop().map(|answer| connection.check(answer)) {
            Some(Ok(value)) => heartbeat.meta = Reply(value).optional().ok(),
            Some(Err(error)) => heartbeat.refused = Some(error),
            None => {}
        }
    }
    let mut unmarked = Vec::new();
    for (lane, answer) in asked.iter().zip(answers) {
        if each_lane && is_missing(&answer) {
            unmarked.push(*lane);
            continue;
        }
        match connection.check(answer) {
            Ok(_) if each_lane => heartbeat.lanes.push(*lane),
            Ok(_) => heartbeat.lanes.extend(lanes),
            Err(error) => heartbeat.refused = heartbeat.refused.or(Some(error)),
        }
    }
    set_marks(connection, keys, &unmarked, limit).await?;
    Ok(heartbeat)
}

/// Returns whether a mark does not exist.
fn is_missing(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.details() == Some("no such key"))
}

/// Sets the marks of lanes that have none. If the server refuses, later heartbeats find no mark.
pub(super) async fn set_marks(
    connection: &Connection,
    keys: &Keys,
    lanes: &[Lane],
    limit: Duration,
) -> Result<(), CallError> {
    if lanes.is_empty() {
        return Ok(());
    }
    let mut pipeline = Pipeline::new();
    for lane in lanes {
        let mark = keys.mark(*lane);
        let lifetime = MARK_LIFETIME.as_millis() as u64;
        pipeline.cmd("SET").arg(mark.as_slice()).arg("").arg("NX").arg("PX").arg(lifetime);
    }
    connection.send_all(&pipeline, limit).await.map(drop)
}
