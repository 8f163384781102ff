//! What is known about a shard that does not answer, and what a call does meanwhile. Functions of values: the
//! time comes from the caller.

use std::time::Duration;

use keyfob_store::{MonotonicInstant, StoreError};

use super::super::call_error::CallError;

/// The shortest pause between two probes.
pub(super) const MIN_PAUSE: Duration = Duration::from_millis(25);
const MAX_PAUSE: Duration = Duration::from_millis(250);

/// The pause grows with the silence: it is this part of it.
const PAUSE_DIVISOR: u32 = 20;

/// A call waits for this part of its usual wait if the present probe hangs.
const SLOW_DIVISOR: u32 = 3;

/// A probe that is not heard of for so much longer than it may take is not counted on.
const OVERDUE: Duration = Duration::from_secs(5);

/// A call that no answer has come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::connections) struct Failure {
    pub(in crate::connections) detail: String,
    /// Whether the server answered, and it is not known whether its address still leads to it.
    pub(in crate::connections) is_unconfirmed: bool,
}

impl Failure {
    pub(in crate::connections) fn of(error: &CallError) -> Self {
        let is_unconfirmed = matches!(error, CallError::Unconfirmed(_));
        Self { detail: error.detail(), is_unconfirmed }
    }
}

/// A shard from which no answer has come for some time.
#[derive(Clone, Debug)]
pub(super) struct Silence {
    /// When the first call was begun that got no answer.
    pub(super) since: MonotonicInstant,
    /// When the present probe was begun.
    probe_begun: Option<MonotonicInstant>,
    /// When the last probe was begun that failed, and when it failed.
    failed_probe: Option<(MonotonicInstant, MonotonicInstant)>,
    failure: Failure,
}

/// A call that is about to be sent.
#[derive(Clone, Copy, Debug)]
pub(in crate::connections) struct Caller {
    pub(in crate::connections) arrived: MonotonicInstant,
    /// How long a shard may be silent before the call is not sent any more.
    pub(in crate::connections) tries_for: Duration,
    /// How long the call waits for a probe of a shard that has been silent for longer.
    pub(in crate::connections) waits_for: Duration,
    /// How long a probe takes at most.
    pub(in crate::connections) probe_limit: Duration,
}

/// What a call does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Decision {
    /// It is sent.
    Send,
    /// It waits for a probe, at most until this time.
    WaitUntil(MonotonicInstant),
    /// It fails without being sent.
    Fail,
}

impl Silence {
    pub(super) fn new(since: MonotonicInstant, failure: Failure) -> Self {
        Self { since, probe_begun: None, failed_probe: None, failure }
    }

    /// Returns whether the shard has been silent for this time.
    pub(super) fn has_lasted(&self, duration: Duration, now: MonotonicInstant) -> bool {
        now >= self.since.after(duration)
    }

    /// Decides what a call does at `now`.
    pub(super) fn decide(&self, caller: &Caller, now: MonotonicInstant) -> Decision {
        if !self.has_lasted(caller.tries_for, now) || self.is_probe_overdue(caller, now) {
            return Decision::Send;
        }
        let is_answered = self.failed_probe.is_some_and(|(begun, _)| begun >= caller.arrived);
        // A probe that has run for so long will hardly succeed in the next moment.
        let is_slow =
            self.probe_begun.is_some_and(|begun| begun.after(caller.waits_for) <= caller.arrived);
        let patience = if is_slow { caller.waits_for / SLOW_DIVISOR } else { caller.waits_for };
        let patience_ends = caller.arrived.after(patience);
        if patience.is_zero() || is_answered || now >= patience_ends {
            return Decision::Fail;
        }
        Decision::WaitUntil(patience_ends)
    }

    /// Whether nothing is heard of the probes: their runtime may not be driven any more.
    fn is_probe_overdue(&self, caller: &Caller, now: MonotonicInstant) -> bool {
        let ended = self.failed_probe.map_or(self.since, |(_, ended)| ended);
        let last = self.probe_begun.map_or(ended, |begun| begun.max(ended));
        now >= last.after(caller.tries_for.max(caller.probe_limit) + OVERDUE)
    }

    /// Notes that a probe begins.
    pub(super) fn begin_probe(&mut self, now: MonotonicInstant) {
        self.probe_begun = Some(now);
    }

    /// Notes that the probe failed, or was given up if `failure` is `None`.
    pub(super) fn end_probe(&mut self, failure: Option<Failure>, now: MonotonicInstant) {
        let begun = self.probe_begun.take();
        if let (Some(begun), Some(failure)) = (begun, failure) {
            self.failed_probe = Some((begun, now));
            self.failure = failure;
        }
    }

    /// Returns the pause before the next probe. A call that waits shortens it to [`MIN_PAUSE`].
    pub(super) fn pause(&self, now: MonotonicInstant) -> Duration {
        (self.age(now) / PAUSE_DIVISOR).clamp(MIN_PAUSE, MAX_PAUSE)
    }

