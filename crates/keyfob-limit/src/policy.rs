//! A policy: who may do how much, and what happens when its store fails.

use keyfob_core::limit_by::LimitBy;

use super::{Meter, Rate};
use keyfob_core::invalid::InvalidValue;
use keyfob_core::text::LimitName;
use keyfob_core::time::Ttl;

/// What a policy decides when its store fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnFailure {
    /// The request is admitted uncounted, and the verdict says so.
    Open,
    /// The request is not admitted. The caller gets the error of the store.
    Closed,
}

/// A rate limit or a quota: who may do how much.
///
/// ```
/// use keyfob::limit::OnFailure;
/// use keyfob::{LimitBy, LimitPolicy, Ttl};
///
/// let calls = LimitPolicy::new("calls", LimitBy::Subject, "100/1m".parse()?)?.burst(20)?;
/// let reports = LimitPolicy::quota("reports", LimitBy::Client, 10_000, Ttl::from_days(30))?
///     .on_failure(OnFailure::Closed);
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LimitPolicy {
    name: LimitName,
    by: LimitBy,
    rate: Rate,
    meter: Meter,
    on_failure: OnFailure,
}

impl LimitPolicy {
    /// Creates a policy that admits `rate`, with a burst of all permits of one period. It fails open.
    ///
    /// In any time `w`, at most the burst plus `rate × w` are admitted. So within one period at most twice
    /// the permits of the rate are admitted. A lower [`LimitPolicy::burst`] reduces this.
    ///
    /// # Errors
    /// When the name is not valid, or when this many permits over this long a period could not be counted
    /// exactly.
    pub fn new(
        name: impl TryInto<LimitName, Error: Into<InvalidValue>>,
        by: LimitBy,
        rate: Rate,
    ) -> Result<Self, InvalidValue> {
        let name = name.try_into().map_err(Into::into)?;
        let meter = Meter::new(rate, rate.permits())?;
        Ok(Self { name, by, rate, meter, on_failure: OnFailure::Open })
    }

    /// Creates a quota: this many uses in a period, in one step if the caller likes, and refilled all the
    /// time. It fails open.
    ///
    /// # Errors
    /// When the values are not a valid rate (see [`Rate::new`]), or as for [`LimitPolicy::new`].
    pub fn quota(
        name: impl TryInto<LimitName, Error: Into<InvalidValue>>,
        by: LimitBy,
        uses: u32,
        period: Ttl,
    ) -> Result<Self, InvalidValue> {
        Self::new(name, by, Rate::new(uses, period)?)
    }

    /// Sets how much is admitted in one step.
    ///
    /// # Errors
    /// When it is zero, or could not be counted exactly over so long a period.
    pub fn burst(self, burst: u32) -> Result<Self, InvalidValue> {
        Ok(Self { meter: Meter::new(self.rate, burst)?, ..self })
    }

    /// Sets the decision when the store fails.
    #[must_use]
    pub fn on_failure(self, on_failure: OnFailure) -> Self {
        Self { on_failure, ..self }
    }

    /// Returns the name.
    pub fn name(&self) -> &LimitName {
        &self.name
    }

    /// Returns what it counts by.
    pub fn by(&self) -> LimitBy {
        self.by
    }

    /// Returns the rate.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Returns the burst and the rate in units of debt.
    pub fn meter(&self) -> Meter {
        self.meter
    }

    /// Returns whether it fails open.
    pub fn is_open(&self) -> bool {
        self.on_failure == OnFailure::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_at_least_one_and_a_name_has_rules() {
        let rate: Rate = "100/1m".parse().unwrap();
        let policy = LimitPolicy::new("calls", LimitBy::Ip, rate).unwrap();
        assert_eq!(policy.meter().burst(), 100);
        assert_eq!(policy.clone().burst(0).unwrap_err().what(), "burst");
        assert_eq!(policy.burst(7).unwrap().meter().burst(), 7);
        for name in ["", "two\nlines", &"x".repeat(65)] {
            assert!(LimitPolicy::new(name, LimitBy::Ip, rate).is_err());
        }
        assert!(LimitPolicy::quota("q", LimitBy::Ip, 0, Ttl::from_days(30)).is_err());
    }
}
