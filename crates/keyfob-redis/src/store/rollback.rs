//! Noticing that the store was rolled back: that it lost what was acknowledged, because a server loaded an
//! old snapshot, a backup was put in place, or a replica took over that was far behind.
//!
//! Each lane has a **pulse**, a time that running nodes renew. It never decreases. A node that finds a lower
//! pulse than it has seen begins the lane's sequence again, so that all older tokens are refused: which of them
//! were revoked in between is not known. An operator revokes again what was lost, and then accepts the rest.
//!
//! A loss that is shorter than the tolerance is repaired instead: nodes send recent revocations again, see
//! [`resend`](super::resend).

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use keyfob_store::{
    Invalidation, Lane, MonotonicInstant, Severity, StoreError, StoreReport, Timestamp,
};

use super::shared::Shared;
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
        let lanes = self.namespace.lanes().lanes().map(|lane| self.renew_pulse(lane));
        stream::iter(lanes).buffer_unordered(MAX_CONCURRENT).for_each(async |()| {}).await;
    }

    /// Renews the pulse of a lane, and refuses its older tokens if it was rolled back.
    pub(super) async fn renew_pulse(&self, lane: Lane) {
        match self.send_pulse(lane).await {
            Ok((pulse, is_new, is_rolled_back)) => {
                let count = self.pulses.note(lane, pulse, is_rolled_back);
                self.connections.metrics().lanes_rolled_back(count);
                if is_new {
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
        let lanes = self.namespace.lanes().lanes().map(|lane| self.lost_writes(lane));
        let lost: Vec<_> = stream::iter(lanes).buffer_unordered(MAX_CONCURRENT).collect().await;
        // A lane that cannot be reached has a finding of its own.
        let lost: Vec<_> = lost.into_iter().filter_map(Result::ok).flatten().collect();
        let since = lost.iter().map(|lost| lost.since).min();
        let noticed = lost.iter().map(|lost| lost.noticed).max();
        let Some((since, noticed)) = since.zip(noticed) else { return };
        let advice = format!(
            "the store lost what was written between {since} and {noticed}, in {} of {} lanes: it was \
             restored from a snapshot or a backup, or a replica took over that was behind. Tokens of these \
             lanes that are older than {noticed} are refused (token_damaged). Revoke again what was revoked \
             in that time, then accept the others: 'keyfob recover audit.jsonl', then \
             'keyfob recover --accept'. See docs/recovery.md",
            lost.len(),
            self.namespace.lanes().get()
        );
        report.find(Severity::Fault, "rollback", advice);
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
    pub(super) async fn accept_rollback(&self) -> Result<u16, StoreError> {
        self.guard.check()?;
        let mut accepted = 0;
        for lane in self.namespace.lanes().lanes() {
            let keys = accept_rollback::Keys { lane: self.keys.lane(lane) };
            let call = Call::new(&self.scripts.accept_rollback, keys, []);
            accepted += self.connections.read(self.keys.slot(lane), &call).await?.number()? as u16;
        }
        Ok(accepted)
    }
}

fn millis(digits: Vec<u8>) -> Option<Timestamp> {
    Some(Timestamp::from_millis(std::str::from_utf8(&digits).ok()?.parse().ok()?))
}
