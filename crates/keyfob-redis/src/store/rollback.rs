//! Noticing that the store was rolled back: that it lost what was acknowledged, because a server loaded an
//! old snapshot, a backup was put in place, or a replica took over that was far behind.
//!
//! Each lane has a **pulse**, a time that running nodes renew. It never decreases. A node that finds a lower
//! pulse than it has seen begins the lane's sequence again, so that all older tokens are refused: which of them
//! were revoked in between is not known. An operator revokes again what was lost, and then accepts the rest.
//!
//! A node that starts knows no pulse, unless it has a [`witness`]: a file with the pulses that were known before.
//!
//! A loss that is shorter than the tolerance is repaired instead: nodes send recent revocations again, see
//! [`resend`](super::resend).

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use keyfob_store::{
    Invalidation, Lane, MonotonicInstant, Rollback, Severity, StoreError, StoreReport, Timestamp,
};

use super::shared::Shared;
use super::witness;
use crate::connections::Call;
use crate::feed::signal;
use crate::protocol::arg::Arg;
use crate::protocol::signatures::{accept_rollback, renew_pulse, rollback};

/// The pulse is renewed this many times within the tolerance.
const RENEWALS_IN_TOLERANCE: u32 = 6;

/// The maximum number of lanes that are asked at the same time.
const MAX_CONCURRENT: usize = 64;

/// What a lane has lost.
struct LostWrites {
    since: Timestamp,
    noticed: Timestamp,
}

impl Shared {
    fn pulse_interval(&self) -> Duration {
        self.config.rollback_tolerance / RENEWALS_IN_TOLERANCE
    }

    /// Renews the pulses of all lanes, if that is due.
    pub(super) async fn renew_pulses_if_due(&self) {
        let renewed = MonotonicInstant::from_nanos(self.pulses.renewed.load(Ordering::Relaxed));
        let now = MonotonicInstant::now();
        if now < renewed.after(self.pulse_interval()) || self.guard.check().is_err() {
            return;
        }
        self.pulses.renewed.store(now.as_nanos(), Ordering::Relaxed);
        self.renew_pulses().await;
    }

