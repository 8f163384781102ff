//! The size of a benchmark run: full, or a smoke test.

/// The size of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Size {
    /// The size to which the targets apply.
    Full,
    /// A smoke test of about one minute. Its figures are not meaningful.
    Quick,
}

impl Size {
    /// Scales the token count of a full run to this size.
    pub(crate) fn tokens(self, full: u64) -> u64 {
        match self {
            Self::Full => full,
            Self::Quick => (full / 50).clamp(2_000, 20_000),
        }
    }

    /// Scales the number of operations in a round.
    pub(crate) fn operations(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => (full / 10).max(50),
        }
    }

    /// Scales the number of rounds.
    pub(crate) fn rounds(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => 3,
        }
    }
}