    /// Returns the error of a call that is not sent.
    pub(super) fn error(&self, now: MonotonicInstant) -> StoreError {
        let Failure { detail, is_unconfirmed } = &self.failure;
        let silent_for = self.age(now);
        let detail = format!(
            "{detail} (no answer for {} s, so this call was not sent; the node keeps looking for the \
             server and continues by itself)",
            silent_for.as_secs()
        );
        match is_unconfirmed {
            true => StoreError::AddressUnconfirmed { detail },
            false => StoreError::Unavailable { detail },
        }
    }

    /// For how long the shard has been silent.
    pub(super) fn age(&self, now: MonotonicInstant) -> Duration {
        Duration::from_nanos(now.as_nanos().saturating_sub(self.since.as_nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Duration = Duration::from_millis(3_000);
    const WAIT: Duration = Duration::from_millis(250);

    fn at(millis: u64) -> MonotonicInstant {
        MonotonicInstant::from_nanos(millis * 1_000_000)
    }

    fn caller(arrived: u64) -> Caller {
        Caller { arrived: at(arrived), tries_for: BUDGET, waits_for: WAIT, probe_limit: WAIT }
    }

    fn failure(detail: &str) -> Failure {
        Failure { detail: detail.to_owned(), is_unconfirmed: false }
    }

    fn silence() -> Silence {
        Silence::new(at(1_000), failure("refused"))
    }

    #[test]
    fn a_call_is_sent_until_the_silence_has_lasted_for_its_budget() {
        let silence = silence();
        assert_eq!(silence.decide(&caller(1_000), at(3_999)), Decision::Send);
        assert_eq!(silence.decide(&caller(1_000), at(4_000)), Decision::Fail);
        let short = Caller { tries_for: Duration::from_millis(500), ..caller(1_600) };
        assert_eq!(silence.decide(&short, at(1_499)), Decision::Send);
        assert_eq!(silence.decide(&short, at(1_600)), Decision::WaitUntil(at(1_850)));
        let impatient = Caller { waits_for: Duration::ZERO, ..short };
        assert_eq!(silence.decide(&impatient, at(1_600)), Decision::Fail);
    }

    #[test]
    fn a_call_waits_for_a_probe_that_begins_after_it() {
        let mut silence = silence();
        assert_eq!(silence.decide(&caller(5_000), at(5_000)), Decision::WaitUntil(at(5_250)));
        // It was begun before the call, so it may have missed the return of the server.
        silence.begin_probe(at(4_990));
        silence.end_probe(Some(failure("refused")), at(5_010));
        assert_eq!(silence.decide(&caller(5_000), at(5_010)), Decision::WaitUntil(at(5_250)));
        silence.begin_probe(at(5_035));
        assert_eq!(silence.decide(&caller(5_000), at(5_036)), Decision::WaitUntil(at(5_250)));
        silence.end_probe(Some(failure("still refused")), at(5_037));
        assert_eq!(silence.decide(&caller(5_000), at(5_038)), Decision::Fail);
        assert!(silence.error(at(5_038)).to_string().contains("still refused"));
        assert_eq!(silence.decide(&caller(5_000), at(5_250)), Decision::Fail);
    }

    #[test]
    fn a_call_hardly_waits_for_a_probe_that_hangs() {
        let mut silence = silence();
        silence.begin_probe(at(5_000));
        assert_eq!(silence.decide(&caller(5_249), at(5_249)), Decision::WaitUntil(at(5_499)));
        assert_eq!(
            silence.decide(&caller(6_000), at(6_083)),
            Decision::WaitUntil(at(6_000).after(WAIT / 3))
        );
        assert_eq!(silence.decide(&caller(6_000), at(6_084)), Decision::Fail);
        // It was given up with its runtime.
        silence.end_probe(None, at(9_000));
        silence.begin_probe(at(8_000));
        silence.end_probe(Some(failure("refused")), at(8_001));
        assert_eq!(silence.decide(&caller(9_000), at(9_000)), Decision::WaitUntil(at(9_250)));
    }

    #[test]
    fn a_call_is_sent_when_nothing_is_heard_of_the_probes() {
        let mut silence = silence();
        silence.begin_probe(at(5_000));
        assert_eq!(silence.decide(&caller(12_500), at(12_999)), Decision::Fail);
        assert_eq!(silence.decide(&caller(12_500), at(13_000)), Decision::Send);
        silence.end_probe(Some(failure("refused")), at(13_000));
        assert_eq!(silence.decide(&caller(13_001), at(13_001)), Decision::WaitUntil(at(13_251)));
    }

    #[test]
    fn the_pause_between_probes_grows_with_the_silence() {
        let silence = silence();
        assert_eq!(silence.pause(at(1_000)), MIN_PAUSE);
        assert_eq!(silence.pause(at(3_000)), Duration::from_millis(100));
        assert_eq!(silence.pause(at(1_000_000)), MAX_PAUSE);
    }

    #[test]
    fn the_error_has_the_code_of_the_last_failure_and_a_hint() {
        let error = silence().error(at(13_000));
        assert_eq!(error.code(), "store_unavailable");
        let text = error.to_string();
        assert!(text.contains("refused (no answer for 12 s"), "{text}");
        assert!(text.contains("continues by itself"), "{text}");
        let failure = Failure { is_unconfirmed: true, ..failure("x") };
        assert_eq!(Silence::new(at(0), failure).error(at(9)).code(), "address_unconfirmed");
    }
}
