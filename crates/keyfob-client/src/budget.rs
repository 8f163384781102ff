//! How many requests a client may send again in total.

use std::sync::atomic::{AtomicU32, Ordering};

/// The price of one repetition. A request that succeeds pays one.
const PRICE: u32 = 10;
/// The reserve of a new client, and the most that it saves: ten repetitions.
const MAX_BALANCE: u32 = 10 * PRICE;

/// How many requests a client may send again in total: one for ten that succeed, after a reserve. A
/// server that is down gets little more than the load that it had.
#[derive(Debug)]
pub(crate) struct RetryBudget(AtomicU32);

impl RetryBudget {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(MAX_BALANCE))
    }

    /// Counts a request that succeeded.
    pub(crate) fn deposit(&self) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |balance| {
            (balance < MAX_BALANCE).then_some(balance + 1)
        });
    }

    /// Takes one repetition. Returns whether there was one.
    pub(crate) fn withdraw(&self) -> bool {
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |balance| {
            balance.checked_sub(PRICE)
        });
        taken.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_that_succeed_pay_for_one_that_is_sent_again() {
        let budget = RetryBudget::new();
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 10);
        (0..25).for_each(|_| budget.deposit());
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 2);
        (0..1000).for_each(|_| budget.deposit());
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 10);
    }
}
