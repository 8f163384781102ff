//! Which source confirms a lane, and whether the lane is trusted. This feeds the metrics.

use super::MonotonicInstant;

/// The end of the trust in a lane that needs no further confirmation.
pub(super) const FOREVER: u64 = u64::MAX;

/// The source that confirms a lane, and its last confirmation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub(super) source: u64,
    /// When the last confirmed request was sent. Before the first confirmation: when the listener
    /// was created.
    confirmed: MonotonicInstant,
    until: u64,
    is_trusted: bool,
}

impl Owner {
    pub(super) fn new(now: MonotonicInstant) -> Self {
        Self { source: 0, confirmed: now, until: 0, is_trusted: false }
    }

    /// Sets until when the lane is trusted. Returns whether trust was lost: the lane was trusted
    /// before, and now it is not, or for a while it was not.
    pub(super) fn grant(
        &mut self,
        until: u64,
        sent: Option<MonotonicInstant>,
        now: MonotonicInstant,
    ) -> bool {
        let has_lapsed = self.has_lapsed(now);
        self.until = until;
        self.confirmed = sent.unwrap_or(self.confirmed);
        let was_trusted = std::mem::replace(&mut self.is_trusted, until > now.as_nanos());
        has_lapsed || was_trusted && !self.is_trusted
    }

    /// Returns whether trust ran out since the last look.
    pub(super) fn has_lapsed(&mut self, now: MonotonicInstant) -> bool {
        let has_lapsed = self.is_trusted && self.until <= now.as_nanos();
        self.is_trusted &= !has_lapsed;
        has_lapsed
    }

    pub(super) fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// Returns the instant before which every change was reported, if the lane is trusted at `now`.
    pub(super) fn covered(&self, now: MonotonicInstant) -> Option<MonotonicInstant> {
        match self.until {
            FOREVER => Some(now),
            until => (until > now.as_nanos()).then_some(self.confirmed),
        }
    }

    /// Returns the nanoseconds since the last confirmation was sent.
    pub(super) fn age(&self, now: MonotonicInstant) -> u64 {
        if self.until == FOREVER {
            return 0;
        }
        now.as_nanos().saturating_sub(self.confirmed.as_nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> MonotonicInstant = MonotonicInstant::from_nanos;

    #[test]
    fn a_loss_of_trust_is_counted_once() {
        let mut owner = Owner::new(AT(0));
        assert!(!owner.grant(0, None, AT(1)), "the lane was never trusted");
        assert!(!owner.grant(100, Some(AT(50)), AT(60)));
        assert!(!owner.grant(140, Some(AT(90)), AT(95)) && !owner.has_lapsed(AT(139)));
        assert_eq!(owner.age(AT(139)), 49);
        // The trust expires, and a read detects it.
        assert!(owner.has_lapsed(AT(140)) && !owner.has_lapsed(AT(150)) && !owner.is_trusted());
        assert!(!owner.grant(300, Some(AT(200)), AT(210)) && owner.is_trusted());
        // The trust expires, and the next grant detects it.
        assert!(owner.grant(500, Some(AT(400)), AT(410)) && owner.is_trusted());
        // Trust is withdrawn.
        assert!(owner.grant(0, None, AT(420)) && !owner.grant(0, None, AT(430)));
        assert_eq!(owner.age(AT(430)), 30);
        // Trust without an end.
        assert!(!owner.grant(FOREVER, None, AT(440)) && !owner.has_lapsed(AT(1 << 60)));
        assert_eq!(owner.age(AT(1 << 60)), 0);
    }
}
