//! A policy: who may do how much, and what happens when that cannot be told.

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
    /// The request is not admitted: the caller gets the store's error.
    Closed,
}

/// Who may do how much.
///
/// ```
/// use keyfob::{LimitBy, LimitPolicy, OnFailure, Ttl};
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
    /// A policy that admits `rate`, and as much at once as the rate has in a period. It fails open.
    ///
    /// In any time `w` at most the burst and `rate × w` are admitted; so within one period, at most
    /// twice the rate's permits. A lower [`LimitPolicy::burst`] brings that down.
    ///
    /// # Errors
    /// When the name breaks its rules, or so many permits at once could not be told exactly over so
    /// long a period.
    pub fn new(
        name: impl TryInto<LimitName, Error: Into<InvalidValue>>,
        by: LimitBy,
        rate: Rate,
    ) -> Result<Self, InvalidValue> {
        let name = name.try_into().map_err(Into::into)?;
        let meter = Meter::new(rate, rate.permits())?;
        Ok(Self { name, by, rate, meter, on_failure: OnFailure::Open })
    }

    /// A quota: so many uses in a period, all at once if they like, refilled all the time. It fails
    /// open.
    ///
    /// # Errors
    /// When the values make no rate, as for [`Rate::new`], or as for [`LimitPolicy::new`].
    pub fn quota(
        name: impl TryInto<LimitName, Error: Into<InvalidValue>>,
        by: LimitBy,
        uses: u32,
        period: Ttl,
    ) -> Result<Self, InvalidValue> {
        Self::new(name, by, Rate::new(uses, period)?)
    }

    /// How much is admitted at once.
    ///
    /// # Errors
    /// When it is zero, or could not be told exactly over so long a period.
    pub fn burst(self, burst: u32) -> Result<Self, InvalidValue> {
        Ok(Self { meter: Meter::new(self.rate, burst)?, ..self })
    }

    /// What is decided when the store fails.
    #[must_use]
    pub fn on_failure(self, on_failure: OnFailure) -> Self {
        Self { on_failure, ..self }
    }

    /// The name.
    pub fn name(&self) -> &LimitName {
        &self.name
    }

    /// What it counts by.
    pub fn by(&self) -> LimitBy {
        self.by
    }

    /// The rate.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// The burst and the rate in units of debt.
    pub fn meter(&self) -> Meter {
        self.meter
    }

    /// Whether it fails open.
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
