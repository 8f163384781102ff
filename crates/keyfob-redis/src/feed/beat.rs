//! One beat: a write in each lane that changes nothing, so it costs no replication and no disk, and
//! that only the lane's present primary takes.
//!
//! Where lanes move, a primary that answers two beats in a row may have lost a lane and got it back
//! in between, and what was revoked elsewhere meanwhile was not signalled here. So each lane has a
//! **mark** there, a key that is named like a signal of nothing and that moves with the lane: when it
//! leaves a server, and when it comes, that server pushes its name, which empties the lane. A lane
//! without a mark is not trusted.

use std::time::Duration;

use keyfob_store::{Lane, MonotonicInstant};
use redis::{Pipeline, Value};

use crate::keys::Keys;
use crate::net::{CallError, Link};

/// For how long a mark is set. One that ends costs each node what it knows of the lane.
const MARKED: Duration = Duration::from_secs(90 * 86_400);

/// A beat that was answered.
#[derive(Debug)]
pub(super) struct Beat {
    /// When it was sent, and not when it was answered.
    pub(super) sent: MonotonicInstant,
    /// The lanes that the server took it for.
    pub(super) lanes: Vec<Lane>,
    /// What it said of the first that it did not take.
    pub(super) refused: Option<CallError>,
}

/// Sends a beat for these lanes and waits for the answers.
pub(super) async fn beat(
    link: &Link,
    keys: &Keys,
    lanes: &[Lane],
    each: bool,
    limit: Duration,
) -> Result<Beat, CallError> {
    let mut pipeline = Pipeline::new();
    // Where lanes cannot move apart, one answers for all.
    let asked = if each { lanes } else { lanes.get(..1).unwrap_or_default() };
    for lane in asked {
        let mark = keys.mark(*lane);
        // While a lane is being moved, its old primary does not answer for a key that it has not
        // got: nobody is trusted meanwhile.
        if each {
            pipeline.cmd("RENAME").arg(mark.as_slice()).arg(mark.as_slice());
        } else {
            pipeline.cmd("DEL").arg(mark.as_slice());
        }
    }
    let sent = MonotonicInstant::now();
    let answers = link.send_all(&pipeline, limit).await?;
    let mut beat = Beat { sent, lanes: Vec::new(), refused: None };
    let mut unmarked = Vec::new();
    for (lane, answer) in asked.iter().zip(answers) {
        if each && is_missing(&answer) {
            unmarked.push(*lane);
            continue;
        }
        match Link::checked(answer) {
            Ok(_) if each => beat.lanes.push(*lane),
            Ok(_) => beat.lanes.extend(lanes),
            Err(trouble) => beat.refused = beat.refused.or(Some(trouble)),
        }
    }
    set_marks(link, keys, &unmarked, limit).await?;
    Ok(beat)
}

/// Whether a mark is not there.
fn is_missing(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.details() == Some("no such key"))
}

/// Sets the marks of some lanes that have none. Where that is refused, beats find none.
pub(super) async fn set_marks(
    link: &Link,
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
        let life = MARKED.as_millis() as u64;
        pipeline.cmd("SET").arg(mark.as_slice()).arg("").arg("NX").arg("PX").arg(life);
    }
    link.send_all(&pipeline, limit).await.map(drop)
}
