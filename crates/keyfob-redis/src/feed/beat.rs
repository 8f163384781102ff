//! One beat: a write in each lane that changes nothing, so it costs no replication and no disk, and
//! that only the lane's present primary takes.

use std::time::Duration;

use keyfob::Lane;
use keyfob::store::Moment;
use redis::Pipeline;

use crate::keys::Keys;
use crate::net::{Link, Trouble};

/// A beat that was answered.
#[derive(Debug)]
pub(super) struct Beat {
    /// When it was sent, and not when it was answered.
    pub(super) sent: Moment,
    /// The lanes that the server took it for.
    pub(super) lanes: Vec<Lane>,
    /// What it said of the first that it did not take.
    pub(super) refused: Option<Trouble>,
}

/// Sends a beat for these lanes and waits for the answers.
pub(super) async fn beat(
    link: &Link,
    keys: &Keys,
    lanes: &[Lane],
    each: bool,
    limit: Duration,
) -> Result<Beat, Trouble> {
    let mut pipeline = Pipeline::new();
    // Where lanes cannot move apart, one answers for all.
    let asked = if each { lanes } else { lanes.get(..1).unwrap_or_default() };
    for lane in asked {
        // No signal has this name, so there is nothing to delete. While a lane is being moved, its
        // old primary does not answer for a key that it has not got: nobody is trusted meanwhile.
        pipeline.cmd("DEL").arg(keys.signal(*lane, b""));
    }
    let sent = Moment::now();
    let answers = link.send_all(&pipeline, limit).await?;
    let mut beat = Beat { sent, lanes: Vec::new(), refused: None };
    for (lane, answer) in asked.iter().zip(answers) {
        match Link::checked(answer) {
            Ok(_) if each => beat.lanes.push(*lane),
            Ok(_) => beat.lanes.extend(lanes),
            Err(trouble) => beat.refused = beat.refused.or(Some(trouble)),
        }
    }
    Ok(beat)
}
