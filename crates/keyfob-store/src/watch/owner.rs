//! Who speaks for a lane, and how it stands with the lane's trust, for those who watch over it.

use super::{FOR_GOOD, MonotonicInstant};

/// The source that speaks for a lane, and what it said last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub(super) source: u64,
    /// When what was confirmed last was sent; when the watcher was made, if nothing was.
    confirmed: MonotonicInstant,
    until: u64,
    is_trusted: bool,
}

impl Owner {
    pub(super) fn new(now: MonotonicInstant) -> Self {
        Self { source: 0, confirmed: now, until: 0, is_trusted: false }
    }

    /// Notes until when the lane is trusted from now on, and whether it was trusted and is, or was
    /// for a while, no longer.
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

    /// Whether its trust ran out since anybody looked.
    pub(super) fn has_lapsed(&mut self, now: MonotonicInstant) -> bool {
        let has_lapsed = self.is_trusted && self.until <= now.as_nanos();
        self.is_trusted &= !has_lapsed;
        has_lapsed
    }

    pub(super) fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// How many nanoseconds ago it was confirmed last.
    pub(super) fn age(&self, now: MonotonicInstant) -> u64 {
        if self.until == FOR_GOOD {
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
    fn trust_is_lost_once_however_that_is_noticed() {
        let mut owner = Owner::new(AT(0));
        assert!(!owner.grant(0, None, AT(1)), "it never had any");
        assert!(!owner.grant(100, Some(AT(50)), AT(60)));
        assert!(!owner.grant(140, Some(AT(90)), AT(95)) && !owner.has_lapsed(AT(139)));
        assert_eq!(owner.age(AT(139)), 49);
        // By silence, which somebody sees.
        assert!(owner.has_lapsed(AT(140)) && !owner.has_lapsed(AT(150)) && !owner.is_trusted());
        assert!(!owner.grant(300, Some(AT(200)), AT(210)) && owner.is_trusted());
        // By silence that nobody saw before it was over.
        assert!(owner.grant(500, Some(AT(400)), AT(410)) && owner.is_trusted());
        // By being told so.
        assert!(owner.grant(0, None, AT(420)) && !owner.grant(0, None, AT(430)));
        assert_eq!(owner.age(AT(430)), 30);
        // For good.
        assert!(!owner.grant(FOR_GOOD, None, AT(440)) && !owner.has_lapsed(AT(1 << 60)));
        assert_eq!(owner.age(AT(1 << 60)), 0);
    }
}