    async fn renew_pulses(&self) {
        let lanes = self.namespace.lanes().lanes().map(|lane| self.renew_pulse(lane));
        stream::iter(lanes).buffer_unordered(MAX_CONCURRENT).for_each(async |()| {}).await;
        let Some(path) = self.config.witness.clone() else { return };
        let (tag, lanes) = (self.guard.tag().to_vec(), self.namespace.lanes());
        let pulses = self.pulses.all();
        let write = move || {
            let written = witness::write(&path, &tag, lanes, &pulses);
            written.map_err(|error| format!("{}: {error}", path.display()))
        };
        match tokio::task::spawn_blocking(write).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error, "the witness of the store cannot be written"),
            Err(error) => tracing::debug!(%error, "the witness was not written"),
        }
    }

    /// Notices whether the store was rolled back since a process of this machine last wrote the witness.
    pub(super) async fn compare_with_witness(&self) {
        let Some(path) = self.config.witness.as_deref() else { return };
        if self.guard.check().is_err() {
            return;
        }
        match witness::read(path, self.guard.tag(), self.namespace.lanes()) {
            Ok(known) => {
                known.into_iter().for_each(|(lane, pulse)| self.pulses.note_earlier(lane, pulse));
            }
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "the witness of the store cannot be read");
            }
        }
        self.renew_pulses().await;
    }

    /// Renews the pulse of a lane, and refuses its older tokens if it was rolled back.
    pub(super) async fn renew_pulse(&self, lane: Lane) {
        match self.send_pulse(lane).await {
            Ok((pulse, is_new, is_rolled_back)) => {
                let count = self.pulses.note(lane, pulse, is_rolled_back);
                self.connections.metrics().lanes_rolled_back(count);
                if is_new {
                    // What was revoked since is gone, and nodes remember the last of it.
                    self.feed.recent.unsettle(lane);
                    self.feed.notify(lane, Invalidation::All);
                    tracing::error!(
                        store = %self.config,
                        lane = lane.number(),
                        code = "store_rolled_back",
                        "the store lost what was written in the last time: it was restored from a snapshot \
                         or a backup, or a replica took over that was behind. Older tokens are refused. See \
                         docs/recovery.md"
                    );
                }
            }
            Err(error) => tracing::debug!(%error, ?lane, "the pulse of a lane cannot be renewed"),
        }
    }

    /// Returns the pulse, whether the lane was found to be rolled back, and whether it is.
    async fn send_pulse(&self, lane: Lane) -> Result<(u64, bool, bool), StoreError> {
        let keys = renew_pulse::Keys {
            lane: self.keys.lane(lane),
            signal: self.keys.signal(lane, &signal::write([Invalidation::All])),
        };
        let millis = |duration: Duration| Arg::from(duration.as_millis() as u64);
        let args = renew_pulse::Args {
            namespace: self.lane_tag(),
            known_pulse: self.pulses.known(lane).into(),
            interval: millis(self.pulse_interval()),
            tolerance: millis(self.config.rollback_tolerance),
        };
        let call = Call::new(&self.scripts.renew_pulse, keys, args);
        let answer = self.connections.read(self.keys.slot(lane), &call).await?.array()?;
        let mut numbers = answer.into_iter().map(|part| part.number());
        let mut next = || numbers.next().unwrap_or(Ok(0));
        Ok((next()?, next()? == 1, next()? == 1))
    }

    /// Says whether tokens are refused because the store was rolled back.
    pub(super) async fn rollback_finding(&self, report: &mut StoreReport) {
        // A lane that cannot be reached has a finding of its own.
        let lost = self.lost_writes_by_lane().await.into_iter().filter_map(Result::ok);
        let Some(Rollback { since, noticed, lanes }) = in_all(lost) else {
            report.find(Severity::Good, "rollback", self.condition_of_notice());
            return;
        };
        let advice = format!(
            "the store lost what was written between {since} and {noticed}, in {} of {} lanes: it was \
             restored from a snapshot or a backup, or a replica took over that was behind. Tokens of these \
             lanes that are older than {noticed} are refused (token_damaged). Revoke again what was revoked \
             in that time, then accept the others: 'keyfob recover audit.jsonl', then \
             'keyfob recover --accept'. See docs/recovery.md",
            lanes,
            self.namespace.lanes().get()
        );
        report.find(Severity::Fault, "rollback", advice);
    }

    /// Says on which condition a rollback is noticed.
    fn condition_of_notice(&self) -> String {
        let seconds = self.config.rollback_tolerance.as_secs();
        let by_nodes = format!(
            "nodes that run notice that the store lost more than {seconds} s of its writes"
        );
        match &self.config.witness {
            Some(path) => format!(
                "{by_nodes}. If none runs then, a process that starts with {} notices it, unless that file was \
                 restored too",
                path.display()
            ),
            None => format!(
                "{by_nodes}. If none runs then, nothing notices it: add witness=FILE to the URL of a service, \
                 with a file on a disk of its own"
            ),
        }
    }

    /// Says what was lost.
    pub(super) async fn rollback(&self) -> Result<Option<Rollback>, StoreError> {
        self.guard.check()?;
        let lost: Result<Vec<_>, _> = self.lost_writes_by_lane().await.into_iter().collect();
        Ok(in_all(lost?.into_iter()))
    }

    async fn lost_writes_by_lane(&self) -> Vec<Result<Option<LostWrites>, StoreError>> {
        let lanes = self.namespace.lanes().lanes().map(|lane| self.lost_writes(lane));
        stream::iter(lanes).buffer_unordered(MAX_CONCURRENT).collect().await
    }

    async fn lost_writes(&self, lane: Lane) -> Result<Option<LostWrites>, StoreError> {
        let call =
            Call::new(&self.scripts.rollback, rollback::Keys { lane: self.keys.lane(lane) }, []);
        let answer = self.connections.read(self.keys.slot(lane), &call).await?.array()?;
        let mut times =
            answer.into_iter().map(|part| Ok::<_, StoreError>(part.optional()?.and_then(millis)));
        let mut next = || times.next().unwrap_or(Ok(None));
        let (since, noticed) = (next()?, next()?);
        Ok(since.zip(noticed).map(|(since, noticed)| LostWrites { since, noticed }))
    }

    /// Accepts the tokens again that are refused since the store was rolled back. Returns the number of lanes.
    /// The first lane gets the events before any other lane is accepted, so no acceptance is without them.
    pub(super) async fn accept_rollback(&self, events: Vec<Vec<u8>>) -> Result<u16, StoreError> {
        if self.rollback().await?.is_none() {
            return Ok(0);
        }
        let (mut accepted, mut events) = (0, events);
        for lane in self.namespace.lanes().lanes() {
            let keys = accept_rollback::Keys {
                lane: self.keys.lane(lane),
                stream: self.keys.events(lane),
            };
            let mut args = Vec::from(accept_rollback::Args {
                entry_cap: self.stream_cap().into(),
                stream_expires_at: self.stream_expires_at(),
                entry_count: events.len().into(),
            });
            args.extend(std::mem::take(&mut events).into_iter().map(Arg::from));
            let call = Call::new(&self.scripts.accept_rollback, keys, args);
            accepted += self.connections.read(self.keys.slot(lane), &call).await?.number()? as u16;
        }
        Ok(accepted)
    }
}

/// Returns what was lost in all lanes together, if any lost something.
fn in_all(lost: impl Iterator<Item = Option<LostWrites>>) -> Option<Rollback> {
    lost.flatten().fold(None, |whole: Option<Rollback>, LostWrites { since, noticed }| {
        Some(whole.map_or(Rollback { since, noticed, lanes: 1 }, |whole| Rollback {
            since: whole.since.min(since),
            noticed: whole.noticed.max(noticed),
            lanes: whole.lanes + 1,
        }))
    })
}

fn millis(digits: Vec<u8>) -> Option<Timestamp> {
    Some(Timestamp::from_millis(std::str::from_utf8(&digits).ok()?.parse().ok()?))
}
